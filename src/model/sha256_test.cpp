#include "model/sha256.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <fstream>

namespace rbee::model {
namespace {

TEST(Sha256OfFile, EndsWithinAMibWhereItIsGivenUp) {
  const std::filesystem::path file = std::filesystem::temp_directory_path() / cat("rbee-sha256-", ::getpid());
  const std::string bytes(3u << 20, 'x');
  std::ofstream(file, std::ios::binary) << bytes;
  std::atomic<std::uint64_t> done{0};
  const Result<std::string> whole = sha256_of_file(file, [] { return true; }, &done);
  ASSERT_TRUE(whole);
  EXPECT_EQ(*whole, sha256_of(bytes));
  EXPECT_EQ(done, bytes.size());
  done = 0;
  const Result<std::string> given_up = sha256_of_file(file, [&] { return done == 0; }, &done);
  std::filesystem::remove(file);
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code, ErrorCode::cancelled);
  EXPECT_EQ(done, 1u << 20);
}

}  // namespace
}  // namespace rbee::model
