// TlsSession: one end of a TLS connection as a state machine. Encrypted bytes go in and come out; it knows no
// socket, so a stream can carry it, and a test can join two of them.
#pragma once

#include "net/tls_context.h"

namespace rbee::net {

class TlsSession {
 public:
  // `peer` names the other end for resuming; empty: nothing is resumed.
  TlsSession(std::shared_ptr<const TlsContext> context, std::string peer);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Outcome { done, wants_input, ended, failed };

  // Encrypted bytes that came from the other end.
  void feed(std::string_view bytes);
  [[nodiscard]] Outcome handshake();
  struct Read {
    Outcome outcome = Outcome::failed;
    std::size_t bytes = 0;  // where done
  };
  [[nodiscard]] Read read(char* buffer, std::size_t size);
  // Whether read() would give bytes, an end, or want input; takes nothing.
  [[nodiscard]] Outcome look();
  // Only after the handshake. False: the session is broken.
  [[nodiscard]] bool write(std::string_view plain);
  // Tells the other end that no more will come.
  void say_end();

  // Encrypted bytes that must go to the other end, and that so many of them went.
  [[nodiscard]] std::string_view pending() const;
  void sent(std::size_t bytes);

  // The print of the key that the other end proved to have; empty: it showed none.
  [[nodiscard]] std::string peer_key() const;
  // Of a public_client: its certificate is one that this system trusts, for that host.
  [[nodiscard]] bool is_certified() const;
  [[nodiscard]] bool was_resumed() const;
  // OpenSSL's words about what failed last.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  [[nodiscard]] Outcome outcome_of(int result);
  void collect();

  std::shared_ptr<const TlsContext> context_;
  std::string peer_;
  Openssl<SSL> ssl_;
  BIO* input_ = nullptr;   // owned by ssl_
  BIO* output_ = nullptr;  // owned by ssl_
  std::string pending_;
  std::size_t pending_sent_ = 0;
  std::string failure_;

  friend int keep_session(SSL*, SSL_SESSION*);
};

// The longest plain text of one record (RFC 8446).
inline constexpr std::size_t longest_record_bytes = 16384;

}  // namespace rbee::net
