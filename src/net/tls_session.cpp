#include "net/tls_session.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cstring>

namespace rbee::net {

// OpenSSL hands over each ticket that a server gave; 1 says that the session is ours now.
int keep_session(SSL* ssl, SSL_SESSION* session) {
  const auto* self = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  if (self == nullptr || self->peer_.empty()) return 0;
  self->context_->impl().keep(self->peer_, Openssl<SSL_SESSION>(session));
  return 1;
}

// OpenSSL's two ends of a session's wire. Memory BIOs would do as well, but each keeps for good what its
// largest burst took, and what is sent is copied twice.
struct Wire {
  static TlsSession& session_of(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* to, int size) {
    TlsSession::Way& fed = session_of(bio).fed_;
    const std::string_view there = fed.unread().substr(0, static_cast<std::size_t>(size));
    BIO_clear_retry_flags(bio);
    if (there.empty()) {
      BIO_set_retry_read(bio);  // not yet, and no end
      return -1;
    }
    std::memcpy(to, there.data(), there.size());
    const int got = static_cast<int>(there.size());
    fed.consume(there.size());
    return got;
  }

  static int write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    session_of(bio).pending_.append({bytes, static_cast<std::size_t>(size)});
    return size;
  }

  static long control(BIO*, int what, long, void*) { return what == BIO_CTRL_FLUSH ? 1 : 0; }
};

Openssl<BIO_METHOD> wire_method() {
  Openssl<BIO_METHOD> method(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "rbee wire"));
  if (!method) return nullptr;
  BIO_meth_set_read(method.get(), Wire::read);
  BIO_meth_set_write(method.get(), Wire::write);
  BIO_meth_set_ctrl(method.get(), Wire::control);
  return method;
}

void TlsSession::Way::consume(std::size_t bytes) {
  read_ += bytes;
  if (read_ < bytes_.size()) return;
  read_ = 0;
  if (bytes_.capacity() <= most_kept_bytes)
    bytes_.clear();
  else
    std::string().swap(bytes_);
}

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, std::string peer)
    : context_(std::move(context)), peer_(std::move(peer)), ssl_(SSL_new(context_->impl().context.get())) {
  BIO* wire = BIO_new(context_->impl().wire.get());
  BIO_set_data(wire, this);
  BIO_set_init(wire, 1);
  SSL_set_bio(ssl_.get(), wire, wire);
  SSL_set_app_data(ssl_.get(), this);
  if (context_->impl().is_server) {
    SSL_set_accept_state(ssl_.get());
    return;
  }
  SSL_set_connect_state(ssl_.get());
  const std::string& name = context_->impl().server_name;
  if (!name.empty()) SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
  if (const std::string& host = context_->impl().host; !host.empty()) {
    if (is_numeric_address(host))
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
    else
      SSL_set1_host(ssl_.get(), host.c_str());
  }
  if (peer_.empty()) return;
  if (const Openssl<SSL_SESSION> kept = context_->impl().take(peer_)) SSL_set_session(ssl_.get(), kept.get());
}

TlsSession::~TlsSession() {
  // OpenSSL forgets the session of a connection that was cut, but a cut network makes no key less right.
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void TlsSession::feed(std::string_view bytes) { fed_.append(bytes); }

TlsSession::Outcome TlsSession::outcome_of(int result) {
  if (result > 0) return Outcome::done;
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return Outcome::wants_input;
  if (error == SSL_ERROR_ZERO_RETURN) return Outcome::ended;
  failure_ = openssl_words();
  return Outcome::failed;
}

TlsSession::Outcome TlsSession::handshake() {
  ERR_clear_error();
  return outcome_of(SSL_do_handshake(ssl_.get()));
}

TlsSession::Read TlsSession::read(char* buffer, std::size_t size) {
  // Whoever waits for the next request or answer asks first: going through OpenSSL to be told that nothing
  // has come costs as much as a record.
  const bool has_ended = (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
  if (fed_.unread().empty() && SSL_has_pending(ssl_.get()) == 0 && !has_ended)
    return {Outcome::wants_input, 0};
  ERR_clear_error();
  const int room = static_cast<int>(std::min<std::size_t>(size, longest_record_bytes));
  const int got = SSL_read(ssl_.get(), buffer, room);
  const Outcome outcome = outcome_of(got);
  return {outcome, outcome == Outcome::done ? static_cast<std::size_t>(got) : 0};
}

TlsSession::Outcome TlsSession::look() {
  ERR_clear_error();
  char byte = 0;
  return outcome_of(SSL_peek(ssl_.get(), &byte, 1));
}

bool TlsSession::write(std::string_view plain) {
  ERR_clear_error();
  while (!plain.empty()) {
    const int wanted = static_cast<int>(std::min(plain.size(), longest_record_bytes));
    const int taken = SSL_write(ssl_.get(), plain.data(), wanted);
    if (outcome_of(taken) != Outcome::done) return false;
    plain.remove_prefix(static_cast<std::size_t>(taken));
  }
  return true;
}

void TlsSession::say_end() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

const std::string& TlsSession::peer_key() const {
  if (peer_key_.empty()) peer_key_ = print_of(SSL_get0_peer_certificate(ssl_.get()));
  return peer_key_;
}

bool TlsSession::is_certified() const {
  return !context_->impl().host.empty() && SSL_get_verify_result(ssl_.get()) == X509_V_OK &&
         SSL_get0_peer_certificate(ssl_.get()) != nullptr;
}

bool TlsSession::was_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

}  // namespace rbee::net
