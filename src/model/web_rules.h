// What a download may reach: which URLs, which addresses, through which proxy, and who may see a token. Pure.
//
// A name is checked where it leads: every address that a connection is about to be made to, on every
// redirect, so that neither a redirect nor a name server can send a hive into its own network.
#pragma once

#include "base/error.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace rbee::model {

struct WebSettings {
  std::string hub = "https://huggingface.co";  // HF_ENDPOINT, without a '/' at its end
  std::string token = {};                      // HF_TOKEN; sent to the hub's own host only
  std::string http_proxy = {};
  std::string https_proxy = {};
  std::string no_proxy = {};
  bool allow_private = false;  // http, loopback and private addresses too
  // Of another hive: the print of its key, which alone is looked at, and the files of our own key and
  // certificate, which are shown to it. Empty: the web, by the system's certificates.
  std::string pinned_key = {};
  std::string own_key_file = {};
  std::string own_certificate_file = {};
  int silence_s = 30;  // without a byte; then a connection is given up
};
// Of "NAME=value" variables: HF_ENDPOINT, HF_TOKEN, and the proxies' in both cases.
[[nodiscard]] WebSettings web_settings(std::span<const std::string> environment);

struct UrlParts {
  std::string scheme;  // lower case
  std::string host;    // lower case, without brackets
  std::string port;    // always there
  std::string target;  // path and query
};
[[nodiscard]] Result<UrlParts> parse_web_url(std::string_view url);
// Where `location` of a redirect leads from `base`. Fails with bad_request.
[[nodiscard]] Result<std::string> join_url(const std::string& base, const std::string& location);

// Fails with not_allowed: another scheme than https, or an address that is written in the URL and private.
[[nodiscard]] Result<void> check_url(std::string_view url, const WebSettings& settings);
// Loopback, private, link-local (a cloud's metadata too), multicast, and whatever is not an IP address.
[[nodiscard]] bool is_private(const sockaddr& address);
// "Authorization: Bearer ..." where `url` is of the hub's own scheme, host and port; else empty.
[[nodiscard]] std::string authorization_for(std::string_view url, const WebSettings& settings);
// The proxy of that URL; empty: none.
[[nodiscard]] std::string proxy_for(std::string_view url, const WebSettings& settings);
// For messages: without the query, which may hold a signature.
[[nodiscard]] std::string without_query(std::string_view url);

}  // namespace rbee::model
