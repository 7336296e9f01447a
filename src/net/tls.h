// TLS 1.3 between machines that know each other by their keys.
//
// Who is at the other end is known by its public key alone: certificates are signed by their own key, and
// their names and dates are not looked at here (a machine's clock may be wrong, its address may change).
// Contexts are immutable and safe from every thread.
#pragma once

#include "base/error.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::net {

// A private key and the certificate it signed, as PEM. The key's file is for its owner's eyes only.
struct TlsIdentity {
  std::string key_pem = {};
  std::string certificate_pem = {};
};

// How a key is named and pinned: the SHA-256 of its SubjectPublicKeyInfo, base64url without padding.
inline constexpr std::size_t key_print_length = 43;

// A new P-256 key. `name` is for those who read the certificate; `hosts` (names and numeric addresses) are
// for clients that check certificates the usual way. Fails with io_failed and OpenSSL's words.
[[nodiscard]] Result<TlsIdentity> make_identity(std::string_view name, const std::vector<std::string>& hosts);
// The same key with a certificate for other hosts. Fails with bad_config where the PEM is none.
[[nodiscard]] Result<TlsIdentity> renew_certificate(const TlsIdentity& identity, std::string_view name,
                                                    const std::vector<std::string>& hosts);
// Whether a client that checks certificates finds all of them in it.
[[nodiscard]] bool certifies(const TlsIdentity& identity, const std::vector<std::string>& hosts);
// Fails with bad_config where the PEM is none.
[[nodiscard]] Result<std::string> key_print_of(const TlsIdentity& identity);

// Equal, in a time that does not tell where they differ: for secrets and what is derived from them.
[[nodiscard]] bool equal_secrets(std::string_view one, std::string_view other);
// So many bytes from the system's own source, base64url: for secrets.
[[nodiscard]] std::string new_secret(std::size_t bytes);
// SHA-256, base64url without padding: how secrets that are long and random are kept.
[[nodiscard]] std::string secret_hash(std::string_view secret);

class TlsContext {
 public:
  struct Impl;
  // For connecting; shows `own` where the other end asks for a key. Sessions are kept and resumed.
  // `server_name` is told to the other end, which may have several keys (SNI); empty: none.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> client(const TlsIdentity& own,
                                                                        const std::string& server_name = {});
  // For connecting without a key of one's own. The other end's certificate is compared with those that this
  // system trusts and with `host` (a name or a numeric address): `required` fails where it is not right,
  // `looked_at` says so by Stream::is_certified().
  enum class Certificates { looked_at, required };
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> public_client(const std::string& host,
                                                                               Certificates certificates);
  // For accepting. `asks_for_key`: clients that have a key show it; those without are taken all the same, and
  // whoever handles their requests decides. Who says the name of `other` gets that one's key, and is asked
  // for his own. Fails with bad_config where PEM or pair are wrong.
  struct Named {
    std::string name;
    std::shared_ptr<const TlsContext> context;
  };
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> server(const TlsIdentity& own,
                                                                        bool asks_for_key, Named other = {});
  explicit TlsContext(std::unique_ptr<Impl> impl);
  ~TlsContext();
  [[nodiscard]] Impl& impl() const { return *impl_; }  // of this layer only

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace rbee::net
