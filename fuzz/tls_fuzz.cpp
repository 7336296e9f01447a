// What the other end of a TLS connection sends, from its first byte on: the first byte of the input chooses
// whether it comes before the handshake, in the middle of it, or behind it. No crash, no endless loop, and
// never a byte of plain text that the other end did not write.
#include "net/tls_session.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace {

using rbee::net::longest_record_bytes;
using rbee::net::TlsContext;
using rbee::net::TlsSession;
using Outcome = TlsSession::Outcome;

constexpr std::string_view written = "what the other end wrote, and nothing else";

struct Ends {
  std::shared_ptr<const TlsContext> client, server;
};

// One for all inputs: making a key takes longer than what an input does.
const Ends& ends() {
  static const Ends made = [] {
    const auto own = rbee::net::make_identity("fuzz", {"127.0.0.1"});
    if (!own) std::abort();
    return Ends{*TlsContext::client(*own), *TlsContext::server(*own, true)};
  }();
  return made;
}

// What `from` has to say, to `to`.
void carry(TlsSession& from, TlsSession& to) {
  const std::string bytes(from.pending());
  from.sent(bytes.size());
  to.feed(bytes);
}

void read_all(TlsSession& session) {
  char room[longest_record_bytes];
  std::string got;
  while (true) {
    const TlsSession::Read read = session.read(room, sizeof room);
    if (read.outcome != Outcome::done) break;
    got.append(room, read.bytes);
    if (!written.starts_with(got)) std::abort();
  }
  static_cast<void>(session.look());
}

void before(const std::shared_ptr<const TlsContext>& context, std::string_view bytes) {
  TlsSession session(context, "");
  session.feed(bytes);
  static_cast<void>(session.handshake());
  session.feed(bytes);
  static_cast<void>(session.handshake());
}

// Each flight of the client's goes to the server with one byte changed where the input says so.
void within(std::string_view bytes) {
  TlsSession client(ends().client, "");
  TlsSession server(ends().server, "");
  Outcome of_client = client.handshake();
  for (std::size_t turn = 0; turn < 8; ++turn) {
    std::string flight(client.pending());
    client.sent(flight.size());
    if (2 * turn + 1 < bytes.size() && !flight.empty()) {
      const auto place = static_cast<unsigned char>(bytes[2 * turn]);
      char& changed = flight[place * flight.size() / 256];
      changed = static_cast<char>(changed ^ bytes[2 * turn + 1]);
    }
    server.feed(flight);
    const Outcome of_server = server.handshake();
    carry(server, client);
    if (of_client != Outcome::done) of_client = client.handshake();
    if (of_server == Outcome::failed || of_client == Outcome::failed) return;
    if (of_server != Outcome::done || of_client != Outcome::done) continue;
    if (!client.write(written)) std::abort();
    carry(client, server);
    return read_all(server);
  }
}

void behind(std::string_view bytes) {
  TlsSession client(ends().client, "");
  TlsSession server(ends().server, "");
  Outcome of_client = Outcome::wants_input;
  Outcome of_server = Outcome::wants_input;
  while (of_client != Outcome::done || of_server != Outcome::done) {
    if (of_client != Outcome::done) of_client = client.handshake();
    carry(client, server);
    if (of_server != Outcome::done) of_server = server.handshake();
    carry(server, client);
  }
  if (!client.write(written)) std::abort();
  carry(client, server);
  server.feed(bytes);
  client.feed(bytes);
  read_all(server);
  read_all(client);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: before(ends().server, bytes); break;
    case 1: before(ends().client, bytes); break;
    case 2: within(bytes); break;
    default: behind(bytes);
  }
  return 0;
}
