#include "hive/kept_machine.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

const device::ProbeOptions here{};

KeptMachine one_card() {
  KeptMachine kept;
  kept.at_unix_ms = 1'800'000'000'000;
  kept.machine.hostname = "pc";
  kept.machine.devices.push_back({.id = "GPU-a", .name = "RTX 4090", .vendor = "NVIDIA", .backends = {}});
  return kept;
}

TEST(KeptMachine, ComesBackAsItWas) {
  const auto back = parse_kept_machine(kept_machine_text(one_card(), here), here);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->machine.hostname, "pc");
  EXPECT_EQ(back->machine.devices.at(0).id, "GPU-a");
  EXPECT_EQ(age_text(*back, back->at_unix_ms + 5'000), cat(duration_text(5), " ago"));
  EXPECT_EQ(age_text(*back, back->at_unix_ms + 3 * 3'600'000), "3 hours ago");
  EXPECT_EQ(age_text(*back, back->at_unix_ms + 72 * 3'600'000), "3 days ago");
  EXPECT_EQ(age_text(*back, 0), "some time ago");
}

TEST(KeptMachine, AnotherMachineToLookAtIsNotThisOne) {
  device::ProbeOptions elsewhere{.root = "/described"};
  EXPECT_FALSE(parse_kept_machine(kept_machine_text(one_card(), here), elsewhere));
  device::ProbeOptions libraries{.library_folders = std::vector<std::string>{"/libs"}};
  EXPECT_FALSE(parse_kept_machine(kept_machine_text(one_card(), here), libraries));
}

TEST(KeptMachine, ATextThatIsNoneIsNothing) {
  for (const char* text : {"", "{}", "[1]", R"({"looked_at": "/", "at_unix_ms": 1})",
                           R"({"looked_at": "/", "at_unix_ms": 1, "machine": {"devices": [{"name": 3}]}})"})
    EXPECT_FALSE(parse_kept_machine(text, here)) << text;
}

}  // namespace
}  // namespace rbee::hive
