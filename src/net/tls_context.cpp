#include "net/tls_context.h"

#include "base/text.h"
#include "net/tls_session.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace rbee::net {

int keep_session(SSL* ssl, SSL_SESSION* session);

namespace {

Error broken(std::string_view what) {
  return Error{ErrorCode::bad_config, cat("TLS cannot be set up: ", what, "."),
               "Remove the key's file to have a new one made; machines that pinned it must be added anew.",
               openssl_words()};
}

Openssl<BIO> bytes_of(std::string_view text) {
  return Openssl<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// Every key is taken here: whose it is is looked at once the handshake is over, by its print.
int take_any(int, X509_STORE_CTX*) { return 1; }

// A client that says the other name is meant for the other key.
int choose_key(SSL* ssl, int*, void* argument) {
  const auto* impl = static_cast<const TlsContext::Impl*>(argument);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr || impl->other.name != name) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(ssl, impl->other.context->impl().context.get());
  // It came with the first context and does not change with the key.
  SSL_set_verify(ssl, SSL_VERIFY_PEER, take_any);
  return SSL_TLSEXT_ERR_OK;
}

// The whole chain of a user's own certificate goes to clients.
bool use_certificates(SSL_CTX* context, std::string_view pem) {
  const Openssl<BIO> bytes = bytes_of(pem);
  const Openssl<X509> own(PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr));
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) return false;
  while (X509* next = PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    return false;
  }
  ERR_clear_error();  // the end of the PEM is an error to OpenSSL
  return true;
}

Result<std::unique_ptr<TlsContext::Impl>> bare(const SSL_METHOD* method) {
  auto impl = std::make_unique<TlsContext::Impl>();
  impl->context.reset(SSL_CTX_new(method));
  SSL_CTX* context = impl->context.get();
  impl->wire = wire_method();
  if (context == nullptr || !impl->wire) return broken("OpenSSL gives no context");
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  // Buffers of idle connections are given back: thousands of them wait most of their time.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  return impl;
}

Result<std::unique_ptr<TlsContext::Impl>> build(const SSL_METHOD* method, const TlsIdentity& own) {
  Result<std::unique_ptr<TlsContext::Impl>> impl = bare(method);
  if (!impl) return impl;
  SSL_CTX* context = (*impl)->context.get();
  if (!use_certificates(context, own.certificate_pem)) return broken("the certificate cannot be read");
  const Openssl<BIO> bytes = bytes_of(own.key_pem);
  const Openssl<EVP_PKEY> key(PEM_read_bio_PrivateKey(bytes.get(), nullptr, nullptr, nullptr));
  if (!key) return broken("the private key cannot be read");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return broken("the private key is not that of the certificate");
  return impl;
}

std::shared_ptr<const TlsContext> as_client(std::unique_ptr<TlsContext::Impl> impl,
                                            const std::string& server_name) {
  SSL_CTX* context = impl->context.get();
  impl->server_name = server_name;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  return std::make_shared<const TlsContext>(std::move(impl));
}

}  // namespace

void TlsContext::Impl::keep(const std::string& peer, Openssl<SSL_SESSION> session) {
  const std::scoped_lock lock(mutex_);
  if (sessions_.size() >= most_kept_sessions && !sessions_.contains(peer)) sessions_.clear();
  sessions_[peer] = std::move(session);
}

Openssl<SSL_SESSION> TlsContext::Impl::take(const std::string& peer) {
  const std::scoped_lock lock(mutex_);
  const auto found = sessions_.find(peer);
  if (found == sessions_.end()) return nullptr;
  Openssl<SSL_SESSION> session = std::move(found->second);
  sessions_.erase(found);
  return session;
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsIdentity& own,
                                                             const std::string& server_name) {
  Result<std::unique_ptr<Impl>> impl = build(TLS_client_method(), own);
  if (!impl) return impl.error();
  return as_client(std::move(*impl), server_name);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::public_client(const std::string& host,
                                                                    Certificates certificates) {
  Result<std::unique_ptr<Impl>> impl = bare(TLS_client_method());
  if (!impl) return impl.error();
  SSL_CTX* context = (*impl)->context.get();
  (*impl)->host = host;
  SSL_CTX_set_default_verify_paths(context);
  const bool numeric = is_numeric_address(host);
  std::shared_ptr<const TlsContext> client = as_client(std::move(*impl), numeric ? std::string() : host);
  if (certificates == Certificates::required) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return client;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsIdentity& own, bool asks_for_key,
                                                             Named other) {
  Result<std::unique_ptr<Impl>> impl = build(TLS_server_method(), own);
  if (!impl) return impl.error();
  (*impl)->is_server = true;
  SSL_CTX* context = (*impl)->context.get();
  if (asks_for_key) SSL_CTX_set_verify(context, SSL_VERIFY_PEER, take_any);
  // Without it a resumed session of a client with a key is refused.
  static constexpr unsigned char session_context[] = "rbee";
  SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1);
  if (other.context) {
    (*impl)->other = std::move(other);
    SSL_CTX_set_tlsext_servername_callback(context, choose_key);
    SSL_CTX_set_tlsext_servername_arg(context, impl->get());
  }
  return std::make_shared<const TlsContext>(std::move(*impl));
}

}  // namespace rbee::net
