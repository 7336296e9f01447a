// TlsSession: one end of a TLS connection as a state machine. Encrypted bytes go in and come out; it knows no
// socket, so a stream can carry it, and a test can join two of them.
#pragma once

#include "net/tls_context.h"

#include <string>
#include <string_view>

namespace rbee::net {

class TlsSession {
 public:
  // `peer` names the other end for resuming; empty: nothing is resumed.
  TlsSession(std::shared_ptr<const TlsContext> context, std::string peer);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  enum class Outcome { done, wants_input, ended, failed };

  // Encrypted bytes that came from the other end; they are copied.
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
  [[nodiscard]] std::string_view pending() const { return pending_.unread(); }
  void sent(std::size_t bytes) { pending_.consume(bytes); }

  // The print of the key that the other end proved to have; empty: it showed none. After the handshake.
  [[nodiscard]] const std::string& peer_key() const;
  // Of a public_client: its certificate is one that this system trusts, for that host.
  [[nodiscard]] bool is_certified() const;
  [[nodiscard]] bool was_resumed() const;
  // OpenSSL's words about what failed last.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  // Bytes on their way into the session or out of it. A session waits most of its time, with nothing on its
  // way: what a burst took is given back then, for thousands of sessions wait side by side.
  class Way {
   public:
    static constexpr std::size_t most_kept_bytes = 1024;
    [[nodiscard]] std::string_view unread() const { return std::string_view(bytes_).substr(read_); }
    void append(std::string_view bytes) { bytes_.append(bytes); }
    void consume(std::size_t bytes);

   private:
    std::string bytes_;
    std::size_t read_ = 0;
  };
  [[nodiscard]] Outcome outcome_of(int result);

  std::shared_ptr<const TlsContext> context_;
  std::string peer_;
  Way fed_;
  Way pending_;
  Openssl<SSL> ssl_;
  std::string failure_;
  mutable std::string peer_key_;  // once it was asked for: each request asks

  friend int keep_session(SSL*, SSL_SESSION*);
  friend struct Wire;
};

// The longest plain text of one record (RFC 8446).
inline constexpr std::size_t longest_record_bytes = 16384;

}  // namespace rbee::net
