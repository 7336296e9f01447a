#include "engine/digest.h"

#include "engine/test_folder.h"

#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

// The values of FIPS 180-2 for "abc".
TEST(Digest, KnownTextHasItsKnownSums) {
  const TestFolder folder;
  put_file(folder / "abc", "abc");
  EXPECT_EQ(*sha256_of_file(folder / "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(*sha512_base64_of_file(folder / "abc"),
            "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==");
  EXPECT_EQ(short_hash("abc"), "ba7816bf");
}

TEST(Digest, FileLargerThanOneReadIsReadWhole) {
  const TestFolder folder;
  put_file(folder / "large", std::string(1u << 20, 'a') + "b");
  put_file(folder / "other", std::string(1u << 20, 'a') + "c");
  EXPECT_NE(*sha256_of_file(folder / "large"), *sha256_of_file(folder / "other"));
}

TEST(Digest, MissingFileIsNamed) {
  const Result<std::string> sum = sha256_of_file("/no/such/file");
  ASSERT_FALSE(sum);
  EXPECT_NE(sum.error().message.find("'/no/such/file'"), std::string::npos);
}

}  // namespace
}  // namespace rbee::engine
