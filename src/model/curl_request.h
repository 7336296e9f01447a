// One request of libcurl with rbee's rules on it: schemes, addresses, proxies, tokens. Private to model/.
#pragma once

#include "model/transfer.h"
#include "model/web_rules.h"

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <string>

namespace rbee::model {

class CurlRequest {
 public:
  // The bytes of a body, after on_head has let them; false ends the request.
  using OnBody = std::function<bool(std::string_view bytes)>;
  // Of the answer that is no redirect; false ends the request.
  using OnHead = std::function<bool(const AnswerHead& head)>;

  CurlRequest(const WebSettings& settings, OnHead on_head, OnBody on_body);
  CurlRequest(const CurlRequest&) = delete;
  CurlRequest& operator=(const CurlRequest&) = delete;

  // `range`: "0-99", empty for all. Fails with not_allowed.
  [[nodiscard]] Result<void> aim(const std::string& url, const std::string& range, const std::string& accept);
  // After it has ended: where it is to go next, empty where that was the end. Fails with not_allowed or
  // bad_request (too many hops).
  [[nodiscard]] Result<bool> follow();
  // Why it ended: empty where its answer is whole. `refused` where an address was not allowed.
  [[nodiscard]] std::string failure_text(CURLcode code) const;
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] bool bad_certificate(CURLcode code) const;
  // For an answer without a body, whose head nobody has been told yet.
  void tell_head();
  [[nodiscard]] CURL* handle() const { return handle_.get(); }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  static std::size_t take_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* self);
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  void read_header(std::string_view line);
  [[nodiscard]] bool is_redirect() const;

  const WebSettings& settings_;
  OnHead on_head_;
  OnBody on_body_;
  std::unique_ptr<CURL, void (*)(CURL*)> handle_{::curl_easy_init(), ::curl_easy_cleanup};
  std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers_{nullptr, ::curl_slist_free_all};
  std::string url_;
  std::string range_;
  std::string accept_;
  std::string location_;
  AnswerHead head_;
  bool head_told_ = false;
  bool wanted_ = true;
  bool refused_ = false;
  bool proxied_ = false;
  int hops_ = 0;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace rbee::model
