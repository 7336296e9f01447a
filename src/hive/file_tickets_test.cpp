#include "hive/file_tickets.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

constexpr Instant now{};

FileTickets one() {
  FileTickets tickets;
  tickets.issue("secret", "key-of-b", {{.path = "/m/a.gguf", .name = "a.gguf", .bytes = 10}}, now);
  return tickets;
}

std::string found(const FileTickets& tickets, std::string_view secret, std::string_view key,
                  std::size_t file = 0, Instant at = now) {
  const Result<SharedFile> file_found = tickets.find(secret, key, file, at);
  return file_found ? file_found->path : std::string(info(file_found.error().code).name);
}

TEST(FileTickets, ATicketIsGoodForItsKeyAndItsFilesOnly) {
  EXPECT_EQ(found(one(), "secret", "key-of-b"), "/m/a.gguf");
  EXPECT_EQ(found(one(), "secret", "key-of-c"), "not_allowed");
  EXPECT_EQ(found(one(), "secret", ""), "not_allowed");
  EXPECT_EQ(found(one(), "secres", "key-of-b"), "not_allowed");
  EXPECT_EQ(found(one(), "", "key-of-b"), "not_allowed");
  EXPECT_EQ(found(one(), "secret", "key-of-b", 1), "unknown_name");
}

TEST(FileTickets, ATicketServesForADayAgainAndAgain) {
  const FileTickets tickets = one();
  EXPECT_EQ(found(tickets, "secret", "key-of-b", 0, now + FileTickets::serves_for - Milliseconds{1}),
            "/m/a.gguf");
  EXPECT_EQ(found(tickets, "secret", "key-of-b", 0, now + FileTickets::serves_for), "not_allowed");
}

TEST(FileTickets, TheOldestGivesWay) {
  FileTickets tickets = one();
  for (std::size_t i = 0; i < FileTickets::most; ++i) tickets.issue(cat("s", i), "k", {{.path = "/x"}}, now);
  EXPECT_EQ(found(tickets, "secret", "key-of-b"), "not_allowed");
  EXPECT_EQ(found(tickets, "s0", "k"), "/x");
}

TEST(FileTickets, APathIsATicketAndANumber) {
  EXPECT_EQ(file_target("/files/abc/2")->ticket, "abc");
  EXPECT_EQ(file_target("/files/abc/2")->file, 2u);
  for (const char* wrong : {"/files/", "/files/abc", "/files//1", "/files/abc/x", "/files/abc/1/2",
                            "/filesabc/1", "/files/abc/-1", "/files/abc/99999999999999999999999"}) {
    EXPECT_FALSE(file_target(wrong)) << wrong;
  }
}

std::string range(std::string_view header, std::uint64_t bytes = 100) {
  const Result<ByteRange> got = parse_range(header, bytes);
  return got ? cat(got->first, "+", got->size) : "refused";
}

TEST(FileTickets, ARangeIsOfTheFileOrRefused) {
  EXPECT_EQ(range(""), "0+100");
  EXPECT_EQ(range("bytes=40-"), "40+60");
  EXPECT_EQ(range("bytes=40-49"), "40+10");
  EXPECT_EQ(range("bytes=40-4000"), "40+60");
  EXPECT_EQ(range("bytes=99-99"), "99+1");
  for (const char* wrong : {"bytes=100-", "bytes=50-40", "bytes=-5", "bytes=", "bytes=0-9,20-29", "lines=1-2",
                            "x", "bytes=a-b", "bytes=99999999999999999999-"}) {
    EXPECT_EQ(range(wrong), "refused") << wrong;
  }
  EXPECT_EQ(range("bytes=0-", 0), "refused");
}

}  // namespace
}  // namespace rbee::hive
