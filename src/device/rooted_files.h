// RootedFiles: the files of a machine under a folder, which is "/" or stands for another machine.
//
// Under another folder nothing leads outside: symbolic links, absolute ones too, are followed within it. A
// file that is missing, unreadable or too large is nothing; a missing folder is an empty one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::device {

enum class NodeAccess { open, denied, missing };

class RootedFiles {
 public:
  explicit RootedFiles(std::filesystem::path root = "/") : root_(std::move(root)) {}

  [[nodiscard]] bool is_this_machine() const { return root_ == "/"; }
  [[nodiscard]] const std::filesystem::path& root() const { return root_; }

  // Paths are absolute on the machine that is looked at: "/proc/meminfo".
  [[nodiscard]] std::optional<std::string> read(std::string_view path) const;
  [[nodiscard]] std::string text(std::string_view path) const { return read(path).value_or(""); }
  // Without the blanks around it; nothing where that leaves nothing.
  [[nodiscard]] std::optional<std::string> word(std::string_view path) const;
  // A decimal number; nothing for any other text.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view path) const;
  [[nodiscard]] bool exists(std::string_view path) const;
  // Names in a folder, numbers within them in their order: node2 before node10.
  [[nodiscard]] std::vector<std::string> list(std::string_view path) const;
  // Where links lead, as a path of that machine; nothing where nothing is there.
  [[nodiscard]] std::optional<std::string> resolved(std::string_view path) const;
  // The last name of where the link leads, also where that is not there: the driver of a device.
  [[nodiscard]] std::string link_name(std::string_view path) const;
  // The file to open for that path; nothing where nothing is there.
  [[nodiscard]] std::optional<std::filesystem::path> place(std::string_view path) const;
  // A device node that is to be read and written. A described machine without /dev has all of them.
  [[nodiscard]] NodeAccess access(std::string_view path) const;

 private:
  std::filesystem::path root_;
};

// Of "Model: \t\t NVIDIA GeForce RTX 4090" with "Model:", or "DRIVER=amdgpu" with "DRIVER=", what stands
// behind in the first such line, without the blanks around it; empty where there is none.
[[nodiscard]] std::string value_behind(std::string_view text, std::string_view key);

// "a2" before "a10".
[[nodiscard]] bool natural_less(std::string_view a, std::string_view b);

}  // namespace rbee::device
