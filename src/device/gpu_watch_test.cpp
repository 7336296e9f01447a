// The live figures of machines that are described in folders, with the stand-in NVML.
#include "device/gpu_watch.h"

#include "base/file.h"
#include "device/cpu_watch.h"
#include "device/described_machine.h"
#include "domain/machine_figures.h"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::device {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::string_view nvidia_pci = "0000:01:00.0";
constexpr std::string_view amd_pci = "0000:03:00.0";

std::string nvidia_card(std::string_view more) {
  return cat("live 1\ngpu name=RTX 4090|uuid=GPU-a|bus=00000000:01:00.0|total=25757220864|cc=8.9|", more,
             "\n");
}

// A card of each vendor in one box.
class TwoCards {
 public:
  TwoCards() {
    machine.pc("Ryzen", 8, 64).card(nvidia_pci, "0x10de", "0x2684", "nvidia");
    machine.card(amd_pci, "0x1002", "0x744c", "amdgpu").amdgpu(amd_pci, "mem_info_vram_total", "25753026560");
    machine.amdgpu(amd_pci, "mem_info_vram_used", "1000").amdgpu(amd_pci, "board_info", "x");
    machine.amdgpu(amd_pci, "gpu_busy_percent", "7")
        .amdgpu(amd_pci, "hwmon/hwmon3/power1_average", "31000000");
    machine.amdgpu(amd_pci, "hwmon/hwmon3/temp1_input", "45000");
    machine.library("nvml", nvidia_card("free=20000000000|temp=61|power=250000|load=93"));
    machine.file_beside("nvml.asked", "");
  }
  void nvml(std::string_view text) { machine.file_beside("nvml.txt", text); }
  void power(std::string_view pci, std::string_view control, std::string_view status) {
    machine.amdgpu(pci, "power/control", control).amdgpu(pci, "power/runtime_status", status);
  }
  // How often NVML was asked for a card since the last look here.
  std::size_t asked() {
    const std::string text = machine.text_beside("nvml.asked");
    machine.file_beside("nvml.asked", "");
    return split(text, '\n').size() - 1;
  }

  DescribedMachine machine;
  Instant now{1000s};
};

TEST(GpuWatch, TellsMemoryLoadTemperatureAndPowerOfEachCard) {
  TwoCards box;
  Machine machine = box.machine.detect().machine;
  GpuWatch watch(box.machine.options());
  box.nvml(nvidia_card("free=1000|temp=70|power=300500|load=100"));
  box.machine.amdgpu(amd_pci, "mem_info_vram_used", "25753026560");
  apply_figures(*parse_figures(figures_line(watch.look(box.now))), machine);
  const Device& nvidia = machine.devices[0];
  EXPECT_EQ(nvidia.free_bytes, 1000u);
  EXPECT_EQ(nvidia.usable_bytes, 1000u);
  EXPECT_EQ(nvidia.temperature_c, 70);
  EXPECT_EQ(nvidia.power_w, 300.5);
  EXPECT_EQ(nvidia.load_percent, 100);
  const Device& amd = machine.devices[1];
  EXPECT_EQ(amd.free_bytes, 0u);
  EXPECT_EQ(amd.temperature_c, 45);
  EXPECT_EQ(amd.power_w, 31);
  EXPECT_EQ(amd.load_percent, 7);
}

TEST(GpuWatch, ACardThatSleepsIsNotAskedAnything) {
  TwoCards box;
  box.power(nvidia_pci, "auto", "suspended");
  box.power(amd_pci, "auto", "suspended");
  Machine machine = box.machine.detect().machine;
  (void)box.asked();
  GpuWatch watch(box.machine.options());
  // Unreadable in the way of a card that a read would wake: with another value it would show.
  box.machine.amdgpu(amd_pci, "gpu_busy_percent", "99");
  for (int i = 0; i < 100; ++i) {
    const Figures figures = watch.look(box.now += 1s);
    ASSERT_EQ(figures.gpus.size(), 2u);
    for (const GpuFigures& one : figures.gpus) {
      EXPECT_TRUE(one.asleep);
      EXPECT_EQ(one.load_percent, std::nullopt);
    }
  }
  EXPECT_EQ(box.asked(), 0u);
  box.power(nvidia_pci, "auto", "active");
  box.power(amd_pci, "auto", "active");
  apply_figures(watch.look(box.now += 1s), machine);
  EXPECT_EQ(machine.devices[0].load_percent, 93);
  EXPECT_EQ(machine.devices[1].load_percent, 99);
}

TEST(GpuWatch, ACardThatMaySleepIsLeftAloneWhenItIsIdle) {
  TwoCards box;
  box.power(nvidia_pci, "auto", "active");
  box.nvml(nvidia_card("free=25700000000|temp=30|load=0"));
  GpuWatch watch(box.machine.options());
  for (Milliseconds passed{0}; passed <= Rest::idle_before_rest; passed += 1s)
    (void)watch.look(box.now += 1s);
  (void)box.asked();
  for (Milliseconds passed{1s}; passed < Rest::rest_for; passed += 1s) (void)watch.look(box.now += 1s);
  EXPECT_EQ(box.asked(), 0u);
  (void)watch.look(box.now += 1s);
  EXPECT_GT(box.asked(), 0u) << "still awake after that: once, and then it is left alone again";
  (void)watch.look(box.now += 1s);
  EXPECT_EQ(box.asked(), 0u);
}

TEST(GpuWatch, ACardInUseIsAskedEachSecondThoughItMaySleep) {
  TwoCards box;
  box.power(nvidia_pci, "auto", "active");
  box.nvml(nvidia_card("free=20000000000|temp=30|load=0"));
  GpuWatch watch(box.machine.options());
  for (int i = 0; i < 60; ++i) {
    (void)watch.look(box.now += 1s);
    EXPECT_GT(box.asked(), 0u);
  }
}

TEST(GpuWatch, ALostCardIsGoneAndComesBack) {
  TwoCards box;
  Machine machine = box.machine.detect().machine;
  GpuWatch watch(box.machine.options());
  (void)watch.look(box.now);
  box.nvml(nvidia_card("free=1|lost=15"));
  const Figures figures = watch.look(box.now += 1s);
  EXPECT_EQ(find_figures(figures, machine.devices[0])->gone, "the GPU is lost: it has fallen off the bus");
  apply_figures(figures, machine);
  EXPECT_EQ(machine.devices[0].usable_bytes, 0u);
  EXPECT_EQ(machine.devices[0].free_bytes, std::nullopt);
  EXPECT_EQ(find_figures(figures, machine.devices[1])->gone, "");
  box.nvml(nvidia_card("free=5000"));
  apply_figures(watch.look(box.now += 1s), machine);
  EXPECT_EQ(machine.devices[0].usable_bytes, 5000u);
}

TEST(GpuWatch, AnNvmlThatStartsToFailIsATroubleAndNoLoss) {
  TwoCards box;
  Machine machine = box.machine.detect().machine;
  GpuWatch watch(box.machine.options());
  (void)watch.look(box.now);
  box.nvml(nvidia_card("free=1|lost=999"));
  const Figures figures = watch.look(box.now += 1s);
  EXPECT_EQ(find_figures(figures, machine.devices[0])->gone, "");
  EXPECT_EQ(find_figures(figures, machine.devices[0])->trouble, "NVML fails with code 999");
}

TEST(GpuWatch, AnNvmlThatDoesNotStartIsSaid) {
  TwoCards box;
  box.nvml(cat("init 9\n", nvidia_card("free=1")));
  GpuWatch watch(box.machine.options());
  EXPECT_EQ(watch.look(box.now).nvml_failure, "the NVIDIA driver is not loaded");
  box.nvml(nvidia_card("free=1"));
  EXPECT_EQ(watch.look(box.now += 1s).nvml_failure, "the NVIDIA driver is not loaded")
      << "not asked each second";
  EXPECT_EQ(watch.look(box.now += 10s).nvml_failure, "");
}

TEST(GpuWatch, ACardThatIsPulledOutIsGone) {
  TwoCards box;
  GpuWatch watch(box.machine.options());
  (void)watch.look(box.now);
  std::filesystem::remove_all(box.machine.root() / "sys/bus/pci/devices" / amd_pci);
  std::filesystem::remove_all(box.machine.root() / "sys/bus/pci/devices" / nvidia_pci);
  for (const GpuFigures& one : watch.look(box.now += 1s).gpus)
    EXPECT_THAT(one.gone, HasSubstr("not on its PCI bus"));
}

TEST(GpuWatch, AMachineWithoutGpusHasNoFigures) {
  DescribedMachine machine;
  machine.pc("Ryzen", 8, 64);
  const Figures figures = GpuWatch(machine.options()).look(Instant{});
  EXPECT_TRUE(figures.gpus.empty());
  EXPECT_EQ(figures.nvml_failure, "");
  EXPECT_FALSE(has_gpu_to_watch(machine.detect().machine));
}

TEST(GpuWatch, IntelsPowerIsTheEnergyOfTheTimeBetween) {
  DescribedMachine machine;
  machine.pc("Core", 8, 32).card("0000:03:00.0", "0x8086", "0x56a0", "xe");
  machine.amdgpu("0000:03:00.0", "hwmon/hwmon1/energy1_input", "1000000");
  GpuWatch watch(machine.options());
  EXPECT_EQ(watch.look(Instant{10s}).gpus[0].power_w, std::nullopt);
  machine.amdgpu("0000:03:00.0", "hwmon/hwmon1/energy1_input", "51000000");
  EXPECT_EQ(watch.look(Instant{12s}).gpus[0].power_w, 25);
}

TEST(GpuWatch, GarbageInSysfsIsNoFigure) {
  TwoCards box;
  for (const char* file :
       {"mem_info_vram_used", "gpu_busy_percent", "hwmon/hwmon3/power1_average", "hwmon/hwmon3/temp1_input"})
    box.machine.amdgpu(amd_pci, file, "-1\xff garbage");
  GpuWatch watch(box.machine.options());
  const Figures figures = watch.look(box.now);
  const GpuFigures& amd = figures.gpus.back();
  EXPECT_EQ(amd.vram_used, std::nullopt);
  EXPECT_EQ(amd.load_percent, std::nullopt);
  EXPECT_EQ(amd.power_w, std::nullopt);
  EXPECT_EQ(amd.temperature_c, std::nullopt);
}

TEST(Figures, PartitionsHaveTheirOwnMemoryAndTheCardsTemperature) {
  DescribedMachine machine;
  machine.pc("EPYC", 4, 64)
      .library(
          "nvml",
          "gpu "
          "name=A100|uuid=GPU-b|bus=00000000:07:00.0|total=42949672960|cc=8.0|mig=1|slots=7|temp=50|load=3\n"
          "mig card=0|slot=0|name=A100 MIG 1g.5gb|uuid=MIG-1|total=5000000000|free=4000000000\n"
          "mig card=0|slot=3|name=A100 MIG 1g.5gb|uuid=MIG-2|total=5000000000|free=3000000000\n");
  machine.library("cuda", "version 12020\n");
  Machine found = machine.detect().machine;
  apply_figures(GpuWatch(machine.options()).look(Instant{}), found);
  EXPECT_EQ(found.devices[0].free_bytes, 4000000000u);
  EXPECT_EQ(found.devices[1].free_bytes, 3000000000u);
  EXPECT_EQ(found.devices[1].temperature_c, 50);
  EXPECT_EQ(found.devices[1].load_percent, std::nullopt);
}

TEST(Figures, AnApuIsFreeByWhatItHoldsOfTheMachinesMemory) {
  Machine machine;
  machine.cpu.memory_bytes = 128'000'000'000;
  machine.cpu.available_bytes = 30'000'000'000;
  machine.devices.push_back({.id = "pci-0000:c5:00.0",
                             .pci = "0000:c5:00.0",
                             .name = "8060S",
                             .vendor = "AMD",
                             .kind = DeviceKind::integrated,
                             .memory = DeviceMemory::unified,
                             .memory_bytes = 100'000'000'000,
                             .backends = {}});
  Figures figures;
  figures.gpus.push_back(
      {.pci = "0000:c5:00.0", .vram_total = 512'000'000, .vram_used = 1, .gtt_used = 60'000'000'000});
  apply_figures(figures, machine);
  EXPECT_EQ(machine.devices[0].free_bytes, 40'000'000'000u);
  EXPECT_LT(machine.devices[0].usable_bytes, 30'000'000'000u) << "and no more than the machine has";
}

TEST(CpuWatch, TellsMemoryLoadAndTemperature) {
  DescribedMachine box;
  box.pc("Ryzen", 8, 64).file("/proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1\n");
  box.file("/sys/class/hwmon/hwmon2/name", "k10temp\n")
      .file("/sys/class/hwmon/hwmon2/temp1_input", "51125\n");
  Machine machine = box.detect().machine;
  CpuWatch watch{RootedFiles(box.root())};
  EXPECT_EQ(watch.look().load_percent, std::nullopt);
  box.file("/proc/stat", "cpu  175 0 100 825 0 0 0 0 0 0\ncpu0 1\n");
  box.file("/proc/meminfo", "MemTotal: 67108864 kB\nMemAvailable: 1024 kB\n");
  apply_figures(watch.look(), machine);
  EXPECT_EQ(machine.devices[0].load_percent, 75);
  EXPECT_EQ(machine.devices[0].temperature_c, 51.125);
  EXPECT_EQ(machine.devices[0].free_bytes, 1u << 20);
  EXPECT_EQ(machine.cpu.available_bytes, 1u << 20);
}

TEST(CpuWatch, TextsThatAreNoneGiveNoLoad) {
  EXPECT_EQ(cpu_load("", ""), std::nullopt);
  EXPECT_EQ(cpu_load("cpu  1 2 3 4\n", "cpu  1 2 3 4\n"), std::nullopt);
  EXPECT_EQ(cpu_load("cpu  9 9 9 9\n", "cpu  1 2 3 4\n"), std::nullopt);
  EXPECT_EQ(cpu_load("cpu  1 2 3 x\n", "cpu  1 2 3 4\n"), std::nullopt);
  EXPECT_EQ(cpu_load("cpu  0 0 0 0\n", "cpu  3 0 0 1\n"), 75);
}

TEST(MachineFigures, TravelAndOnlyWhatIsSeenCounts) {
  Machine machine;
  machine.devices.push_back(
      {.id = "a", .name = "A", .vendor = "V", .memory_bytes = 1000, .free_bytes = 500, .backends = {}});
  Machine copy = machine;
  EXPECT_FALSE(figures_differ(machine, copy));
  machine.devices[0].free_bytes = 502;
  EXPECT_FALSE(figures_differ(machine, copy));
  machine.devices[0].free_bytes = 400;
  machine.devices[0].power_w = 17.126;
  EXPECT_TRUE(figures_differ(machine, copy));
  take_machine_figures(*parse_json(dump_json(machine_figures_json(machine))), copy);
  EXPECT_EQ(copy.devices[0].free_bytes, 400u);
  EXPECT_EQ(copy.devices[0].power_w, 17.13);
  take_machine_figures(
      *parse_json(R"({"devices": [{"id": "b"}, {"id": 3}, 4, {"id": "a", "free_bytes": "x"}]})"), copy);
  EXPECT_EQ(copy.devices[0].free_bytes, std::nullopt);
}

}  // namespace
}  // namespace rbee::device
