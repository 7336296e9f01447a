#include "cli/environment.h"

#include "base/text.h"
#include "cli/own_program.h"
#include "domain/model_name.h"
#include "model/source.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <filesystem>

namespace rbee::cli {
namespace {

// What a terminal is taken for that does not tell its width.
constexpr int usual_columns = 80;

int terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual_columns;
  return size.ws_col;
}

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return name_of_host({});
  return name_of_host(name);
}

}  // namespace

std::string name_of_host(std::string_view hostname) {
  std::string name(hostname.substr(0, hostname.find('.')));
  if (!check_name(name)) name = model::as_name(name);
  return name.empty() ? "localhost" : name;
}

std::optional<std::string> Environment::find(std::string_view name) const {
  for (const std::string& variable : variables) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || std::string_view(variable).substr(0, equals) != name) continue;
    if (equals + 1 == variable.size()) return std::nullopt;
    return variable.substr(equals + 1);
  }
  return std::nullopt;
}

Environment read_environment() {
  Environment found;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    found.variables.emplace_back(*variable);
  }
  found.stdin_terminal = isatty(STDIN_FILENO) == 1;
  found.stdout_terminal = isatty(STDOUT_FILENO) == 1;
  found.stderr_terminal = isatty(STDERR_FILENO) == 1;
  found.columns = terminal_columns();
  found.hostname = host_name();
  found.program = own_program();
  return found;
}

std::optional<std::string> find_program(const Environment& environment, std::string_view name) {
  const std::string path = environment.find("PATH").value_or("");
  for (const std::string_view folder : split(path, ':')) {
    // A relative folder in PATH would mean another program in each working directory.
    if (!folder.starts_with('/')) continue;
    const std::string file = cat(folder, "/", name);
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored) && access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

}  // namespace rbee::cli
