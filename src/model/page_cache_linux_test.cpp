#include "base/file.h"
#include "model/page_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace rbee::model {
namespace {

TEST(PageCache, SaysWhatWasCachedAndWhatStayed) {
  std::string folder = "/tmp/rbee-pages-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::filesystem::path file = std::filesystem::path(folder) / "some.gguf";
  ASSERT_TRUE(write_file(file, std::string(1u << 20, 'x')));
  const Result<CachedBytes> first = forget_pages(file);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->of, 1u << 20);
  EXPECT_EQ(first->before, 1u << 20);  // it was written a moment ago
  EXPECT_LE(first->after, first->before);
  // What is forgotten stays so until somebody reads it: the file system of a test may keep it in memory.
  const Result<CachedBytes> again = forget_pages(file);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->before, first->after);
  std::filesystem::remove_all(folder);
}

TEST(PageCache, FailsWithTheNameOfAFileThatIsNotThere) {
  const Result<CachedBytes> none = forget_pages("/nowhere/some.gguf");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::io_failed);
  EXPECT_NE(none.error().message.find("/nowhere/some.gguf"), std::string::npos);
}

}  // namespace
}  // namespace rbee::model
