#include "device/mac.h"

#include "base/text.h"

#include <objc/message.h>
#include <objc/runtime.h>
#include <sys/sysctl.h>

#include <array>
#include <cstdint>
#include <vector>

// Of the Metal framework: the device that an application would get, with one reference for the caller.
extern "C" id MTLCreateSystemDefaultDevice();

namespace rbee::device {
namespace {

// The values that understand_mac() looks at; `sysctl -a` has 1,500 of them and takes a tenth of a second.
constexpr auto text_keys = std::to_array<const char*>({"kern.hostname", "machdep.cpu.brand_string"});
constexpr auto number_keys = std::to_array<const char*>({"hw.memsize",
                                                         "hw.physicalcpu",
                                                         "hw.logicalcpu",
                                                         "hw.pagesize",
                                                         "hw.perflevel0.physicalcpu",
                                                         "hw.perflevel1.physicalcpu",
                                                         "iogpu.wired_limit_mb",
                                                         "sysctl.proc_translated",
                                                         "vm.page_free_count",
                                                         "vm.page_pageable_external_count",
                                                         "hw.optional.AdvSIMD",
                                                         "hw.optional.neon",
                                                         "hw.optional.arm.FEAT_DotProd",
                                                         "hw.optional.arm.FEAT_FP16",
                                                         "hw.optional.arm.FEAT_I8MM",
                                                         "hw.optional.arm.FEAT_BF16",
                                                         "hw.optional.arm.FEAT_SME",
                                                         "hw.optional.sse4_2",
                                                         "hw.optional.avx1_0",
                                                         "hw.optional.avx2_0",
                                                         "hw.optional.fma",
                                                         "hw.optional.f16c",
                                                         "hw.optional.avx512f"});

std::string sysctl_text() {
  std::string text;
  for (const char* key : text_keys) {
    std::array<char, 256> value{};
    std::size_t size = value.size() - 1;
    if (::sysctlbyname(key, value.data(), &size, nullptr, 0) == 0) text += cat(key, ": ", value.data(), "\n");
  }
  for (const char* key : number_keys) {
    std::uint64_t value = 0;  // little-endian, so that 32 bits fill its lower half
    std::size_t size = sizeof value;
    if (::sysctlbyname(key, &value, &size, nullptr, 0) == 0) text += cat(key, ": ", value, "\n");
  }
  return text;
}

template <class Value>
Value ask(id object, const char* selector) {
  return reinterpret_cast<Value (*)(id, SEL)>(objc_msgSend)(object, sel_registerName(selector));
}

std::string metal_text() {
  const id device = MTLCreateSystemDefaultDevice();
  if (device == nullptr) return {};
  const id name = ask<id>(device, "name");
  const char* words = name == nullptr ? "" : ask<const char*>(name, "UTF8String");
  const auto limit = ask<std::uint64_t>(device, "recommendedMaxWorkingSetSize");
  const bool unified = ask<bool>(device, "hasUnifiedMemory");
  std::string text = cat(R"({"name": ")", replace_all(words, "\"", ""), R"(", "hasUnifiedMemory": )",
                         unified ? "true" : "false", R"(, "recommendedMaxWorkingSetSize": )", limit, "}");
  ask<void>(device, "release");
  return text;
}

}  // namespace

std::optional<MacTexts> ask_this_mac() { return MacTexts{.sysctl = sysctl_text(), .metal = metal_text()}; }

}  // namespace rbee::device
