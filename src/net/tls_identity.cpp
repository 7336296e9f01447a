#include "base/text.h"
#include "net/tls_context.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace rbee::net {
namespace {

Error failed(std::string_view what) {
  return Error{ErrorCode::io_failed, cat("OpenSSL could not ", what, "."), {}, openssl_words()};
}

Error no_pem() {
  return Error{ErrorCode::bad_config, "The key or certificate is no PEM that can be read.",
               "Remove the file to have a new one made; machines that pinned it must be added anew.",
               openssl_words()};
}

std::string text_of(BIO* bytes) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bytes, &data);
  return {data, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string base64url(const unsigned char* bytes, std::size_t size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');
  // EVP writes the padding and a 0 as well.
  EVP_EncodeBlock(static_cast<unsigned char*>(static_cast<void*>(text.data())), bytes,
                  static_cast<int>(size));
  text.resize((size * 4 + 2) / 3);
  for (char& letter : text) {
    if (letter == '+') letter = '-';
    if (letter == '/') letter = '_';
  }
  return text;
}

std::string hash(const unsigned char* bytes, std::size_t size) {
  std::array<unsigned char, 32> digest{};
  EVP_Digest(bytes, size, digest.data(), nullptr, EVP_sha256(), nullptr);
  return base64url(digest.data(), digest.size());
}

bool add_hosts(X509* certificate, const std::vector<std::string>& hosts) {
  if (hosts.empty()) return true;
  std::string value;
  for (const std::string& host : hosts)
    value += cat(value.empty() ? "" : ",", is_numeric_address(host) ? "IP:" : "DNS:", host);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// A random serial number: two certificates of one name and one serial confuse browsers.
bool set_serial(X509* certificate) {
  std::uint32_t serial = 0;
  if (RAND_bytes(static_cast<unsigned char*>(static_cast<void*>(&serial)), sizeof serial) != 1) return false;
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1;
}

Result<std::string> sign_certificate(EVP_PKEY* key, std::string_view name,
                                     const std::vector<std::string>& hosts) {
  const Openssl<X509> certificate(X509_new());
  X509* made = certificate.get();
  X509_set_version(made, X509_VERSION_3);
  // Dates are not looked at between our own, and other clients must not see it end.
  ASN1_TIME_set_string(X509_getm_notBefore(made), "20200101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(made), "99991231235959Z");
  const std::string text(name);
  X509_NAME* subject = X509_get_subject_name(made);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             static_cast<const unsigned char*>(static_cast<const void*>(text.data())),
                             static_cast<int>(std::min<std::size_t>(text.size(), ub_common_name)), -1, 0);
  X509_set_issuer_name(made, subject);
  if (!set_serial(made) || X509_set_pubkey(made, key) != 1 || !add_hosts(made, hosts) ||
      X509_sign(made, key, EVP_sha256()) == 0)
    return failed("make a certificate");
  const Openssl<BIO> bytes(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bytes.get(), made) != 1) return failed("write a certificate");
  return text_of(bytes.get());
}

Openssl<EVP_PKEY> read_key(const TlsIdentity& identity) {
  const Openssl<BIO> bytes(
      BIO_new_mem_buf(identity.key_pem.data(), static_cast<int>(identity.key_pem.size())));
  return Openssl<EVP_PKEY>(PEM_read_bio_PrivateKey(bytes.get(), nullptr, nullptr, nullptr));
}

Openssl<X509> read_certificate(const TlsIdentity& identity) {
  const Openssl<BIO> bytes(
      BIO_new_mem_buf(identity.certificate_pem.data(), static_cast<int>(identity.certificate_pem.size())));
  return Openssl<X509>(PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr));
}

}  // namespace

std::string openssl_words() {
  std::string words;
  while (const unsigned long code = ERR_get_error()) {
    std::array<char, 256> text{};
    ERR_error_string_n(code, text.data(), text.size());
    words += cat(words.empty() ? "" : "; ", text.data());
  }
  return words;
}

bool is_numeric_address(const std::string& host) {
  const bool v4 = host.find_first_not_of("0123456789.") == std::string::npos;
  return v4 || host.find(':') != std::string::npos;
}

std::string print_of(X509* certificate) {
  if (certificate == nullptr) return {};
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  std::string print = hash(der, static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return print;
}

Result<TlsIdentity> make_identity(std::string_view name, const std::vector<std::string>& hosts) {
  const Openssl<EVP_PKEY> key(EVP_EC_gen("P-256"));
  if (!key) return failed("make a key");
  const Openssl<BIO> bytes(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(bytes.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return failed("write a key");
  Result<std::string> certificate = sign_certificate(key.get(), name, hosts);
  if (!certificate) return certificate.error();
  return TlsIdentity{text_of(bytes.get()), std::move(*certificate)};
}

Result<TlsIdentity> renew_certificate(const TlsIdentity& identity, std::string_view name,
                                      const std::vector<std::string>& hosts) {
  const Openssl<EVP_PKEY> key = read_key(identity);
  if (!key) return no_pem();
  Result<std::string> certificate = sign_certificate(key.get(), name, hosts);
  if (!certificate) return certificate.error();
  return TlsIdentity{identity.key_pem, std::move(*certificate)};
}

bool certifies(const TlsIdentity& identity, const std::vector<std::string>& hosts) {
  const Openssl<X509> certificate = read_certificate(identity);
  return certificate && std::ranges::all_of(hosts, [&](const std::string& host) {
           return (is_numeric_address(host)
                       ? X509_check_ip_asc(certificate.get(), host.c_str(), 0)
                       : X509_check_host(certificate.get(), host.data(), host.size(), 0, nullptr)) == 1;
         });
}

Result<std::string> key_print_of(const TlsIdentity& identity) {
  const Openssl<X509> certificate = read_certificate(identity);
  if (!certificate) return no_pem();
  return print_of(certificate.get());
}

bool equal_secrets(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

std::string new_secret(std::size_t bytes) {
  std::string random(bytes, '\0');
  auto* data = static_cast<unsigned char*>(static_cast<void*>(random.data()));
  // The system's source is there from its start on; without it no secret may be made.
  if (RAND_bytes(data, static_cast<int>(bytes)) != 1) std::terminate();
  return base64url(data, bytes);
}

std::string secret_hash(std::string_view secret) {
  return hash(static_cast<const unsigned char*>(static_cast<const void*>(secret.data())), secret.size());
}

}  // namespace rbee::net
