#include "model/web_rules.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <gtest/gtest.h>

namespace rbee::model {
namespace {

bool is_private_text(const std::string& text) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1)
    return is_private(reinterpret_cast<sockaddr&>(v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
  return is_private(reinterpret_cast<sockaddr&>(v6));
}

TEST(WebRules, AddressesThatAreNotOnTheInternetArePrivate) {
  for (const char* address : {"127.0.0.1",
                              "127.255.0.1",
                              "0.0.0.0",
                              "10.1.2.3",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.1.1",
                              "169.254.169.254",
                              "100.64.0.1",
                              "224.0.0.1",
                              "255.255.255.255",
                              "::1",
                              "::",
                              "fe80::1",
                              "fc00::1",
                              "fd12::1",
                              "ff02::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::7f00:1",
                              "2002:7f00:1::",
                              "2001:db8::1",
                              "2001:0:1::1"}) {
    EXPECT_TRUE(is_private_text(address)) << address;
  }
  for (const char* address : {"1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "192.169.0.1",
                              "2606:4700::1", "::ffff:1.1.1.1", "2a00:1450::1"}) {
    EXPECT_FALSE(is_private_text(address)) << address;
  }
}

TEST(WebRules, AUrlIntoAPrivateNetworkNeedsALeave) {
  const WebSettings strict;
  WebSettings free;
  free.allow_private = true;
  for (const char* url : {"http://example.com/x", "https://127.0.0.1/x", "https://[::1]/x",
                          "https://localhost/x", "https://LOCALHOST:8443/x", "https://2130706433/x",
                          "https://0x7f.1/x", "https://169.254.169.254/latest", "https://a.localhost/x"}) {
    const Result<void> refused = check_url(url, strict);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().code, ErrorCode::not_allowed);
    EXPECT_TRUE(check_url(url, free)) << url;
  }
  EXPECT_TRUE(check_url("https://huggingface.co/x", strict));
  EXPECT_FALSE(check_url("file:///etc/passwd", free));
  EXPECT_FALSE(check_url("https://user:password@example.com/", free));
}

TEST(WebRules, ATokenGoesToTheHubAlone) {
  WebSettings settings;
  settings.token = "hf_secret";
  EXPECT_EQ(authorization_for("https://huggingface.co/o/r", settings), "Authorization: Bearer hf_secret");
  for (const char* other :
       {"https://cdn.huggingface.co/x", "http://huggingface.co/x", "https://huggingface.co:444/x",
        "https://huggingface.co.evil.com/x", "https://evil.com/huggingface.co"}) {
    EXPECT_EQ(authorization_for(other, settings), "") << other;
  }
}

TEST(WebRules, TheEnvironmentIsHeeded) {
  const std::vector<std::string> environment = {"HF_TOKEN=t", "HF_ENDPOINT=http://mirror:80/",
                                                "https_proxy=http://p:1", "HTTP_PROXY=http://evil:1",
                                                "NO_PROXY=.corp, b.org"};
  const WebSettings settings = web_settings(environment);
  EXPECT_EQ(settings.hub, "http://mirror:80");
  EXPECT_EQ(settings.token, "t");
  EXPECT_EQ(proxy_for("https://a.org/x", settings), "http://p:1");
  EXPECT_EQ(proxy_for("http://a.org/x", settings), "");
  EXPECT_EQ(proxy_for("https://x.corp/x", settings), "");
  EXPECT_EQ(proxy_for("https://b.org/x", settings), "");
  EXPECT_EQ(proxy_for("https://ab.org/x", settings), "http://p:1");
  EXPECT_EQ(web_settings(std::vector<std::string>{"HF_TOKEN=a\r\nX: y"}).token, "");
}

TEST(WebRules, ARedirectIsReadFromWhereItStands) {
  EXPECT_EQ(*join_url("https://a/b/c?d", "../e"), "https://a/e");
  EXPECT_EQ(*join_url("https://a/b", "//c/d"), "https://c/d");
  EXPECT_EQ(*join_url("https://a/b", "http://127.0.0.1/"), "http://127.0.0.1/");
  EXPECT_FALSE(join_url("https://a/b", "https://u:p@c/"));
}

}  // namespace
}  // namespace rbee::model
