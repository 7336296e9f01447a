#include "device/cpu_watch.h"

#include "base/text.h"
#include "device/cpu.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rbee::device {
namespace {

// The drivers of the sensor within a processor: Intel's, AMD's (two), ARM boards' and IBM's.
constexpr auto sensor_names =
    std::to_array<std::string_view>({"coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal"});

std::string find_sensor(const RootedFiles& files) {
  for (const std::string& name : files.list("/sys/class/hwmon")) {
    const std::string folder = cat("/sys/class/hwmon/", name);
    const std::string driver = files.word(cat(folder, "/name")).value_or("");
    if (std::find(sensor_names.begin(), sensor_names.end(), driver) == sensor_names.end()) continue;
    // The first is the package's (coretemp) or the one that cooling goes by (k10temp's Tctl).
    if (files.exists(cat(folder, "/temp1_input"))) return cat(folder, "/temp1_input");
  }
  return {};
}

}  // namespace

CpuWatch::CpuWatch(RootedFiles files) : files_(std::move(files)), sensor_(find_sensor(files_)) {
  has_memory_limit_ = understand_cpu(read_cpu_texts(files_)).memory_limit_bytes.has_value();
}

CpuFigures CpuWatch::look() {
  CpuTexts texts{.cpuinfo = {}, .meminfo = files_.text("/proc/meminfo"), .online = {}, .cgroups = {}};
  if (has_memory_limit_) texts.cgroups = read_memory_groups(files_);
  const Cpu cpu = understand_cpu(texts);
  CpuFigures figures{.memory_bytes = cpu.memory_bytes, .available_bytes = cpu.available_bytes};
  std::string stat = files_.text("/proc/stat");
  figures.load_percent = cpu_load(stat_, stat);
  stat_ = std::move(stat);
  if (sensor_.empty()) return figures;
  if (const auto millidegrees = files_.number(sensor_))
    figures.temperature_c = static_cast<double>(*millidegrees) / 1000;
  return figures;
}

}  // namespace rbee::device
