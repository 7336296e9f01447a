#include "hive/place.h"

#include "base/text.h"
#include "hive/test_folder.h"

#include <unistd.h>

namespace rbee::hive {
namespace {

TEST(Place, TheSecondIsToldWhoHoldsIt) {
  const TestFolder folder;
  const Result<Place> first = Place::take(folder.path() / "hive.lock");
  ASSERT_TRUE(first);
  const Result<Place> second = Place::take(folder.path() / "hive.lock");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::already_running);
  EXPECT_NE(second.error().message.find(cat("process ", ::getpid())), std::string::npos)
      << second.error().message;
}

TEST(Place, IsFreeAgainWhenItsHolderIsGone) {
  const TestFolder folder;
  {
    ASSERT_TRUE(Place::take(folder.path() / "hive.lock"));
  }
  EXPECT_TRUE(Place::take(folder.path() / "hive.lock"));
}

TEST(Place, AFolderThatIsNotThereIsAnError) {
  const TestFolder folder;
  const Result<Place> place = Place::take(folder.path() / "none" / "hive.lock");
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, ErrorCode::io_failed);
}

}  // namespace
}  // namespace rbee::hive
