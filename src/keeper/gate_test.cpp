#include "keeper/gate.h"

#include "base/file.h"
#include "net/tls.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <cstdlib>

namespace rbee::keeper {
namespace {

class GateTest : public ::testing::Test {
 protected:
  static std::filesystem::path made_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "rbee-gate-XXXXXX").string();
    return mkdtemp(name.data());
  }
  ~GateTest() override { std::filesystem::remove_all(folder_); }

  // A key of that name from now on; its secret.
  std::string add(ApiKey key) {
    const std::string secret = new_api_key();
    key.hash = net::secret_hash(secret);
    EXPECT_TRUE(keys_.add(std::move(key)));
    EXPECT_TRUE(write_file(folder_ / keys_file, keys_.text()));
    return secret;
  }
  void remove(std::string_view name) {
    EXPECT_TRUE(keys_.remove(name));
    EXPECT_TRUE(write_file(folder_ / keys_file, keys_.text()));
  }

  enum class From { here, elsewhere };
  // "ann", "anonymous", or the error's name.
  std::string admitted(From from, Right right, net::Headers headers) {
    net::RequestHead head;
    head.headers = std::move(headers);
    const Result<Page> page = gate_.page_of(head);
    if (!page) return std::string(info(page.error().code).name);
    const Result<Visitor> visitor = gate_.admit(head, *page, from == From::here, right);
    if (!visitor) return std::string(info(visitor.error().code).name);
    return visitor->key ? visitor->key->name : "anonymous";
  }
  static net::Headers with(const std::string& secret, const char* host = "192.168.1.5:7833") {
    return {{"Host", host}, {"Authorization", "Bearer " + secret}};
  }

  std::filesystem::path folder_ = made_folder();
  ApiKeys keys_;
  ManualClock clock_;
  Gate gate_{clock_, Log::none(), folder_ / keys_file};
};

TEST_F(GateTest, ThisMachineNeedsNoKeyAndEverybodyElseDoes) {
  ASSERT_TRUE(gate_.open());
  const net::Headers local{{"Host", "127.0.0.1:7833"}};
  const net::Headers remote{{"Host", "192.168.1.5:7833"}};
  EXPECT_EQ(admitted(From::here, Right::admin, local), "anonymous");
  EXPECT_EQ(admitted(From::elsewhere, Right::client, remote), "invalid_api_key");
  EXPECT_EQ(admitted(From::elsewhere, Right::anyone, remote), "anonymous");
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with("rbee-nobodys")), "invalid_api_key");
}

TEST_F(GateTest, AKeyOfTheClientsOwnInventionStandsInNobodysWayHere) {
  ASSERT_TRUE(gate_.open());
  EXPECT_EQ(admitted(From::here, Right::client, with("ollama", "localhost")), "anonymous");
}

TEST_F(GateTest, KeysHoldFromTheNextRequestOn) {
  ASSERT_TRUE(gate_.open());
  EXPECT_FALSE(gate_.has_keys());
  const std::string ann = add({.name = "ann", .hash = {}});
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann)), "ann");
  EXPECT_EQ(admitted(From::elsewhere, Right::client, {{"Host", "h"}, {"x-api-key", ann}}), "ann");
  EXPECT_EQ(admitted(From::here, Right::client, with(ann)), "ann") << "under whatever name it was asked";
  remove("ann");
  clock_.advance(Gate::looks_apart);
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann)), "invalid_api_key");
}

TEST_F(GateTest, AKeyThatWasMadeAMomentAgoOpensAtOnceAndOneThatIsWrongNever) {
  ASSERT_TRUE(gate_.open());
  const std::string ann = add({.name = "ann", .hash = {}});
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann)), "ann");
  const std::string bob = add({.name = "bob", .hash = {}});
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with(bob)), "bob");
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann)), "ann");
    EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann + "x")), "invalid_api_key");
  }
}

TEST_F(GateTest, MoreKeysThanAreRecognizedAreComparedAnew) {
  ASSERT_TRUE(gate_.open());
  std::vector<std::string> secrets;
  for (std::size_t i = 0; i <= Gate::most_recognized; ++i) {
    ApiKey key{.name = "k" + std::to_string(i), .hash = {}};
    secrets.push_back(new_api_key());
    key.hash = net::secret_hash(secrets.back());
    ASSERT_TRUE(keys_.add(std::move(key)));
  }
  ASSERT_TRUE(write_file(folder_ / keys_file, keys_.text()));
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < secrets.size(); ++i)
      ASSERT_EQ(admitted(From::elsewhere, Right::client, with(secrets[i])), "k" + std::to_string(i));
  }
}

TEST_F(GateTest, AFileThatCannotBeReadChangesNothing) {
  ASSERT_TRUE(gate_.open());
  const std::string ann = add({.name = "ann", .hash = {}});
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann)), "ann");
  ASSERT_TRUE(write_file(folder_ / keys_file, "{"));
  EXPECT_EQ(admitted(From::elsewhere, Right::client, with(ann)), "ann");
  EXPECT_FALSE(gate_.open());
}

TEST_F(GateTest, OnlyAKeyForThatAdministersFromElsewhere) {
  ASSERT_TRUE(gate_.open());
  const std::string ann = add({.name = "ann", .hash = {}});
  const std::string boss = add({.name = "boss", .hash = {}, .admin = true});
  EXPECT_EQ(admitted(From::elsewhere, Right::admin, with(ann)), "not_allowed");
  EXPECT_EQ(admitted(From::elsewhere, Right::admin, with(boss)), "boss");
  EXPECT_EQ(admitted(From::here, Right::admin, with(ann, "localhost")), "ann");
}

TEST_F(GateTest, WhatAProxyHerePassesOnNeedsAKeyWhereThereAreSomeAndNeverAdministers) {
  ASSERT_TRUE(gate_.open());
  const auto passed_on = [](std::string_view field) {
    return net::Headers{{"Host", "localhost"}, {net::FieldName(field), "203.0.113.7"}};
  };
  for (const char* field : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"}) {
    EXPECT_EQ(admitted(From::here, Right::client, passed_on(field)), "anonymous") << field;
    EXPECT_EQ(admitted(From::here, Right::admin, passed_on(field)), "invalid_api_key") << field;
  }
  add({.name = "ann", .hash = {}});
  ASSERT_TRUE(gate_.open());
  for (const char* field : {"X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"})
    EXPECT_EQ(admitted(From::here, Right::client, passed_on(field)), "invalid_api_key") << field;
}

TEST_F(GateTest, APageOfAnotherSiteGetsInOnlyWhereItIsNamedAndNeverToAdminister) {
  ASSERT_TRUE(gate_.open());
  const net::Headers page{{"Host", "127.0.0.1:7833"}, {"Origin", "https://chat.example"}};
  EXPECT_EQ(admitted(From::here, Right::client, page), "not_allowed");
  gate_.set_origins({"https://chat.example"});
  EXPECT_EQ(admitted(From::here, Right::client, page), "anonymous");
  EXPECT_EQ(admitted(From::here, Right::admin, page), "not_allowed");
  // DNS rebinding: the page's own name leads here.
  EXPECT_EQ(
      admitted(From::here, Right::client, {{"Host", "evil.example"}, {"Origin", "http://evil.example"}}),
      "not_allowed");
}

TEST_F(GateTest, ALimitThatIsReachedSaysWhichAndHowLong) {
  ASSERT_TRUE(gate_.open());
  const Visitor visitor{std::make_shared<ApiKey>(
      ApiKey{.name = "ann", .hash = {}, .requests_per_minute = 1, .tokens_per_minute = 60})};
  EXPECT_FALSE(gate_.take_request(visitor));
  const auto requests = gate_.take_request(visitor);
  ASSERT_TRUE(requests);
  EXPECT_EQ(requests->error.message, "The key 'ann' has used its 1 requests of a minute.");
  EXPECT_EQ(requests->retry_after_s, 60);
  clock_.advance(Milliseconds{60'000});
  gate_.spend(visitor, 90);
  const auto tokens = gate_.take_request(visitor);
  ASSERT_TRUE(tokens);
  EXPECT_EQ(tokens->error.message, "The key 'ann' has used its 60 tokens of a minute.");
  EXPECT_EQ(tokens->retry_after_s, 31);
}

}  // namespace
}  // namespace rbee::keeper
