#include "engine/vendor_libraries.h"

#include "base/file.h"
#include "base/text.h"

#include <algorithm>
#include <array>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& folder, const std::string& name) {
  std::error_code failure;
  return fs::is_regular_file(fs::path(folder) / name, failure);
}

void push_new(std::vector<std::string>& folders, std::string folder) {
  if (folder.starts_with('/') && std::ranges::find(folders, folder) == folders.end())
    folders.push_back(std::move(folder));
}

}  // namespace

VendorLibraries find_libraries(const std::vector<std::string>& names,
                               const std::vector<std::string>& folders) {
  VendorLibraries libraries;
  const auto whole = std::ranges::find_if(folders, [&](const std::string& folder) {
    return std::ranges::all_of(names, [&](const std::string& name) { return has(folder, name); });
  });
  for (const std::string& name : names) {
    const auto folder =
        whole != folders.end()
            ? whole
            : std::ranges::find_if(folders, [&](const std::string& one) { return has(one, name); });
    if (folder == folders.end()) {
      libraries.missing.push_back(name);
    } else {
      libraries.found.push_back(fs::path(*folder) / name);
    }
  }
  return libraries;
}

std::vector<std::string> all_library_folders(const std::vector<std::string>& environment,
                                             const std::vector<std::string>& folders) {
  constexpr auto toolkits = std::to_array<std::string_view>({"CUDA_HOME=", "CUDA_PATH="});
  constexpr std::string_view search_path = "LD_LIBRARY_PATH=";
  std::vector<std::string> all;
  for (const std::string_view variable : environment) {
    if (variable.starts_with(search_path)) {
      for (const std::string_view folder : split(variable.substr(search_path.size()), ':'))
        push_new(all, std::string(folder));
    }
    for (const std::string_view toolkit : toolkits) {
      if (variable.starts_with(toolkit)) push_new(all, cat(variable.substr(toolkit.size()), "/lib64"));
    }
  }
  for (const std::string& folder : folders) push_new(all, folder);
  return all;
}

Result<void> link_libraries(const VendorLibraries& libraries, const fs::path& pack) {
  for (const fs::path& file : libraries.found) {
    const fs::path link = pack / file.filename();
    std::error_code failure;
    fs::remove(link, failure);
    fs::create_symlink(file, link, failure);
    if (failure) return io_error(cat("'", link.string(), "' cannot be written"), failure.value());
  }
  return {};
}

}  // namespace rbee::engine
