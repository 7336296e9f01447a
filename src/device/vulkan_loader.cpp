#include "device/vulkan_loader.h"

#include "base/text.h"
#include "device/cuda_driver.h"
#include "device/vulkan_api.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace rbee::device {
namespace {

constexpr std::uint32_t most_devices = 64;
constexpr std::uint32_t most_heaps = 16;
constexpr std::uint32_t most_extensions = 4096;

class Loader {
 public:
  explicit Loader(const Library& library) : library_(library) {
    get_ = reinterpret_cast<vk::GetInstanceProcAddr>(library.find<void>("vkGetInstanceProcAddr"));
  }
  void set_instance(vk::Instance instance) { instance_ = instance; }

  // Of the library itself, else what the loader hands out.
  template <class Function>
  [[nodiscard]] Function* find(const char* name) const {
    if (auto* function = library_.find<Function>(name)) return function;
    return get_ == nullptr ? nullptr : reinterpret_cast<Function*>(get_(instance_, name));
  }

 private:
  const Library& library_;
  vk::GetInstanceProcAddr get_ = nullptr;
  vk::Instance instance_ = nullptr;
};

template <std::size_t N>
std::string bounded_text(const char (&text)[N]) {
  return std::string(trim(std::string_view(text, ::strnlen(text, N))));
}

std::vector<std::string> extensions_of(const Loader& loader, vk::PhysicalDevice device) {
  std::vector<std::string> names;
  auto* enumerate = loader.find<vk::EnumerateExtensions>("vkEnumerateDeviceExtensionProperties");
  std::uint32_t count = 0;
  if (enumerate == nullptr || enumerate(device, nullptr, &count, nullptr) != vk::success) return names;
  count = std::min(count, most_extensions);
  std::vector<vk::ExtensionProperties> properties(count);
  const int code = enumerate(device, nullptr, &count, properties.data());
  if (code != vk::success && code != vk::incomplete) return names;
  properties.resize(std::min<std::size_t>(count, properties.size()));
  for (const vk::ExtensionProperties& one : properties) names.push_back(bounded_text(one.name));
  return names;
}

bool has(const std::vector<std::string>& extensions, std::string_view name) {
  return std::find(extensions.begin(), extensions.end(), name) != extensions.end();
}

std::string version_text(std::uint32_t version) {
  return cat((version >> 22) & 0x7f, ".", (version >> 12) & 0x3ff, ".", version & 0xfff);
}

std::string hex(std::uint32_t number, std::size_t digits) {
  std::string text;
  for (; number > 0; number /= 16) text.insert(text.begin(), "0123456789abcdef"[number % 16]);
  if (text.size() < digits) text.insert(0, digits - text.size(), '0');
  return text;
}

void take_properties(const vk::PhysicalDeviceProperties& properties, VulkanFound& found) {
  found.name = bounded_text(properties.name);
  found.vendor_id = properties.vendor_id;
  found.device_id = properties.device_id;
  found.type = properties.type;
  found.version = version_text(properties.api_version);
}

void read_properties(const Loader& loader, vk::PhysicalDevice device,
                     const std::vector<std::string>& extensions, VulkanFound& found) {
  vk::PhysicalDeviceProperties first{};
  if (auto* get = loader.find<vk::GetProperties>("vkGetPhysicalDeviceProperties")) get(device, &first);
  take_properties(first, found);
  auto* get2 = loader.find<vk::GetProperties2>("vkGetPhysicalDeviceProperties2");
  if (get2 == nullptr) return;
  vk::PciBusInfo pci{
      .type = vk::type_pci_bus_info, .next = nullptr, .domain = 0, .bus = 0, .device = 0, .function = 0};
  const bool has_pci = has(extensions, "VK_EXT_pci_bus_info");
  vk::DriverProperties driver{};
  driver.type = vk::type_driver;
  driver.next = has_pci ? &pci : nullptr;
  const bool has_driver = first.api_version == 0 || first.api_version >= vk::version_1_2 ||
                          has(extensions, "VK_KHR_driver_properties");
  vk::IdProperties id{};
  id.type = vk::type_id;
  id.next = has_driver ? static_cast<void*>(&driver) : driver.next;
  const auto all = std::make_unique<vk::PhysicalDeviceProperties2>();
  all->type = vk::type_properties2;
  all->next = &id;
  get2(device, all.get());
  take_properties(all->properties, found);
  const std::uint8_t none[16] = {};
  if (std::memcmp(id.device_uuid, none, sizeof none) != 0) found.uuid = uuid_text(id.device_uuid);
  if (has_driver) {
    found.driver = driver.driver_id;
    found.driver_name = bounded_text(driver.name);
  }
  if (has_pci)
    found.pci =
        cat(hex(pci.domain, 4), ":", hex(pci.bus, 2), ":", hex(pci.device, 2), ".", hex(pci.function, 1));
}

void read_heaps(const Loader& loader, vk::PhysicalDevice device, const std::vector<std::string>& extensions,
                VulkanFound& found) {
  vk::MemoryBudget budget{};
  budget.type = vk::type_memory_budget;
  const bool has_budget = has(extensions, "VK_EXT_memory_budget");
  vk::MemoryProperties2 all{};
  all.type = vk::type_memory_properties2;
  all.next = has_budget ? &budget : nullptr;
  if (auto* get2 = loader.find<vk::GetMemory2>("vkGetPhysicalDeviceMemoryProperties2")) {
    get2(device, &all);
  } else if (auto* get = loader.find<vk::GetMemory>("vkGetPhysicalDeviceMemoryProperties")) {
    get(device, &all.memory);
  }
  for (std::uint32_t i = 0; i < std::min(all.memory.heap_count, most_heaps); ++i) {
    const vk::MemoryHeap& heap = all.memory.heaps[i];
    found.heaps.push_back({.size = heap.size,
                           .device_local = (heap.flags & vk::device_local) != 0,
                           .budget = has_budget ? budget.budget[i] : 0,
                           .usage = has_budget ? budget.usage[i] : 0});
  }
}

std::string list_devices(const Loader& loader, vk::Instance instance, VulkanFacts& facts) {
  auto* enumerate = loader.find<vk::EnumeratePhysicalDevices>("vkEnumeratePhysicalDevices");
  if (enumerate == nullptr) return "the Vulkan loader lacks vkEnumeratePhysicalDevices";
  std::uint32_t count = 0;
  int code = enumerate(instance, &count, nullptr);
  if (code != vk::success) return cat("the Vulkan loader cannot list devices (code ", code, ")");
  count = std::min(count, most_devices);
  std::vector<vk::PhysicalDevice> devices(count);
  if (count > 0) code = enumerate(instance, &count, devices.data());
  if (code != vk::success && code != vk::incomplete)
    return cat("the Vulkan loader cannot list devices (code ", code, ")");
  devices.resize(std::min<std::size_t>(count, devices.size()));
  for (std::size_t i = 0; i < devices.size(); ++i) {
    VulkanFound found;
    found.index = static_cast<int>(i);
    const std::vector<std::string> extensions = extensions_of(loader, devices[i]);
    read_properties(loader, devices[i], extensions, found);
    read_heaps(loader, devices[i], extensions, found);
    facts.devices.push_back(std::move(found));
  }
  return {};
}

bool ask_library(const Library& library, VulkanFacts& facts) {
  facts = VulkanFacts{};
  facts.library = library.path();
  Loader loader(library);
  auto* create = loader.find<vk::CreateInstance>("vkCreateInstance");
  if (create == nullptr) {
    facts.failure = "the Vulkan loader lacks vkCreateInstance";
    return false;
  }
  std::uint32_t version = vk::version_1_1;
  if (auto* get_version = loader.find<vk::EnumerateInstanceVersion>("vkEnumerateInstanceVersion")) {
    (void)get_version(&version);
    if (version < vk::version_1_1) {
      facts.failure = cat("the Vulkan loader is too old (", version_text(version), ", 1.1 is needed)");
      return false;
    }
  }
  const vk::ApplicationInfo application{.type = vk::type_application_info,
                                        .next = nullptr,
                                        .application_name = "rbee",
                                        .application_version = 1,
                                        .engine_name = nullptr,
                                        .engine_version = 0,
                                        .api_version = std::min(version, vk::version_1_2)};
  vk::InstanceCreateInfo info{};
  info.type = vk::type_instance_create_info;
  info.application = &application;
  vk::Instance instance = nullptr;
  const int code = create(&info, nullptr, &instance);
  if (code != vk::success || instance == nullptr) {
    constexpr int incompatible_driver = -9;
    facts.failure = code == incompatible_driver
                        ? std::string("no Vulkan driver is installed (vkCreateInstance: -9)")
                        : cat("Vulkan does not initialise (vkCreateInstance: ", code, ")");
    return false;
  }
  loader.set_instance(instance);
  facts.failure = list_devices(loader, instance, facts);
  if (auto* destroy = loader.find<vk::DestroyInstance>("vkDestroyInstance")) destroy(instance, nullptr);
  return facts.failure.empty();
}

}  // namespace

VulkanFacts ask_vulkan(const LibraryPlaces& places) {
  return ask_candidates<VulkanFacts>(places, "libvulkan.so.1", ask_library);
}

}  // namespace rbee::device
