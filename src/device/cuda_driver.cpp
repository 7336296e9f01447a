#include "device/cuda_driver.h"

#include "base/text.h"
#include "device/nvml.h"

#include <algorithm>
#include <array>

namespace rbee::device {
namespace {

// The driver's binary interface (cuda.h), as far as it is used.
struct Uuid {
  unsigned char bytes[16];
};
static_assert(sizeof(Uuid) == 16);
static_assert(sizeof(std::size_t) == 8, "cuDeviceTotalMem_v2 writes 64 bits");

using Init = int(unsigned);
using Number = int(int*);
using DeviceAt = int(int*, int);
using Text = int(char*, int, int);
using GetUuid = int(Uuid*, int);
using TotalMemory = int(std::size_t*, int);
using Attribute = int(int*, int, int);

constexpr int ok = 0;
constexpr int integrated = 18;
constexpr int pci_bus = 33;
constexpr int pci_slot = 34;
constexpr int memory_clock = 36;
constexpr int bus_width = 37;
constexpr int pci_domain = 50;
constexpr int capability_major = 75;
constexpr int capability_minor = 76;
constexpr int longest_text_bytes = 128;
constexpr int most_devices = 256;

class Cuda {
 public:
  explicit Cuda(const Library& library) : library_(library) {}

  template <class Function, class... Arguments>
  int call(const char* name, Arguments... arguments) const {
    auto* function = library_.find<Function>(name);
    constexpr int not_found = 500;
    return function == nullptr ? not_found : function(arguments...);
  }
  [[nodiscard]] std::optional<int> attribute(int which, int device) const {
    int value = 0;
    if (call<Attribute>("cuDeviceGetAttribute", &value, which, device) != ok) return std::nullopt;
    return value;
  }
  [[nodiscard]] std::string text(const char* name, int device) const {
    std::array<char, longest_text_bytes + 1> text{};
    if (call<Text>(name, text.data(), longest_text_bytes, device) != ok) return {};
    return std::string(trim(text.data()));
  }

 private:
  const Library& library_;
};

std::string hex(int number, std::size_t digits) {
  std::string text;
  for (; number > 0; number /= 16) text.insert(text.begin(), "0123456789abcdef"[number % 16]);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

std::string pci_of(const Cuda& api, int device) {
  std::string pci = pci_address(api.text("cuDeviceGetPCIBusId", device));
  if (!pci.empty()) return pci;
  const auto bus = api.attribute(pci_bus, device);
  const auto slot = api.attribute(pci_slot, device);
  const auto domain = api.attribute(pci_domain, device);
  if (!bus || !slot) return {};
  return cat(hex(domain.value_or(0), 4), ":", hex(*bus, 2), ":", hex(*slot, 2), ".0");
}

CudaDevice read_device(const Cuda& api, int device) {
  CudaDevice found;
  found.name = api.text("cuDeviceGetName", device);
  Uuid uuid{};
  if (api.call<GetUuid>("cuDeviceGetUuid_v2", &uuid, device) == ok ||
      api.call<GetUuid>("cuDeviceGetUuid", &uuid, device) == ok)
    found.uuid = uuid_text(uuid.bytes);
  std::size_t total = 0;
  if (api.call<TotalMemory>("cuDeviceTotalMem_v2", &total, device) == ok) found.total = total;
  found.pci = pci_of(api, device);
  found.major = api.attribute(capability_major, device);
  found.minor = api.attribute(capability_minor, device);
  found.integrated = api.attribute(integrated, device).value_or(0) == 1;
  found.memory_clock_khz = api.attribute(memory_clock, device);
  found.bus_width_bits = api.attribute(bus_width, device);
  return found;
}

bool ask_library(const Library& library, CudaFacts& facts) {
  const Cuda api(library);
  facts = CudaFacts{};
  facts.library = library.path();
  (void)api.call<Number>("cuDriverGetVersion", &facts.version);
  facts.code = api.call<Init>("cuInit", 0u);
  int count = 0;
  if (facts.code == ok) facts.code = api.call<Number>("cuDeviceGetCount", &count);
  if (facts.code != ok) {
    facts.failure = cuda_code_text(facts.code);
    return false;
  }
  for (int index = 0; index < std::min(count, most_devices); ++index) {
    int device = 0;
    if (api.call<DeviceAt>("cuDeviceGet", &device, index) == ok)
      facts.devices.push_back(read_device(api, device));
  }
  return true;
}

}  // namespace

CudaFacts ask_cuda(const LibraryPlaces& places) {
  return ask_candidates<CudaFacts>(places, "libcuda.so.1", ask_library);
}

std::string cuda_code_text(int code) {
  switch (code) {
    case 3: return "the CUDA driver is not initialised";
    case 100: return "the CUDA driver sees no device (cuInit: 100)";
    case 101: return "the CUDA driver names a bad device (cuInit: 101)";
    case 500: return "libcuda.so.1 is too old: it lacks a function";
    case 802: return "the system is not ready (cuInit: 802): the fabric manager does not run";
    case 803: return "the CUDA library and the kernel module have different versions (cuInit: 803)";
    case 804: return "the CUDA compatibility library does not support this card (cuInit: 804)";
    default: return cat("the CUDA driver does not initialise (cuInit: ", code, ")");
  }
}

std::string cuda_version_text(int version) { return cat(version / 1000, ".", (version % 1000) / 10); }

std::string uuid_text(const unsigned char (&bytes)[16]) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

}  // namespace rbee::device
