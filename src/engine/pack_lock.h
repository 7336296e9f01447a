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
inline constexpr LockedPackage locked_linux_x64_cuda = {
    "@node-llama-cpp/linux-x64-cuda",
    "8rQCjyNNLZJUFit+YpjwlC4hwkKgOMIkB2wuycKBf8NU2O3ySKbiWZQ8aw9ku2nUTXjSnUIrE6KB88itduTBuA=="};
inline constexpr LockedPackage locked_linux_x64_cuda_ext = {
    "@node-llama-cpp/linux-x64-cuda-ext",
    "4e5ajkiM2aR2WAdB/N/ACk4weEhHvOAIrzxZPsIX0xDFW5+6hhShuy1/vs88SK9NGdgAco9IyE28eYS0H1efpA=="};
inline constexpr LockedPackage locked_linux_arm64 = {
    "@node-llama-cpp/linux-arm64",
    "W+7naKCXX9/eEjjFmRS8vvx91QyLXDbeFxexZc3bh/PtQABZgmRL3C0AtYYXn4YGTj/3Qor4lWZn2tpjZFPLdQ=="};

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
