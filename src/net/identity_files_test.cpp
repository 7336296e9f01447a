#include "net/identity_files.h"

#include "base/file.h"
#include "base/text.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <filesystem>

namespace rbee::net {
namespace {

namespace fs = std::filesystem;

class IdentityFiles : public ::testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string open_print() {
    const Result<TlsIdentity> identity = open_identity(folder_, "gaming-pc");
    return identity ? key_print_of(*identity).value() : std::string(info(identity.error().code).name);
  }
  fs::path folder_ = fs::temp_directory_path() / cat("rbee-identity-", ::getpid());
};

TEST_F(IdentityFiles, AKeyIsMadeOnceAndForItsOwnerOnly) {
  const std::string first = open_print();
  EXPECT_EQ(first.size(), key_print_length);
  EXPECT_EQ(open_print(), first);
  EXPECT_EQ(fs::status(folder_ / "key.pem").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(IdentityFiles, ALostCertificateIsMadeAgainForTheSameKey) {
  const std::string first = open_print();
  fs::remove(folder_ / "certificate.pem");
  EXPECT_EQ(open_print(), first);
  // And one of another key, as a user leaves it who removes key.pem alone.
  const std::string other = make_identity("other", {}).value().certificate_pem;
  ASSERT_TRUE(write_file(folder_ / "certificate.pem", other));
  EXPECT_EQ(open_print(), first);
}

TEST_F(IdentityFiles, AKeyThatOthersMayReadIsNotUsed) {
  open_print();
  fs::permissions(folder_ / "key.pem", fs::perms::group_read, fs::perm_options::add);
  EXPECT_EQ(open_print(), "not_allowed");
}

TEST_F(IdentityFiles, ADamagedKeyIsNamedAndLeftAlone) {
  open_print();
  ASSERT_TRUE(write_file(folder_ / "key.pem", "-----BEGIN NOTHING-----"));
  EXPECT_EQ(open_print(), "bad_config");
  EXPECT_EQ(read_file(folder_ / "key.pem", 100).value(), "-----BEGIN NOTHING-----");
}

}  // namespace
}  // namespace rbee::net
