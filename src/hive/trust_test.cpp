#include "hive/trust.h"

#include "net/tls.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

constexpr std::int64_t noon = 1'800'000'000'000;
const std::string keeper_key(net::key_print_length, 'k');

PairRequest with_secret(std::string secret) {
  return {.secret = std::move(secret),
          .key_print = keeper_key,
          .hive_name = "gaming-pc",
          .addresses = {"192.168.1.10:7833"}};
}

std::string refusal(const PairRequest& request, const std::optional<TokenRecord>& token, std::int64_t now) {
  const Result<KnownKeeper> admitted = admit(request, token, now);
  return admitted ? "" : admitted.error().message;
}

TEST(Trust, TheSecretOfTheTokenLetsItsKeeperIn) {
  const Result<KnownKeeper> keeper = admit(with_secret("s3cret"), record_of("s3cret", noon), noon + 1);
  ASSERT_TRUE(keeper) << keeper.error().message;
  EXPECT_EQ(keeper->key_print, keeper_key);
  EXPECT_EQ(keeper->hive_name, "gaming-pc");
}

TEST(Trust, AnotherSecretOrNoneLetsNobodyIn) {
  EXPECT_NE(refusal(with_secret("other"), record_of("s3cret", noon), noon), "");
  EXPECT_NE(refusal(with_secret("s3cret"), std::nullopt, noon), "");
  PairRequest nameless = with_secret("s3cret");
  nameless.key_print.clear();
  EXPECT_NE(refusal(nameless, record_of("s3cret", noon), noon), "");
}

TEST(Trust, ATokenLivesAnHourByTheHivesOwnClock) {
  const TokenRecord token = record_of("s3cret", noon);
  EXPECT_EQ(refusal(with_secret("s3cret"), token, noon + token_life_ms - 1), "");
  EXPECT_NE(refusal(with_secret("s3cret"), token, noon + token_life_ms).find("expired 0 minutes ago"),
            std::string::npos);
}

TEST(Trust, NothingThatIsKeptLetsAnybodyIn) {
  EXPECT_EQ(token_text(record_of("s3cret", noon)).find("s3cret"), std::string::npos);
}

TEST(Trust, IsReadAsItWasWritten) {
  const KnownKeeper keeper{keeper_key, "gaming-pc", {"192.168.1.10:7833"}, true, "keeper.lan:7833"};
  const Result<KnownKeeper> read = parse_keeper(keeper_text(keeper));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->key_print, keeper.key_print);
  EXPECT_EQ(read->hive_name, keeper.hive_name);
  EXPECT_EQ(read->addresses, keeper.addresses);
  EXPECT_TRUE(read->asking);
  EXPECT_EQ(parse_token_record(token_text(record_of("x", noon)))->expires_unix_ms, noon + token_life_ms);
}

TEST(Trust, DamagedFilesSayHowToGoOn) {
  for (const char* text : {"", "{}", "[]", "{\"key\": \"short\"}"}) {
    const Result<KnownKeeper> keeper = parse_keeper(text);
    ASSERT_FALSE(keeper) << text;
    EXPECT_EQ(keeper.error().code, ErrorCode::bad_config);
    EXPECT_NE(keeper.error().hint.find("--revoke"), std::string::npos);
    EXPECT_EQ(parse_token_record(text).error().code, ErrorCode::bad_config);
  }
}

TEST(Trust, APairRequestNeedsItsFields) {
  EXPECT_EQ(parse_pair_request("{}", keeper_key).error().code, ErrorCode::bad_request);
  EXPECT_EQ(parse_pair_request(R"({"secret": "x", "hive": ""})", keeper_key).error().code,
            ErrorCode::bad_request);
  const Result<PairRequest> whole =
      parse_pair_request(R"({"secret": "x", "hive": "pc", "addresses": ["a", 7, "b"]})", keeper_key);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->addresses, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace rbee::hive
