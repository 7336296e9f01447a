// Asks a server over and over on a number of connections, each the next request when its answer is whole, and
// says how fast that went. One thread, and little of it: what is measured is the server.
//
// usage: load ADDRESS PATH [--connections 16] [--seconds 5] [--warm-up 0.5] [--body TEXT | --body @FILE]
//             [--header 'NAME: VALUE']... [--new-connections]
// ADDRESS is HOST:PORT (numeric) or a unix socket's path. With a body it is a POST of JSON, else a GET. A
// connection is used again while the server keeps it; with --new-connections never.
// Prints one line of JSON: requests that were answered whole with 200 and begun after the warm-up, errors (by
// what was wrong), requests per second, `chunks` (pieces of streamed content), and of the requests, in ms:
// `latency` (to the last byte), `first` (to the first piece of content of a stream, or the first byte of a
// body), `gap` (the longest silence between two pieces, of each stream). Ends with 1 where nothing was
// answered.
#include "net/http.h"
#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace {
using namespace rbee;
using Json = nlohmann::json;

constexpr std::string_view content_mark = R"("content":")";
// What no server of a bench takes for one answer; then it counts as an error.
constexpr double longest_answer_s = 60;

double now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

struct Options {
  net::Endpoint to = {};
  std::string request = {};
  int connections = 16;
  double seconds = 5;
  double warm_up = 0.5;
  bool new_connections = false;
};

struct Answer {
  double begun = 0;
  double first = 0;
  double last_piece = 0;
  double gap = 0;
  std::uint64_t pieces = 0;
};

struct Totals {
  double count_from = 0;
  std::uint64_t requests = 0;
  std::uint64_t chunks = 0;
  std::map<std::string, std::uint64_t> errors = {};
  std::vector<double> latency = {};
  std::vector<double> first = {};
  std::vector<double> gap = {};
};

// One connection and the request on it.
class Client {
 public:
  Client(const Options& options, int poll, Totals& totals)
      : options_(options), poll_(poll), totals_(totals) {}

  // Sends the next request.
  void begin() {
    is_again_ = socket_ >= 0;
    if (!is_again_ && !open()) return;
    answer_.begun = now_s();
    send_request();
  }

  // What has come. True when the answer is over, well or not.
  bool take() {
    std::array<char, 65536> room;  // NOLINT: filled by recv
    while (true) {
      const ssize_t got = recv(socket_, room.data(), room.size(), MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) return false;
      if (got <= 0) return end_of_connection();
      const std::string_view bytes(room.data(), static_cast<std::size_t>(got));
      if (read(bytes)) {
        if (is_over_) finish();
        return true;
      }
      if (bytes.size() < room.size()) return false;
    }
  }

  [[nodiscard]] bool is_open() const { return socket_ >= 0; }
  [[nodiscard]] bool is_late(double now) const { return now - answer_.begun > longest_answer_s; }
  void fail(const std::string& why) {
    ++totals_.errors[why];
    disconnect();
  }
  void disconnect() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

 private:
  bool open() {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_in);
    if (options_.to.is_unix()) {
      auto* name = reinterpret_cast<sockaddr_un*>(&storage);
      name->sun_family = AF_UNIX;
      options_.to.unix_path.copy(name->sun_path, sizeof name->sun_path - 1);
      size = sizeof *name;
    } else {
      auto* name = reinterpret_cast<sockaddr_in*>(&storage);
      name->sin_family = AF_INET;
      name->sin_port = htons(options_.to.port);
      inet_pton(AF_INET, options_.to.address.c_str(), &name->sin_addr);
    }
    socket_ = ::socket(storage.ss_family, SOCK_STREAM, 0);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&storage), size) != 0) {
      fail("could not connect");
      return false;
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = this;
    epoll_ctl(poll_, EPOLL_CTL_ADD, socket_, &event);
    return true;
  }

  void reset() {
    answer_ = {};
    head_.clear();
    tail_.clear();
    chunks_ = {};
    in_body_ = is_over_ = false;
    left_ = 0;
  }

  // True when the answer is over or makes no sense.
  bool read(std::string_view bytes) {
    if (!in_body_) {
      head_.append(bytes);
      const std::size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      if (!take_head(std::string_view(head_).substr(0, end + 4))) return true;
      head_.erase(0, end + 4);
      return read_body(head_);
    }
    return read_body(bytes);
  }

  bool take_head(std::string_view text) {
    const auto head = net::parse_response_head(text);
    const auto framing = head ? net::response_framing(*head, false) : head.error();
    if (!head || !framing) return fail("no HTTP"), false;
    status_ = head->status;
    keeps_ =
        net::keeps_alive(head->minor_version, head->headers) && framing->kind != net::Framing::until_close;
    kind_ = framing->kind;
    left_ = framing->length;
    in_body_ = true;
    return true;
  }

  bool read_body(std::string_view bytes) {
    const double now = now_s();
    count_pieces(bytes, now);
    if (kind_ == net::Framing::chunked) {
      while (!bytes.empty() && !chunks_.done()) {
        const auto step = chunks_.next(bytes);
        if (!step) return fail("broken chunks"), true;
        if (!step->data.empty() && answer_.first == 0) body_begun(now);
        bytes.remove_prefix(step->used);
      }
      is_over_ = chunks_.done();
      return is_over_;
    }
    if (!bytes.empty()) body_begun(now);
    if (kind_ == net::Framing::until_close) return false;
    left_ -= std::min<std::uint64_t>(left_, bytes.size());
    is_over_ = left_ == 0;
    return is_over_;
  }

  void body_begun(double now) {
    if (answer_.first == 0) answer_.first = now;
  }

  // A mark may lie across two reads.
  void count_pieces(std::string_view bytes, double now) {
    std::uint64_t found = 0;
    const auto count = [&found](std::string_view text) {
      for (std::size_t at = text.find(content_mark); at != std::string_view::npos;
           at = text.find(content_mark, at + content_mark.size()))
        ++found;
    };
    tail_.append(bytes.substr(0, content_mark.size() - 1));
    count(tail_);
    count(bytes);
    tail_ = bytes.substr(bytes.size() - std::min(bytes.size(), content_mark.size() - 1));
    if (found == 0) return;
    if (now >= totals_.count_from) totals_.chunks += found;
    if (answer_.pieces == 0) answer_.first = now;
    if (answer_.pieces > 0) answer_.gap = std::max(answer_.gap, now - answer_.last_piece);
    answer_.last_piece = now;
    answer_.pieces += found;
  }

  void send_request() {
    const double begun = answer_.begun;
    reset();
    answer_.begun = begun;
    const std::string& bytes = options_.request;
    // A request of a bench is smaller than a socket's buffer.
    if (send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size())) return;
    if (!is_again_) return fail("could not send");
    send_anew();
  }

  // A server may close a connection that it has kept, whenever it likes: that is no error.
  void send_anew() {
    is_again_ = false;
    disconnect();
    if (open()) send_request();
  }

  bool end_of_connection() {
    if (is_again_ && head_.empty() && !in_body_) return send_anew(), false;
    is_over_ = in_body_ && kind_ == net::Framing::until_close;
    keeps_ = false;
    if (is_over_)
      finish();
    else
      fail(in_body_ ? "answer cut" : "closed without an answer");
    return true;
  }

  void finish() {
    if (!keeps_ || options_.new_connections) disconnect();
    if (status_ != 200) {
      ++totals_.errors["status " + std::to_string(status_)];
      return;
    }
    if (answer_.begun < totals_.count_from) return;
    const double now = now_s();
    ++totals_.requests;
    totals_.latency.push_back(1e3 * (now - answer_.begun));
    totals_.first.push_back(1e3 * (answer_.first - answer_.begun));
    if (answer_.pieces > 1) totals_.gap.push_back(1e3 * answer_.gap);
  }

  const Options& options_;
  int poll_;
  Totals& totals_;
  int socket_ = -1;
  Answer answer_ = {};
  std::string head_ = {};
  std::string tail_ = {};
  net::ChunkedReader chunks_ = {};
  net::Framing kind_ = net::Framing::none;
  std::uint64_t left_ = 0;
  int status_ = 0;
  bool keeps_ = false;
  bool is_again_ = false;  // it is not the first request of its connection
  bool in_body_ = false;
  bool is_over_ = false;
};

Json spread(std::vector<double>& numbers) {
  if (numbers.empty()) return nullptr;
  std::ranges::sort(numbers);
  const auto at = [&](double share) {
    return numbers.at(static_cast<std::size_t>(share * static_cast<double>(numbers.size() - 1)));
  };
  return {{"p50", at(0.5)}, {"p90", at(0.9)}, {"p99", at(0.99)}, {"max", numbers.back()}};
}

Totals run(const Options& options) {
  Totals totals;
  const int poll = epoll_create1(0);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < options.connections; ++i)
    clients.push_back(std::make_unique<Client>(options, poll, totals));
  totals.count_from = now_s() + options.warm_up;
  const double end = totals.count_from + options.seconds;
  for (const auto& client : clients) client->begin();
  std::array<epoll_event, 256> events{};
  double looked = now_s();
  for (double now = looked; now < end; now = now_s()) {
    const int count = epoll_wait(poll, events.data(), static_cast<int>(events.size()), 10);
    for (int i = 0; i < count; ++i) {
      auto* client = static_cast<Client*>(events.at(static_cast<std::size_t>(i)).data.ptr);
      if (client->take()) client->begin();
    }
    if (now - looked < 1) continue;
    looked = now;
    for (const auto& client : clients) {
      if (client->is_open() && client->is_late(now)) client->fail("no end within a minute");
      if (!client->is_open()) client->begin();
    }
  }
  for (const auto& client : clients) client->disconnect();
  close(poll);
  return totals;
}

int usage() {
  std::fputs(
      "usage: load ADDRESS PATH [--connections N] [--seconds S] [--warm-up S] [--body TEXT|@FILE]\n"
      "            [--header 'NAME: VALUE']... [--new-connections]\n",
      stderr);
  return 2;
}

std::string text_of(const std::string& word) {
  if (!word.starts_with('@')) return word;
  std::ifstream file(word.substr(1), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) return usage();
  Options options;
  const auto to = net::parse_endpoint(words[1], 80);
  if (!to) return usage();
  options.to = *to;
  const std::string path = words[2];
  std::string body;
  std::string headers = "Host: localhost\r\n";
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--new-connections") {
      options.new_connections = true;
      continue;
    }
    if (i + 1 == count) return usage();
    const std::string value = words[++i];
    if (word == "--connections")
      options.connections = std::stoi(value);
    else if (word == "--seconds")
      options.seconds = std::stod(value);
    else if (word == "--warm-up")
      options.warm_up = std::stod(value);
    else if (word == "--body")
      body = text_of(value);
    else if (word == "--header")
      headers += value + "\r\n";
    else
      return usage();
  }
  if (!body.empty())
    headers += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  options.request = (body.empty() ? "GET " : "POST ") + path + " HTTP/1.1\r\n" + headers + "\r\n" + body;
  Totals totals = run(options);
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  const Json report = {
      {"requests", totals.requests},
      {"per_second", static_cast<double>(totals.requests) / options.seconds},
      {"chunks", totals.chunks},
      {"chunks_per_second", static_cast<double>(totals.chunks) / options.seconds},
      {"errors", Json(totals.errors)},
      {"latency", spread(totals.latency)},
      {"first", spread(totals.first)},
      {"gap", spread(totals.gap)},
      {"cpu_seconds", static_cast<double>(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                          static_cast<double>(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6}};
  std::puts(report.dump().c_str());
  return totals.requests > 0 ? 0 : 1;
}
