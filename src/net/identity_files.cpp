#include "net/identity_files.h"

#include "base/file.h"
#include "base/text.h"

#include <unistd.h>

namespace rbee::net {
namespace {

namespace fs = std::filesystem;

// A key and a certificate have some hundred bytes each; a chain of the user's own some thousands.
constexpr std::size_t largest_pem_bytes = 65536;

Result<void> check_private(const fs::path& file) {
  std::error_code failure;
  const fs::perms mode = fs::status(file, failure).permissions();
  const fs::perms others = fs::perms::group_all | fs::perms::others_all;
  if (failure || (mode & others) == fs::perms::none) return {};
  return Error{ErrorCode::not_allowed,
               cat("Others may read the private key '", file.string(), "'."),
               cat("`chmod 600 ", file.string(), "`, and add the machine anew if somebody did."),
               {}};
}

// A key that is there already wins: whoever comes second takes it.
Result<void> place_key(const fs::path& file, const std::string& pem) {
  const fs::path beside = cat(file.string(), ".made-", ::getpid());
  Result<void> written = write_file(beside, pem);
  if (!written) return written;
  std::error_code failure;
  fs::create_hard_link(beside, file, failure);
  std::error_code ignored;
  fs::remove(beside, ignored);
  if (!failure || failure == std::errc::file_exists) return {};
  return io_error(cat("'", file.string(), "' cannot be made"), failure.value());
}

}  // namespace

Result<TlsIdentity> open_identity(const fs::path& folder, std::string_view name,
                                  const std::vector<std::string>& hosts) {
  const fs::path key_file = folder / "key.pem";
  const fs::path certificate_file = folder / "certificate.pem";
  std::error_code ignored;
  if (!fs::exists(key_file, ignored)) {
    if (Result<void> made = make_folder(folder); !made) return made.error();
    const Result<TlsIdentity> identity = make_identity(name, hosts);
    if (!identity) return identity.error();
    if (Result<void> placed = place_key(key_file, identity->key_pem); !placed) return placed.error();
  }
  if (Result<void> safe = check_private(key_file); !safe) return safe.error();
  Result<std::string> key = read_file(key_file, largest_pem_bytes);
  if (!key) return key.error();
  TlsIdentity identity{std::move(*key), {}};
  if (fs::exists(certificate_file, ignored)) {
    Result<std::string> certificate = read_file(certificate_file, largest_pem_bytes);
    if (!certificate) return certificate.error();
    identity.certificate_pem = std::move(*certificate);
    // One of another key is left from a key that was removed; addresses may have changed.
    if (TlsContext::client(identity) && certifies(identity, hosts)) return identity;
  }
  Result<TlsIdentity> renewed = renew_certificate(identity, name, hosts);
  if (!renewed) {
    Error error = renewed.error();
    error.message = cat("'", key_file.string(), "': ", error.message);
    return error;
  }
  if (Result<void> written = write_file(certificate_file, renewed->certificate_pem); !written)
    return written.error();
  return renewed;
}

}  // namespace rbee::net
