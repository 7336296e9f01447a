// SHA-256, piece by piece.
#pragma once

#include "base/error.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace rbee::model {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void add(std::string_view bytes);
  // In 64 hex digits, lower case. Once.
  [[nodiscard]] std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] std::string sha256_of(std::string_view text);
// Reads all of it; `done` counts the bytes. `keep_on` is asked before each MiB: cancelled where it says no.
// Else fails with io_failed.
[[nodiscard]] Result<std::string> sha256_of_file(const std::filesystem::path& path,
                                                 const std::function<bool()>& keep_on,
                                                 std::atomic<std::uint64_t>* done = nullptr);
// 64 hex digits, lower case: the only thing that a network may say and a file is named by.
[[nodiscard]] bool is_sha256(std::string_view text);

}  // namespace rbee::model
