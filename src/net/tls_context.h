// The inside of a TlsContext, for the sessions made from it. Of net/ only.
#pragma once

#include "net/tls.h"

#include <openssl/ssl.h>

#include <mutex>
#include <unordered_map>

namespace rbee::net {

struct FreeOpenssl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(SSL_SESSION* kept) const { SSL_SESSION_free(kept); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(BIO* bytes) const { BIO_free_all(bytes); }
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};
template <class T>
using Openssl = std::unique_ptr<T, FreeOpenssl>;

struct TlsContext::Impl {
  // Sessions of so many other ends are kept for resuming: more hives than one keeper is made for.
  static constexpr std::size_t most_kept_sessions = 4096;

  Openssl<SSL_CTX> context = {};
  Openssl<BIO_METHOD> wire = {};  // how its sessions read what they were fed (tls_session.cpp)
  bool is_server = false;
  std::string server_name = {};  // of a client: what it asks for
  std::string host = {};         // of a client that looks at certificates: who it must be for
  Named other = {};              // of a server

  void keep(const std::string& peer, Openssl<SSL_SESSION> session);
  // A session is used once, as TLS 1.3 asks.
  [[nodiscard]] Openssl<SSL_SESSION> take(const std::string& peer);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, Openssl<SSL_SESSION>> sessions_;
};

// Of Impl::wire; null where OpenSSL has no memory.
[[nodiscard]] Openssl<BIO_METHOD> wire_method();
// What OpenSSL last complained of on this thread, and clears it.
[[nodiscard]] std::string openssl_words();
// "10.0.0.1", "::1".
[[nodiscard]] bool is_numeric_address(const std::string& host);
// Empty where there is none.
[[nodiscard]] std::string print_of(X509* certificate);

}  // namespace rbee::net
