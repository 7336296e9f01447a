// A stand-in library reads what it should say from a text file that lies beside it: lines of `key value`, and
// for each device a line `KIND field=value|field=value`. A link to the library in a folder of its own, with
// that file, is one vendor's driver of one machine.
#ifndef RBEE_STAND_IN_DESCRIPTION_H
#define RBEE_STAND_IN_DESCRIPTION_H

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { most_lines = 64, longest_line = 1024 };

static char lines[most_lines][longest_line];
static int line_count = -1;

// The path of a file beside the library; 0 where that cannot be told.
static inline int beside(const char* name, char* path, size_t size) {
  Dl_info info;
  if (dladdr((void*)&line_count, &info) == 0) return 0;
  snprintf(path, size, "%s", info.dli_fname);
  char* slash = strrchr(path, '/');
  if (slash == NULL) return 0;
  snprintf(slash + 1, size - (size_t)(slash + 1 - path), "%s", name);
  return 1;
}

static void read_description(const char* name) {
  if (line_count >= 0) return;
  line_count = 0;
  char path[4096];
  if (!beside(name, path, sizeof path)) return;
  FILE* file = fopen(path, "r");
  if (file == NULL) return;
  while (line_count < most_lines && fgets(lines[line_count], longest_line, file) != NULL) {
    lines[line_count][strcspn(lines[line_count], "\n")] = 0;
    ++line_count;
  }
  fclose(file);
}

// The text after `key ` of the n-th line that has that key; NULL where there is none.
static const char* nth_value(const char* key, int n) {
  const size_t length = strlen(key);
  for (int i = 0; i < line_count; ++i) {
    if (strncmp(lines[i], key, length) == 0 && lines[i][length] == ' ' && n-- == 0)
      return lines[i] + length + 1;
  }
  return NULL;
}

static inline long number(const char* key, long otherwise) {
  const char* value = nth_value(key, 0);
  return value == NULL ? otherwise : strtol(value, NULL, 0);
}

static inline int count(const char* key) {
  int found = 0;
  while (nth_value(key, found) != NULL) ++found;
  return found;
}

// The value of a field of a device's line, in a buffer of the caller's; 0 where it has no such field.
static inline int field(const char* device, const char* name, char* out, size_t size) {
  const size_t length = strlen(name);
  for (const char* at = device; at != NULL; at = strchr(at, '|') == NULL ? NULL : strchr(at, '|') + 1) {
    if (strncmp(at, name, length) != 0 || at[length] != '=') continue;
    const size_t end = strcspn(at + length + 1, "|");
    snprintf(out, size, "%.*s", (int)end, at + length + 1);
    return 1;
  }
  return 0;
}

static inline long long field_number(const char* device, const char* name, long long otherwise) {
  char text[64];
  return field(device, name, text, sizeof text) ? strtoll(text, NULL, 0) : otherwise;
}

// "01020304-..." as bytes.
static inline void uuid_bytes(const char* text, unsigned char out[16]) {
  int i = 0;
  for (const char* at = text; *at != 0 && i < 16;) {
    unsigned byte = 0;
    if (*at == '-') {
      ++at;
    } else if (sscanf(at, "%2x", &byte) == 1) {
      out[i++] = (unsigned char)byte;
      at += 2;
    } else {
      return;
    }
  }
}

#endif
