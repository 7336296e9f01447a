// Every text is what OpenSSH 9.2 and glibc 2.36 write.
#include "cli/ssh_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::cli {
namespace {

using testing::HasSubstr;

void check(std::string_view said, ErrorCode code, std::string_view message, std::string_view hint) {
  const Error error = ssh_error("me@box", said);
  EXPECT_EQ(error.code, code) << said;
  EXPECT_THAT(error.message, HasSubstr(message));
  EXPECT_THAT(error.hint, HasSubstr(hint));
}

TEST(SshWords, EachFailureHasItsOwnSentenceAndWayOut) {
  check("me@box: Permission denied (publickey,password).", ErrorCode::not_allowed, "asks for a password",
        "ssh-copy-id me@box");
  check("Host key verification failed.", ErrorCode::wrong_key, "does not know the host key of me@box",
        "Type `ssh me@box` once");
  check(
      "No ED25519 host key is known for box and you have requested strict checking.\r\nHost key verification "
      "failed.",
      ErrorCode::wrong_key, "does not know the host key", "compare");
  check("@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
        ErrorCode::wrong_key, "another host key", "ssh-keygen -R");
  check("ssh: Could not resolve hostname box: Name or service not known", ErrorCode::unreachable,
        "knows no machine 'me@box'", "--ssh");
  check("ssh: connect to host box port 22: Connection refused", ErrorCode::unreachable, "Connection refused",
        "ssh server");
  check("ssh: connect to host box port 22: No route to host", ErrorCode::unreachable, "No route to host",
        "on");
  check("Connection timed out during banner exchange\nConnection to box port 22 timed out",
        ErrorCode::unreachable, "timed out", "on");
  check("Welcome\nsomething new", ErrorCode::unreachable, "failed: something new", "by hand");
  check("", ErrorCode::unreachable, "ssh to me@box failed.", "by hand");
}

TEST(SshWords, AnotherSystemIsToldWhatToDoInstead) {
  EXPECT_TRUE(check_same_system("box", "Linux x86_64", "Linux x86_64"));
  const Result<void> mac = check_same_system("box", "Darwin arm64", "Linux x86_64");
  ASSERT_FALSE(mac);
  EXPECT_THAT(mac.error().message, HasSubstr("'Darwin arm64'"));
  EXPECT_THAT(mac.error().hint, HasSubstr("Mac"));
  EXPECT_FALSE(check_same_system("box", "Linux aarch64", "Linux x86_64"));
}

TEST(SshWords, TheMissingPackageIsNamed) {
  const Error curl = missing_package(
      "box",
      "rbee: error while loading shared libraries: libcurl.so.4: cannot open shared object file: No such "
      "file or directory");
  EXPECT_THAT(curl.hint, HasSubstr("apt install libcurl4"));
  const Error old = missing_package("box", "rbee: /lib/libc.so.6: version `GLIBC_2.36' not found");
  EXPECT_THAT(old.hint, HasSubstr("Debian 12"));
  EXPECT_THAT(missing_package("box", "Killed").message, HasSubstr("does not start: Killed"));
}

}  // namespace
}  // namespace rbee::cli
