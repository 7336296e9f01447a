// libnvidia-ml.so.1 that answers from nvml.txt beside it, with NVML's own structures and codes:
//   init CODE | hang 1 | crash 1 | driver 535.161.07 | cuda 12020
//   gpu name=..|uuid=..|bus=00000000:01:00.0|total=..|free=..|reserved=..|cc=8.9|temp=..|power=..|load=..|
//       width=..|clock=..|mig=1|slots=7|code=15|lost=15|old=1
//   mig card=0|slot=2|name=..|uuid=..|total=..|free=..
// A field that is missing answers NOT_SUPPORTED; `lost` is the code of every question about that card. The
// description is read anew at each nvmlInit_v2() and, where it has `live 1`, at each question for a handle's
// memory; the cards that were asked for are written, by their addresses, to nvml.asked where that file is.
#include "description.h"

#include <stdint.h>
#include <strings.h>
#include <unistd.h>

typedef const char* Device;
typedef struct {
  char bus_id_legacy[16];
  uint32_t domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
} PciInfo;
typedef struct {
  uint64_t total, free, used;
} Memory;
typedef struct {
  uint32_t version;
  uint64_t total, reserved, free, used;
} MemoryV2;
typedef struct {
  uint32_t gpu, memory;
} Utilization;
_Static_assert(sizeof(PciInfo) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(Memory) == 24, "nvmlMemory_t");
_Static_assert(sizeof(MemoryV2) == 40, "nvmlMemory_v2_t");

enum { ok = 0, uninitialized = 1, not_supported = 3, not_found = 6, version_mismatch = 25 };
static int initialized;

static void begin(void) { read_description("nvml.txt"); }

static void note(Device device) {
  char path[4096];
  char bus[32];
  if (!beside("nvml.asked", path, sizeof path) || !field(device, "bus", bus, sizeof bus)) return;
  FILE* file = fopen(path, "r+");
  if (file == NULL) return;
  fseek(file, 0, SEEK_END);
  fprintf(file, "%s\n", bus);
  fclose(file);
}

int nvmlInit_v2(void) {
  line_count = -1;
  begin();
  if (number("crash", 0)) abort();
  if (number("hang", 0)) pause();
  const int code = (int)number("init", 0);
  initialized = code == ok;
  return code;
}
int nvmlShutdown(void) { return ok; }

static int text(const char* value, char* out, uint32_t size) {
  if (value == NULL) return not_supported;
  snprintf(out, size, "%s", value);
  return ok;
}
int nvmlSystemGetDriverVersion(char* out, uint32_t size) {
  return initialized ? text(nth_value("driver", 0), out, size) : uninitialized;
}
int nvmlSystemGetCudaDriverVersion_v2(int* out) {
  *out = (int)number("cuda", 0);
  return *out == 0 ? not_supported : ok;
}
int nvmlDeviceGetCount_v2(uint32_t* out) {
  if (!initialized) return uninitialized;
  *out = (uint32_t)count("gpu");
  return ok;
}
int nvmlDeviceGetHandleByIndex_v2(uint32_t index, Device* out) {
  *out = nth_value("gpu", (int)index);
  return *out == NULL ? 2 : (int)field_number(*out, "code", 0);
}

// Given as "0000:01:00.0" and written as "00000000:01:00.0".
int nvmlDeviceGetHandleByPciBusId_v2(const char* pci, Device* out) {
  for (int i = 0; i < count("gpu"); ++i) {
    char bus[32];
    const char* one = nth_value("gpu", i);
    if (!field(one, "bus", bus, sizeof bus) || strlen(bus) < 12) continue;
    if (strcasecmp(bus + strlen(bus) - 12, pci) != 0) continue;
    note(one);
    *out = one;
    return (int)field_number(one, "code", 0);
  }
  return not_found;
}

static int field_text(Device device, const char* name, char* out, uint32_t size) {
  return field(device, name, out, size) ? ok : not_supported;
}
int nvmlDeviceGetName(Device device, char* out, uint32_t size) {
  return field_text(device, "name", out, size);
}
int nvmlDeviceGetUUID(Device device, char* out, uint32_t size) {
  return field_text(device, "uuid", out, size);
}
int nvmlDeviceGetPciInfo_v3(Device device, PciInfo* out) {
  memset(out, 0, sizeof *out);
  return field_text(device, "bus", out->bus_id, sizeof out->bus_id);
}
static int lost(Device device) { return (int)field_number(device, "lost", 0); }
int nvmlDeviceGetMemoryInfo(Device device, Memory* out) {
  if (lost(device)) return lost(device);
  const long long total = field_number(device, "total", -1);
  if (total < 0) return not_supported;
  out->total = (uint64_t)total;
  out->free = (uint64_t)field_number(device, "free", total);
  out->used = out->total - out->free;
  return ok;
}
int nvmlDeviceGetMemoryInfo_v2(Device device, MemoryV2* out) {
  // A handle points to its line, which keeps its place.
  if (number("live", 0)) {
    line_count = -1;
    begin();
    if (number("hang", 0)) pause();
    if (number("crash", 0)) abort();
  }
  note(device);
  if (lost(device)) return lost(device);
  if (field_number(device, "old", 0)) return 13;
  if (out->version != 0x02000028) return version_mismatch;
  const long long total = field_number(device, "total", -1);
  if (total < 0) return not_supported;
  out->total = (uint64_t)total;
  out->free = (uint64_t)field_number(device, "free", total);
  out->reserved = (uint64_t)field_number(device, "reserved", 0);
  out->used = out->total - out->free - out->reserved;
  return ok;
}
int nvmlDeviceGetCudaComputeCapability(Device device, int* major, int* minor) {
  char value[16];
  if (!field(device, "cc", value, sizeof value)) return not_supported;
  return sscanf(value, "%d.%d", major, minor) == 2 ? ok : not_supported;
}

static int field_value(Device device, const char* name, uint32_t* out) {
  if (lost(device)) return lost(device);
  const long long value = field_number(device, name, -1);
  if (value < 0) return not_supported;
  *out = (uint32_t)value;
  return ok;
}
int nvmlDeviceGetTemperature(Device device, int sensor, uint32_t* out) {
  return sensor != 0 ? 2 : field_value(device, "temp", out);
}
int nvmlDeviceGetPowerUsage(Device device, uint32_t* out) { return field_value(device, "power", out); }
int nvmlDeviceGetUtilizationRates(Device device, Utilization* out) {
  out->memory = 0;
  return field_value(device, "load", &out->gpu);
}
int nvmlDeviceGetMemoryBusWidth(Device device, uint32_t* out) { return field_value(device, "width", out); }
int nvmlDeviceGetMaxClockInfo(Device device, int clock, uint32_t* out) {
  return clock != 2 ? 2 : field_value(device, "clock", out);
}
int nvmlDeviceGetMigMode(Device device, uint32_t* now, uint32_t* later) {
  *later = 0;
  return field_value(device, "mig", now);
}
int nvmlDeviceGetMaxMigDeviceCount(Device device, uint32_t* out) { return field_value(device, "slots", out); }
int nvmlDeviceGetMigDeviceHandleByIndex(Device device, uint32_t slot, Device* out) {
  for (int i = 0; i < count("mig"); ++i) {
    const char* one = nth_value("mig", i);
    const char* card = nth_value("gpu", (int)field_number(one, "card", 0));
    if (card != device || field_number(one, "slot", -1) != (long long)slot) continue;
    *out = one;
    return ok;
  }
  return not_found;
}
