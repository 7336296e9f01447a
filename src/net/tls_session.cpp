#include "net/tls_session.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace rbee::net {

// OpenSSL hands over each ticket that a server gave; 1 says that the session is ours now.
int keep_session(SSL* ssl, SSL_SESSION* session) {
  const auto* self = static_cast<TlsSession*>(SSL_get_app_data(ssl));
  if (self == nullptr || self->peer_.empty()) return 0;
  self->context_->impl().keep(self->peer_, Openssl<SSL_SESSION>(session));
  return 1;
}

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context, std::string peer)
    : context_(std::move(context)),
      peer_(std::move(peer)),
      ssl_(SSL_new(context_->impl().context.get())),
      input_(BIO_new(BIO_s_mem())),
      output_(BIO_new(BIO_s_mem())) {
  SSL_set_bio(ssl_.get(), input_, output_);
  SSL_set_app_data(ssl_.get(), this);
  // An empty input is "not yet", not an end.
  BIO_set_mem_eof_return(input_, -1);
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

void TlsSession::feed(std::string_view bytes) {
  // A memory BIO takes everything.
  BIO_write(input_, bytes.data(), static_cast<int>(bytes.size()));
}

TlsSession::Outcome TlsSession::outcome_of(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  collect();
  if (result > 0) return Outcome::done;
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
  collect();
  ERR_clear_error();
}

void TlsSession::collect() {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(output_, &bytes);
  if (size <= 0) return;
  pending_.append(bytes, static_cast<std::size_t>(size));
  BIO_reset(output_);
}

std::string_view TlsSession::pending() const { return std::string_view(pending_).substr(pending_sent_); }

void TlsSession::sent(std::size_t bytes) {
  pending_sent_ += bytes;
  if (pending_sent_ < pending_.size()) return;
  pending_.clear();
  pending_sent_ = 0;
}

std::string TlsSession::peer_key() const { return print_of(SSL_get0_peer_certificate(ssl_.get())); }

bool TlsSession::is_certified() const {
  return !context_->impl().host.empty() && SSL_get_verify_result(ssl_.get()) == X509_V_OK &&
         SSL_get0_peer_certificate(ssl_.get()) != nullptr;
}

bool TlsSession::was_resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

}  // namespace rbee::net
