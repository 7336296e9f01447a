#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace rbee {
namespace {

TEST(ErrorTable, NamesAreUniqueAndFindTheirRow) {
  std::set<std::string_view> names;
  for (const ErrorInfo& row : error_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(error_code_of(row.name), row.code) << row.name;
    EXPECT_EQ(&info(row.code), &row) << row.name;
  }
}

TEST(ErrorTable, EveryRowHasAStatusAnExitCodeAndAHint) {
  for (const ErrorInfo& row : error_table()) {
    EXPECT_GE(row.http_status, 400) << row.name;
    EXPECT_LT(row.http_status, 600) << row.name;
    EXPECT_GE(row.exit_code, 1) << row.name;
    EXPECT_LE(row.exit_code, 4) << row.name;
    EXPECT_FALSE(row.hint.empty()) << row.name;
  }
}

TEST(ErrorTable, ANameOfAnotherVersionCountsAsInternal) {
  EXPECT_EQ(error_code_of("from_the_future"), ErrorCode::internal);
  EXPECT_EQ(error_code_of(""), ErrorCode::internal);
}

TEST(Error, ItsOwnHintComesBeforeTheTables) {
  EXPECT_EQ(hint_of({ErrorCode::queue_full, "Full.", "Wait.", {}}), "Wait.");
  EXPECT_EQ(hint_of({ErrorCode::queue_full, "Full."}), info(ErrorCode::queue_full).hint);
}

TEST(Error, AFullDiskIsNoSpaceAndAllElseIsIo) {
  EXPECT_EQ(io_error("'x' cannot be written", ENOSPC).code, ErrorCode::no_space);
  const Error other = io_error("'x' cannot be opened", ENOENT);
  EXPECT_EQ(other.code, ErrorCode::io_failed);
  EXPECT_EQ(other.message, "'x' cannot be opened: No such file or directory.");
}

TEST(Result, UsingAnErrorAsAValueIsABugThatThrows) {
  const Result<int> failed = Error{ErrorCode::internal, "no"};
  EXPECT_THROW(static_cast<void>(failed.value()), std::logic_error);
}

TEST(Result, HasTheRoomOfAPointerForItsError) {
  EXPECT_LE(sizeof(Result<void>), 3 * sizeof(void*));
  EXPECT_LE(sizeof(Result<std::size_t>), 3 * sizeof(void*));
}

TEST(Result, ItsErrorStaysWhileAnyCopyOfItDoes) {
  Result<int> kept = 1;
  {
    const Result<int> failed = Error{ErrorCode::unreachable, "a sentence of more than fifteen letters"};
    kept = failed;
  }
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().message, "a sentence of more than fifteen letters");
  EXPECT_EQ(Result<int>(kept).error().code, ErrorCode::unreachable);
}

TEST(Result, OfNoErrorTheErrorSaysNothing) { EXPECT_EQ(Result<int>(1).error().message, ""); }

}  // namespace
}  // namespace rbee
