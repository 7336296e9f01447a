#include "keeper/api_keys.h"

#include <gtest/gtest.h>

#include "net/tls.h"

namespace rbee::keeper {
namespace {

ApiKey key_of(std::string name, std::string_view secret) {
  return {.name = std::move(name), .hash = net::secret_hash(secret)};
}

TEST(ApiKeys, AKeyIsKnownByItsSecretAlone) {
  ApiKeys keys;
  const std::string ann = new_api_key();
  const std::string bob = new_api_key();
  ASSERT_TRUE(keys.add(key_of("ann", ann)));
  ASSERT_TRUE(keys.add(key_of("bob", bob)));
  ASSERT_NE(keys.find(bob), nullptr);
  EXPECT_EQ(keys.find(bob)->name, "bob");
  for (const std::string& nobodys :
       {std::string(), std::string("ann"), ann + "x", ann.substr(1), new_api_key()})
    EXPECT_EQ(keys.find(nobodys), nullptr) << nobodys;
  ASSERT_TRUE(keys.remove("ann"));
  EXPECT_EQ(keys.find(ann), nullptr);
  EXPECT_NE(keys.find(bob), nullptr);
}

TEST(ApiKeys, AreReadAsTheyWereWrittenAndHoldNoSecret) {
  ApiKeys keys;
  const std::string secret = new_api_key();
  ApiKey key = key_of("lab@night", secret);
  key.made_unix_ms = 7;
  key.requests_per_minute = 60;
  key.tokens_per_minute = 10'000;
  key.models = {"llama-*", "demo"};
  key.admin = true;
  ASSERT_TRUE(keys.add(key));
  EXPECT_EQ(keys.text().find(secret), std::string::npos);
  const Result<ApiKeys> read = ApiKeys::parse(keys.text());
  ASSERT_TRUE(read) << read.error().message;
  const ApiKey* again = read->find(secret);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->requests_per_minute, 60u);
  EXPECT_EQ(again->tokens_per_minute, 10'000u);
  EXPECT_EQ(again->models, key.models);
  EXPECT_TRUE(again->admin);
  EXPECT_EQ(again->made_unix_ms, 7);
}

TEST(ApiKeys, NamesAreTakenOnceAndAreNames) {
  ApiKeys keys;
  ASSERT_TRUE(keys.add(key_of("ann", "a")));
  EXPECT_EQ(keys.add(key_of("ann", "b")).error().code, ErrorCode::name_taken);
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("../x"), std::string(65, 'a')})
    EXPECT_EQ(keys.add(key_of(bad, "b")).error().code, ErrorCode::bad_usage) << bad;
  const Result<void> near = keys.remove("anne");
  ASSERT_FALSE(near);
  EXPECT_NE(near.error().hint.find("'ann'"), std::string::npos);
}

TEST(ApiKeys, ThereIsALimit) {
  ApiKeys keys;
  for (std::size_t i = 0; i < ApiKeys::most_keys; ++i)
    ASSERT_TRUE(keys.add(key_of("k" + std::to_string(i), std::to_string(i))));
  EXPECT_EQ(keys.add(key_of("one-more", "x")).error().code, ErrorCode::not_allowed);
}

TEST(ApiKeys, DamagedFilesAreRefusedWhole) {
  for (const char* text :
       {"", "{", R"({"keys": [{"name": "ann"}]})", R"({"keys": [{"name": "a b", "hash": ""}]})"}) {
    const Result<ApiKeys> read = ApiKeys::parse(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::bad_config);
  }
}

TEST(ApiKeys, ModelsMayBeNamedByPattern) {
  ApiKey key = key_of("ann", "a");
  EXPECT_TRUE(may_use(key, "anything"));
  key.models = {"llama-*", "demo"};
  EXPECT_TRUE(may_use(key, "llama-3.1-8b"));
  EXPECT_TRUE(may_use(key, "demo"));
  EXPECT_FALSE(may_use(key, "mistral-7b"));
}

TEST(PresentedKey, IsReadAsClientsSendIt) {
  EXPECT_EQ(presented_key("Bearer rbee-x", ""), "rbee-x");
  EXPECT_EQ(presented_key("bearer  rbee-x ", ""), "rbee-x");
  EXPECT_EQ(presented_key("", "rbee-y"), "rbee-y");
  EXPECT_EQ(presented_key("Basic abc", ""), "");
  EXPECT_EQ(presented_key("Bearer ", ""), "");
}

}  // namespace
}  // namespace rbee::keeper
