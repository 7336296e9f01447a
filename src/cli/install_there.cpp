#include "cli/install_there.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/own_libraries.h"
#include "cli/ssh_words.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;

// Some 20 MB over a house's wireless network.
constexpr std::chrono::milliseconds copy_within{120'000};
constexpr std::uint64_t mib = 1u << 20;

// What the program links besides glibc, OpenSSL and libcurl with all that they link: the build's own list
// (cmake/dependencies.cmake), and what those need in turn.
constexpr auto taken = std::to_array<std::string_view>(
    {"libbsd.so", "libedit.so", "libfmt.so", "libgcc_s.so", "libmd.so", "libprometheus-cpp-core.so",
     "libsimdjson.so", "libspdlog.so", "libsqlite3.so", "libstdc++.so", "libtinfo.so", "libtomlplusplus.so"});

std::string this_system() {
  utsname names{};
  if (uname(&names) != 0) return {};
  return cat(names.sysname, " ", names.machine);
}

// Removed with what lies in it.
class Folder {
 public:
  explicit Folder(fs::path path) : path_(std::move(path)) { remove(); }
  ~Folder() { remove(); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path path_;
};

Result<void> take(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::create_directories(to.parent_path(), failure);
  if (!failure) fs::copy_file(fs::canonical(from, failure), to, failure);
  if (failure) return io_error(cat("'", from.string(), "' cannot be copied"), failure.value());
  return {};
}

Result<std::uint64_t> gather(const Context& context, const fs::path& folder) {
  if (Result<void> copied = take(context.environment.program, folder / "bin/rbee"); !copied)
    return copied.error();
  for (const std::string& library : own_libraries()) {
    const std::string name = fs::path(library).filename().string();
    if (!is_taken_along(name)) continue;
    if (Result<void> copied = take(library, folder / "lib/rbee" / name); !copied) return copied.error();
  }
  std::uint64_t bytes = 0;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, failure)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

}  // namespace

bool is_taken_along(std::string_view library) {
  return std::ranges::any_of(taken, [&](std::string_view name) {
    return library.starts_with(name) && (library.size() == name.size() || library[name.size()] == '.');
  });
}

Result<void> install_there(const Context& context, const Ssh& ssh, std::string_view system) {
  if (Result<void> same = check_same_system(ssh.target(), system, this_system()); !same) return same;
  const Folder folder(context.paths.state / "install-there");
  const Result<std::uint64_t> bytes = gather(context, folder.path());
  if (!bytes) return bytes.error();
  context.out.note(cat("Copying rbee to ", ssh.target(), ":~/.local (", *bytes / mib, " MiB)."));
  // Unpacked beside and renamed by tar itself: a program that runs keeps the file it has.
  const Result<SshSaid> sent =
      ssh.send(folder.path(), "mkdir -p ~/.local && tar -C ~/.local -xf - && ~/.local/bin/rbee --version",
               copy_within);
  if (!sent) return sent.error();
  if (sent->exit_code != 0) return missing_package(ssh.target(), sent->text);
  context.out.note(cat(trim(std::string_view(sent->text)), " is there."));
  return {};
}

}  // namespace rbee::cli
