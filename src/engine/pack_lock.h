// The lock of what engine packs are made of: npm packages by version and integrity (npm's own
// `dist.integrity`, a sha512). To move to another release, change every row and pack_lock_version.
#pragma once

#include <array>
#include <string_view>

namespace rbee::engine {

inline constexpr std::string_view pack_lock_version = "3.22.1";

struct LockedPackage {
  std::string_view name;
  std::string_view sha512;  // base64
};

// Carries llama/gitRelease.bundle: the whole source of one llama.cpp release.
inline constexpr LockedPackage locked_source = {
    "node-llama-cpp",
    "bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=="};

// Carry the plug-ins, built from that same release.
inline constexpr LockedPackage locked_linux_x64 = {
    "@node-llama-cpp/linux-x64",
    "5uCCDNqWCNfaAm8aR/Uzxbo4HBpKgNF91kCHPepKhgMgV2OAmatoefbOlMihsqCiH2Od35E/eUHQCFbfRBJuOg=="};
inline constexpr LockedPackage locked_linux_x64_vulkan = {
    "@node-llama-cpp/linux-x64-vulkan",
    "bBxqU+JOcBu1nb5Qj2zcMci+JByT1E8EajHvYodyNfVIPkEhXh+/HMwR1/BT7xP08YK0hks+kM8fglER0P8JEg=="};
inline constexpr LockedPackage locked_linux_arm64 = {
    "@node-llama-cpp/linux-arm64",
    "W+7naKCXX9/eEjjFmRS8vvx91QyLXDbeFxexZc3bh/PtQABZgmRL3C0AtYYXn4YGTj/3Qor4lWZn2tpjZFPLdQ=="};

// What its fat binaries hold (the headers in its section .nv_fatbin) and what it needs (`readelf -d`).
struct CudaPlugin {
  LockedPackage package;
  int made_with;  // CUDA 13.1 is 13010: the driver that compiles its PTX is no older
  int runs_from;  // the oldest driver that its runtime starts with, by NVIDIA's rule of minor versions
  std::array<int, 4> machine_code;  // 89 for sm_89
  std::array<int, 5> ptx;
  std::array<std::string_view, 3> libraries;
};
constexpr int no_card = 1 << 20;  // fills the arrays: newer than any card
inline constexpr auto cuda_plugins = std::to_array<CudaPlugin>({
    {.package = {"@node-llama-cpp/linux-x64-cuda",
                 "8rQCjyNNLZJUFit+YpjwlC4hwkKgOMIkB2wuycKBf8NU2O3ySKbiWZQ8aw9ku2nUTXjSnUIrE6KB88itduTBuA=="},
     .made_with = 13010,
     .runs_from = 13000,
     .machine_code = {86, 89, 120, 121},
     .ptx = {75, 80, 90, no_card, no_card},
     .libraries = {"libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13"}},
    {.package = {"@node-llama-cpp/linux-x64-cuda-ext",
                 "4e5ajkiM2aR2WAdB/N/ACk4weEhHvOAIrzxZPsIX0xDFW5+6hhShuy1/vs88SK9NGdgAco9IyE28eYS0H1efpA=="},
     .made_with = 12040,
     .runs_from = 12000,
     .machine_code = {86, no_card, no_card, no_card},
     .ptx = {50, 61, 70, 75, 80},
     .libraries = {"libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12"}},
});

// For Macs the plug-ins were last published with this release; a pack's parts are of one release, so its
// sources are too.
inline constexpr std::string_view mac_lock_version = "3.21.1";
inline constexpr LockedPackage locked_mac_source = {
    "node-llama-cpp",
    "E3N0Ev2Va0wzydvXYFwM9Hvyo07PoWjt8T/9GMc43Cvt8YkV/NU/tYUgEMC1grTPv2o9PRjQi0G3Wb5P/awiMg=="};
inline constexpr LockedPackage locked_mac_arm64_metal = {
    "@node-llama-cpp/mac-arm64-metal",
    "6MIDAZV7DXD9R1+jEXWJkFuolni3GATGE6mmuyFYc6ZmtOh9djAy15df0T0AXK3sCmVKL+fQcOAWZezxx4MvQQ=="};

}  // namespace rbee::engine
