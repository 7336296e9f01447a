#include "cli/service_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Service described(ServiceSystem system, ServiceKind kind, std::string listen = {}) {
  const Result<Service> service = describe_service({.system = system,
                                                    .kind = kind,
                                                    .program = "/opt/rbee",
                                                    .listen = std::move(listen),
                                                    .user_folder = "/u"});
  EXPECT_TRUE(service) << service.error().message;
  return service ? *service : Service{};
}

TEST(ServiceFiles, OfTheSystemItHasAUserOfItsOwnAndSeesTheGpus) {
  const Service hive = described(ServiceSystem::systemd, ServiceKind::hive);
  ASSERT_EQ(hive.files.size(), 2u);
  EXPECT_EQ(hive.files[0].path, "/etc/systemd/system/rbee-hive.service");
  for (const char* line : {"ExecStart=/opt/rbee hive --listen 0.0.0.0:7835\n", "User=rbee\n",
                           "SupplementaryGroups=render video\n", "NoNewPrivileges=yes\n",
                           "ProtectSystem=strict\n", "WantedBy=multi-user.target\n"})
    EXPECT_THAT(hive.files[0].text, HasSubstr(line));
  for (const char* line : {"\nPrivateDevices=", "\nProtectClock=", "\nMemoryDenyWriteExecute="})
    EXPECT_THAT(hive.files[0].text, testing::Not(HasSubstr(line)));
  EXPECT_THAT(hive.files[1].text, HasSubstr("m rbee render"));
  EXPECT_THAT(hive.start.front(), ElementsAre("systemd-sysusers", "/etc/sysusers.d/rbee.conf"));
}

TEST(ServiceFiles, OfAUserItLiesInTheirHome) {
  const Service keeper = described(ServiceSystem::systemd_user, ServiceKind::keeper, "127.0.0.1:9000");
  ASSERT_EQ(keeper.files.size(), 1u);
  EXPECT_EQ(keeper.files[0].path, "/u/.config/systemd/user/rbee-keeper.service");
  EXPECT_THAT(keeper.files[0].text, HasSubstr("ExecStart=/opt/rbee keeper --listen 127.0.0.1:9000\n"));
  EXPECT_THAT(keeper.files[0].text, HasSubstr("WantedBy=default.target\n"));
  EXPECT_THAT(keeper.is_running,
              ElementsAre("systemctl", "--user", "is-active", "--quiet", "rbee-keeper.service"));
}

TEST(ServiceFiles, OfAMacItIsAnAgent) {
  const Service hive = described(ServiceSystem::launchd, ServiceKind::hive, "192.168.1.101:7835");
  ASSERT_EQ(hive.files.size(), 1u);
  EXPECT_EQ(hive.files[0].path, "/u/Library/LaunchAgents/rbee.hive.plist");
  EXPECT_THAT(hive.files[0].text, HasSubstr("<string>/opt/rbee</string>\n    <string>hive</string>"));
  EXPECT_THAT(hive.files[0].text, HasSubstr("<string>192.168.1.101:7835</string>"));
}

TEST(ServiceFiles, WhatAServiceCouldNotReadIsRefused) {
  ServiceWish wish{.system = ServiceSystem::systemd, .program = "/home/me/rbee"};
  EXPECT_THAT(describe_service(wish).error().message, HasSubstr("sees no homes"));
  wish.system = ServiceSystem::systemd_user;
  EXPECT_TRUE(describe_service(wish));
  for (const char* program : {"/a b/rbee", "/50%/rbee", "/x\"y", "/$HOME/rbee"}) {
    wish.program = program;
    EXPECT_FALSE(describe_service(wish)) << program;
  }
  EXPECT_FALSE(describe_service({.program = "/opt/rbee", .listen = "1.2.3.4\nUser=root"}));
}

}  // namespace
}  // namespace rbee::cli
