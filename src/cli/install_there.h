// Copies this very program to another machine, with the libraries that a machine need not have.
#pragma once

#include "cli/commands.h"
#include "cli/ssh.h"

#include <string>
#include <string_view>

namespace rbee::cli {

// Into ~/.local of the user there: bin/rbee, and lib/rbee with every library but those of glibc, OpenSSL and
// libcurl, which stay the machine's own and are kept safe by it. `system` is what `uname -s -m` says there.
// Fails with unsupported (another system; a package that is missing, which is named), or as Ssh. Blocks.
[[nodiscard]] Result<void> install_there(const Context& context, const Ssh& ssh, std::string_view system);

// Whether a library goes along, by its file's name ("libfmt.so.9"). Pure.
[[nodiscard]] bool is_taken_along(std::string_view library);

}  // namespace rbee::cli
