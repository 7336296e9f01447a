// What the process was given besides its arguments: variables and terminals, as one plain value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::cli {

struct Environment {
  std::vector<std::string> variables = {};  // "NAME=value"
  bool stdin_terminal = false;
  bool stdout_terminal = false;
  bool stderr_terminal = false;
  int columns = 80;  // of the terminal
  std::string hostname = {};
  std::string program = {};  // this one's file, to start it again

  // Nothing where it is not set or empty.
  [[nodiscard]] std::optional<std::string> find(std::string_view name) const;
};

// The one place of rbee that reads the environment.
[[nodiscard]] Environment read_environment();

// What its hive is called where nobody names it: the first part of the host's name, and where that may be no
// name of a hive (a system takes any bytes) what is left of it; "localhost" where nothing is.
[[nodiscard]] std::string name_of_host(std::string_view hostname);

// The first executable file of that name in PATH, absolute.
[[nodiscard]] std::optional<std::string> find_program(const Environment& environment, std::string_view name);

}  // namespace rbee::cli
