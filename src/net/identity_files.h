// The key of this machine's keeper or hive, in its state folder: made at first start, kept from then on.
#pragma once

#include "net/tls.h"

#include <filesystem>

namespace rbee::net {

// <folder>/key.pem (mode 0600) and <folder>/certificate.pem, made where they are missing; `name` and `hosts`
// go into the certificate, which is made anew with the same key where it lacks one of them. Two processes
// that come at once get the same key. Blocks. Fails with not_allowed where others may read the key,
// bad_config where it is none, or io_failed.
[[nodiscard]] Result<TlsIdentity> open_identity(const std::filesystem::path& folder, std::string_view name,
                                                const std::vector<std::string>& hosts = {});

}  // namespace rbee::net
