// libcuda.so.1 that answers from cuda.txt beside it:
//   init CODE | version 12020
//   gpu name=..|uuid=8-4-4-4-12|bus=0000:01:00.0|total=..|cc=8.9|integrated=1
#include "description.h"

typedef struct {
  unsigned char bytes[16];
} Uuid;
_Static_assert(sizeof(Uuid) == 16, "CUuuid");

enum { ok = 0, not_initialized = 3, bad_device = 101, no_value = 1 };
static int initialized;

int cuInit(unsigned flags) {
  read_description("cuda.txt");
  const int code = flags != 0 ? no_value : (int)number("init", 0);
  initialized = code == ok;
  return code;
}
int cuDriverGetVersion(int* out) {
  read_description("cuda.txt");
  *out = (int)number("version", 0);
  return ok;
}
int cuDeviceGetCount(int* out) {
  *out = count("gpu");
  return initialized ? ok : not_initialized;
}
int cuDeviceGet(int* out, int index) {
  *out = index;
  return nth_value("gpu", index) == NULL ? bad_device : ok;
}
static int text(int device, const char* name, char* out, int size) {
  const char* line = nth_value("gpu", device);
  return line != NULL && field(line, name, out, (size_t)size) ? ok : no_value;
}
int cuDeviceGetName(char* out, int size, int device) { return text(device, "name", out, size); }
int cuDeviceGetPCIBusId(char* out, int size, int device) { return text(device, "bus", out, size); }
int cuDeviceGetUuid_v2(Uuid* out, int device) {
  char value[64];
  if (text(device, "uuid", value, sizeof value) != ok) return no_value;
  uuid_bytes(value, out->bytes);
  return ok;
}
int cuDeviceTotalMem_v2(size_t* out, int device) {
  *out = (size_t)field_number(nth_value("gpu", device), "total", 0);
  return ok;
}
int cuDeviceGetAttribute(int* out, int attribute, int device) {
  char value[16];
  int major = 0;
  int minor = 0;
  if (attribute == 18) {
    *out = (int)field_number(nth_value("gpu", device), "integrated", 0);
    return ok;
  }
  if (text(device, "cc", value, sizeof value) != ok || sscanf(value, "%d.%d", &major, &minor) != 2)
    return no_value;
  *out = attribute == 75 ? major : minor;
  return attribute == 75 || attribute == 76 ? ok : no_value;
}
