// Two ends joined without a socket.
#include "net/tls_session.h"

#include <gtest/gtest.h>

namespace rbee::net {
namespace {

TlsIdentity identity(std::string_view name) {
  Result<TlsIdentity> made = make_identity(name, {"127.0.0.1", "::1", "gaming-pc"});
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

std::shared_ptr<const TlsContext> server_of(const TlsIdentity& own, bool asks_for_key) {
  return TlsContext::server(own, asks_for_key).value();
}

void carry(TlsSession& from, TlsSession& to) {
  to.feed(from.pending());
  from.sent(from.pending().size());
}

// Lets both speak until both are done, or one has failed.
void join(TlsSession& client, TlsSession& server) {
  for (int round = 0; round < 5; ++round) {
    if (client.handshake() == TlsSession::Outcome::failed) return;
    carry(client, server);
    if (server.handshake() == TlsSession::Outcome::failed) return;
    carry(server, client);
  }
}

std::string read_all(TlsSession& from) {
  std::string all;
  std::string piece(longest_record_bytes, '\0');
  while (true) {
    const TlsSession::Read got = from.read(piece.data(), piece.size());
    if (got.outcome != TlsSession::Outcome::done) return all;
    all.append(piece, 0, got.bytes);
  }
}

TEST(TlsSession, EachEndKnowsTheKeyThatTheOtherProved) {
  const TlsIdentity keeper = identity("keeper");
  const TlsIdentity hive = identity("gaming-pc");
  TlsSession client(TlsContext::client(keeper).value(), {});
  TlsSession server(server_of(hive, true), {});
  join(client, server);
  EXPECT_EQ(client.peer_key(), key_print_of(hive).value());
  EXPECT_EQ(server.peer_key(), key_print_of(keeper).value());
  EXPECT_NE(client.peer_key(), server.peer_key());
  EXPECT_EQ(client.peer_key().size(), key_print_length);
}

TEST(TlsSession, WhoSaysTheOtherNameMeetsTheOtherKeyAndIsAskedForHisOwn) {
  const TlsIdentity shown = identity("shown");
  const TlsIdentity inner = identity("inner");
  const TlsIdentity hive = identity("gaming-pc");
  const auto both = TlsContext::server(shown, false, {"hives.rbee.internal", server_of(inner, true)}).value();
  TlsSession anybody(TlsContext::client(hive, "keeper.lan").value(), {});
  TlsSession to_anybody(both, {});
  join(anybody, to_anybody);
  EXPECT_EQ(anybody.peer_key(), key_print_of(shown).value());
  EXPECT_EQ(to_anybody.peer_key(), "");
  TlsSession dialled(TlsContext::client(hive, "hives.rbee.internal").value(), {});
  TlsSession to_hive(both, {});
  join(dialled, to_hive);
  EXPECT_EQ(dialled.peer_key(), key_print_of(inner).value());
  EXPECT_EQ(to_hive.peer_key(), key_print_of(hive).value());
}

TEST(TlsSession, ACertificateThatNobodyHereTrustsIsLookedAtOrRefused) {
  using enum TlsContext::Certificates;
  const auto server = server_of(identity("keeper"), false);
  TlsSession curious(TlsContext::public_client("gaming-pc", looked_at).value(), {});
  TlsSession first(server, {});
  join(curious, first);
  EXPECT_FALSE(curious.is_certified());
  EXPECT_EQ(curious.peer_key().size(), key_print_length);
  TlsSession strict(TlsContext::public_client("gaming-pc", required).value(), {});
  TlsSession second(server, {});
  join(strict, second);
  EXPECT_EQ(strict.handshake(), TlsSession::Outcome::failed);
}

TEST(Certifies, NamesAndAddressesMustAllBeInIt) {
  const TlsIdentity own = identity("gaming-pc");
  EXPECT_TRUE(certifies(own, {}));
  EXPECT_TRUE(certifies(own, {"127.0.0.1", "::1", "gaming-pc"}));
  EXPECT_FALSE(certifies(own, {"127.0.0.1", "10.0.0.1"}));
  EXPECT_FALSE(certifies(own, {"mac-studio"}));
  EXPECT_FALSE(certifies({"", ""}, {}));
}

TEST(TlsSession, AServerThatDoesNotAskSeesNoKey) {
  TlsSession client(TlsContext::client(identity("keeper")).value(), {});
  TlsSession server(server_of(identity("gaming-pc"), false), {});
  join(client, server);
  EXPECT_EQ(server.peer_key(), "");
  EXPECT_TRUE(client.write("GET"));
  carry(client, server);
  EXPECT_EQ(read_all(server), "GET");
}

TEST(TlsSession, CarriesTextOfManyRecords) {
  TlsSession client(TlsContext::client(identity("keeper")).value(), {});
  TlsSession server(server_of(identity("gaming-pc"), true), {});
  join(client, server);
  const std::string text(5 * longest_record_bytes + 7, 'x');
  EXPECT_TRUE(server.write(text));
  EXPECT_EQ(server.pending().find("xxxx"), std::string_view::npos) << "sent in the clear";
  carry(server, client);
  EXPECT_EQ(read_all(client), text);
}

TEST(TlsSession, AnEndIsSaidAndIsNotACut) {
  TlsSession client(TlsContext::client(identity("keeper")).value(), {});
  TlsSession server(server_of(identity("gaming-pc"), true), {});
  join(client, server);
  EXPECT_EQ(client.look(), TlsSession::Outcome::wants_input);
  server.say_end();
  carry(server, client);
  EXPECT_EQ(client.look(), TlsSession::Outcome::ended);
}

TEST(TlsSession, AChangedByteBreaksIt) {
  TlsSession client(TlsContext::client(identity("keeper")).value(), {});
  TlsSession server(server_of(identity("gaming-pc"), true), {});
  join(client, server);
  EXPECT_TRUE(server.write("hello"));
  std::string changed(server.pending());
  changed.back() = static_cast<char>(changed.back() ^ 1);
  client.feed(changed);
  EXPECT_EQ(client.look(), TlsSession::Outcome::failed);
  EXPECT_NE(client.failure(), "");
}

TEST(TlsSession, IsResumedWithTheSameKeyKnown) {
  const std::shared_ptr<const TlsContext> own = TlsContext::client(identity("keeper")).value();
  const TlsIdentity hive = identity("gaming-pc");
  const std::shared_ptr<const TlsContext> other = server_of(hive, true);
  {
    TlsSession client(own, "192.168.1.100:7835");
    TlsSession server(other, {});
    join(client, server);
    EXPECT_EQ(client.look(), TlsSession::Outcome::wants_input);  // takes the server's tickets
    EXPECT_FALSE(client.was_resumed());
  }
  TlsSession client(own, "192.168.1.100:7835");
  TlsSession server(other, {});
  join(client, server);
  EXPECT_TRUE(client.was_resumed());
  EXPECT_EQ(client.peer_key(), key_print_of(hive).value());
  EXPECT_NE(server.peer_key(), "");
  TlsSession stranger(own, "192.168.1.101:7835");
  TlsSession third(other, {});
  join(stranger, third);
  EXPECT_FALSE(stranger.was_resumed());
}

TEST(TlsIdentity, ANewCertificateKeepsTheKey) {
  const TlsIdentity first = identity("gaming-pc");
  const Result<TlsIdentity> second = renew_certificate(first, "gaming-pc", {"10.0.0.7"});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(first.certificate_pem, second->certificate_pem);
  EXPECT_EQ(key_print_of(first).value(), key_print_of(*second).value());
}

TEST(TlsIdentity, WhatIsNoPemIsRefused) {
  EXPECT_EQ(key_print_of({"", "nonsense"}).error().code, ErrorCode::bad_config);
  EXPECT_EQ(TlsContext::client({"nonsense", "nonsense"}).error().code, ErrorCode::bad_config);
  const TlsIdentity one = identity("one");
  const TlsIdentity other = identity("other");
  const auto mixed = TlsContext::server({one.key_pem, other.certificate_pem}, true);
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().code, ErrorCode::bad_config);
}

TEST(Secrets, AreLongAndNoTwoAreEqual) {
  const std::string one = new_secret(16);
  EXPECT_EQ(one.size(), 22u);
  EXPECT_NE(one, new_secret(16));
  EXPECT_TRUE(equal_secrets(one, std::string(one)));
  EXPECT_FALSE(equal_secrets(one, one + "x"));
  EXPECT_FALSE(equal_secrets("a", "b"));
  // sha256("abc"), base64url.
  EXPECT_EQ(secret_hash("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

}  // namespace
}  // namespace rbee::net
