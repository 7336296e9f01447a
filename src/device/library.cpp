#include "device/library.h"

#include "base/text.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

namespace rbee::device {
namespace {

constexpr std::string_view wsl_folder = "/usr/lib/wsl/lib";
// Distributions, and Jetson's by version of its Linux.
constexpr auto usual_folders = std::to_array<std::string_view>(
    {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib",
     "/usr/lib/aarch64-linux-gnu/nvidia", "/usr/lib/aarch64-linux-gnu/tegra", "/usr/local/lib"});

bool is_file(const std::string& path) {
  std::error_code failure;
  return std::filesystem::is_regular_file(path, failure);
}

}  // namespace

Library::Library(const std::string& path) : path_(path) {
  handle_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ != nullptr) return;
  const char* why = ::dlerror();
  failure_ = why == nullptr ? "it cannot be opened" : why;
  // The loader begins with the path that it was given, and so does whoever tells of the failure.
  if (failure_.starts_with(cat(path, ": "))) failure_.erase(0, path.size() + 2);
}

Library::~Library() {
  if (handle_ != nullptr) ::dlclose(handle_);
}

Library::Library(Library&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      path_(std::move(other.path_)),
      failure_(std::move(other.failure_)) {}

std::string Library::file_name() const {
  // dlinfo() is no POSIX; any function of the library tells where it lies.
  Dl_info info{};
  void* known = nullptr;
  for (const char* name : {"nvmlInit_v2", "cuInit", "vkGetInstanceProcAddr"}) {
    if (known == nullptr) known = symbol(name);
  }
  std::string path = path_;
  if (known != nullptr && ::dladdr(known, &info) != 0 && info.dli_fname != nullptr) path = info.dli_fname;
  std::error_code failure;
  const std::filesystem::path file = std::filesystem::canonical(path, failure);
  return failure ? std::filesystem::path(path).filename().string() : file.filename().string();
}

void* Library::symbol(const char* name) const {
  return handle_ == nullptr ? nullptr : ::dlsym(handle_, name);
}

bool is_wsl(const RootedFiles& files) {
  return lower(files.text("/proc/version")).find("microsoft") != std::string::npos;
}

std::vector<std::string> usual_library_folders(const RootedFiles& files) {
  std::vector<std::string> folders(usual_folders.begin(), usual_folders.end());
  // WSL brings the one that fits its kernel; distributions' own packages there do not work.
  folders.insert(is_wsl(files) ? folders.begin() : folders.end(), std::string(wsl_folder));
  return folders;
}

std::vector<std::string> library_candidates(const LibraryPlaces& places, std::string_view name) {
  std::vector<std::string> found;
  if (places.folders) {
    for (const std::string& folder : *places.folders) {
      const std::string file = cat(folder, "/", name);
      if (is_file(file)) found.push_back(file);
    }
    return found;
  }
  for (const std::string& folder : usual_library_folders(places.files)) {
    if (const auto file = places.files.place(cat(folder, "/", name))) found.push_back(file->string());
  }
  if (!places.files.is_this_machine()) return found;
  // The loader knows best which one is in use, but on WSL.
  const auto at = found.begin() + (is_wsl(places.files) && !found.empty() ? 1 : 0);
  found.insert(at, std::string(name));
  return found;
}

}  // namespace rbee::device
