// libvulkan.so.1 that answers from vulkan.txt beside it, with Vulkan's own structures:
//   create CODE
//   gpu name=..|type=2|driver=3|vendor=0x1002|device=0x744c|uuid=..|pci=0:3:0:0|heap=..|budget=..|usage=..
// `pci` and `budget` are what the device has the extensions for.
#include "description.h"

#include <stdint.h>

typedef const char* PhysicalDevice;
typedef struct Base {
  int type;
  struct Base* next;
} Base;
typedef struct {
  uint32_t api_version, driver_version, vendor_id, device_id;
  int type;
  char name[256];
  uint8_t cache_uuid[16];
  uint64_t limits[63];
  uint32_t sparse[5];
} Properties;
typedef struct {
  Base base;
  Properties properties;
} Properties2;
typedef struct {
  Base base;
  uint8_t device_uuid[16], driver_uuid[16], luid[8];
  uint32_t mask, valid;
} IdProperties;
typedef struct {
  Base base;
  int driver_id;
  char name[256], info[256];
  uint8_t conformance[4];
} DriverProperties;
typedef struct {
  Base base;
  uint32_t domain, bus, device, function;
} PciBusInfo;
typedef struct {
  uint32_t type_count;
  struct {
    uint32_t flags, heap;
  } types[32];
  uint32_t heap_count;
  struct {
    uint64_t size;
    uint32_t flags;
  } heaps[16];
} MemoryProperties;
typedef struct {
  Base base;
  MemoryProperties memory;
} MemoryProperties2;
typedef struct {
  Base base;
  uint64_t budget[16], usage[16];
} MemoryBudget;
typedef struct {
  char name[256];
  uint32_t version;
} ExtensionProperties;
_Static_assert(sizeof(Properties) == 824, "VkPhysicalDeviceProperties");
_Static_assert(sizeof(MemoryProperties) == 520, "VkPhysicalDeviceMemoryProperties");
_Static_assert(sizeof(DriverProperties) == 536, "VkPhysicalDeviceDriverProperties");
_Static_assert(sizeof(MemoryBudget) == 272, "VkPhysicalDeviceMemoryBudgetPropertiesEXT");

enum { success = 0, incomplete = 5 };

int vkEnumerateInstanceVersion(uint32_t* out) {
  *out = (1u << 22) | (3u << 12);
  return success;
}
int vkCreateInstance(const void* info, const void* allocator, void** out) {
  (void)info;
  (void)allocator;
  read_description("vulkan.txt");
  *out = lines;
  return (int)number("create", 0);
}
void vkDestroyInstance(void* instance, const void* allocator) {
  (void)instance;
  (void)allocator;
}
int vkEnumeratePhysicalDevices(void* instance, uint32_t* size, PhysicalDevice* out) {
  (void)instance;
  const uint32_t all = (uint32_t)count("gpu");
  if (out != NULL) {
    for (uint32_t i = 0; i < *size && i < all; ++i) out[i] = nth_value("gpu", (int)i);
  }
  const int code = out != NULL && *size < all ? incomplete : success;
  if (out == NULL || *size > all) *size = all;
  return code;
}
static int has(PhysicalDevice device, const char* name) {
  char value[64];
  return field(device, name, value, sizeof value);
}
int vkEnumerateDeviceExtensionProperties(PhysicalDevice device, const char* layer, uint32_t* size,
                                         ExtensionProperties* out) {
  (void)layer;
  uint32_t found = 0;
  const char* names[2];
  if (has(device, "pci")) names[found++] = "VK_EXT_pci_bus_info";
  if (has(device, "budget")) names[found++] = "VK_EXT_memory_budget";
  for (uint32_t i = 0; out != NULL && i < found && i < *size; ++i)
    snprintf(out[i].name, sizeof out[i].name, "%s", names[i]);
  *size = found;
  return success;
}
void vkGetPhysicalDeviceProperties(PhysicalDevice device, Properties* out) {
  memset(out, 0, sizeof *out);
  out->api_version = (1u << 22) | (3u << 12) | 255;
  out->vendor_id = (uint32_t)field_number(device, "vendor", 0);
  out->device_id = (uint32_t)field_number(device, "device", 0);
  out->type = (int)field_number(device, "type", 0);
  field(device, "name", out->name, sizeof out->name);
}
void vkGetPhysicalDeviceProperties2(PhysicalDevice device, Properties2* out) {
  vkGetPhysicalDeviceProperties(device, &out->properties);
  for (Base* at = out->base.next; at != NULL; at = at->next) {
    char value[64];
    if (at->type == 1000071004 && field(device, "uuid", value, sizeof value))
      uuid_bytes(value, ((IdProperties*)at)->device_uuid);
    if (at->type == 1000196000) ((DriverProperties*)at)->driver_id = (int)field_number(device, "driver", 0);
    if (at->type == 1000212000 && field(device, "pci", value, sizeof value)) {
      PciBusInfo* pci = (PciBusInfo*)at;
      sscanf(value, "%x:%x:%x:%x", &pci->domain, &pci->bus, &pci->device, &pci->function);
    }
  }
}
void vkGetPhysicalDeviceMemoryProperties2(PhysicalDevice device, MemoryProperties2* out) {
  memset(&out->memory, 0, sizeof out->memory);
  out->memory.heap_count = 2;
  out->memory.heaps[0].size = (uint64_t)field_number(device, "heap", 0);
  out->memory.heaps[0].flags = 1;
  out->memory.heaps[1].size = (uint64_t)field_number(device, "host", 0);
  for (Base* at = out->base.next; at != NULL; at = at->next) {
    if (at->type != 1000237000) continue;
    ((MemoryBudget*)at)->budget[0] = (uint64_t)field_number(device, "budget", 0);
    ((MemoryBudget*)at)->usage[0] = (uint64_t)field_number(device, "usage", 0);
  }
}
