// A vendor's library, opened at run time: nothing of it is linked, so rbee starts without it.
#pragma once

#include "base/text.h"
#include "device/rooted_files.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

// Where the vendors' libraries are looked for.
struct LibraryPlaces {
  RootedFiles files;
  // The only folders, of this machine; nothing: the usual ones under the root.
  std::optional<std::vector<std::string>> folders = {};
};

class Library {
 public:
  // `path` with a slash is a file, without one a name for the loader. Empty where it does not load.
  explicit Library(const std::string& path);
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  Library(Library&& other) noexcept;
  Library& operator=(Library&&) = delete;

  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // Of the file that was loaded, links followed: "libnvidia-ml.so.535.161.07".
  [[nodiscard]] std::string file_name() const;
  [[nodiscard]] const std::string& failure() const { return failure_; }  // the loader's words
  // Null where the library has no such function: an older version of it.
  template <class Function>
  [[nodiscard]] Function* find(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  [[nodiscard]] void* symbol(const char* name) const;
  void* handle_ = nullptr;
  std::string path_;
  std::string failure_;
};

// What to open for a library of NVIDIA or Vulkan, best first: files that are there, and on this machine the
// bare name for the loader.
[[nodiscard]] std::vector<std::string> library_candidates(const LibraryPlaces& places, std::string_view name);
// Asks the candidates in turn, until `ask(library, facts)` says that one has answered. Otherwise
// facts.failure is that of the last one asked, or, where none loaded, why not: that it is not there, or the
// loader's words.
template <class Facts>
[[nodiscard]] Facts ask_candidates(const LibraryPlaces& places, std::string_view name,
                                   bool (*ask)(const Library& library, Facts& facts)) {
  Facts facts;
  facts.failure = cat(name, " is not there");
  bool any_loaded = false;
  for (const std::string& path : library_candidates(places, name)) {
    const Library library(path);
    if (library.is_open()) {
      any_loaded = true;
      if (ask(library, facts)) return facts;
    } else if (!any_loaded && path.find('/') != std::string::npos) {
      // The plain name fails where the loader knows none: that is no library that is broken.
      facts.failure = cat(path, " does not load: ", library.failure());
    }
  }
  return facts;
}
// The folders that library_candidates() looks through where none are given, as paths of that machine.
[[nodiscard]] std::vector<std::string> usual_library_folders(const RootedFiles& files);
[[nodiscard]] bool is_wsl(const RootedFiles& files);

}  // namespace rbee::device
