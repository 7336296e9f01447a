// Stands in for llama-server where a bench measures what is in front of an engine: it answers at once, costs
// little, and behaves on the wire as that one does (a connection stays open after a whole answer, and is
// closed after a streamed one).
//
// usage: fake_engine --host SOCKET [ARGUMENTS OF llama-server...]
//        fake_engine --version | --list-devices
// SOCKET is a unix socket's path, or ADDRESS:PORT. GET answers what a hive asks (/health, /slots). POST
// answers as the body wishes, with these numbers in it anywhere:
//   "stream": true       server-sent events, else one answer
//   "answer_bytes": N    of the whole answer's body (1024)
//   "chunks": N          of a stream: so many events with content (200), then usage and [DONE]
//   "pause_us": N        between two of them (0: all that the socket takes)
//   "think_us": N        before the first byte of either (0)
// A pack of it is a folder with this program in it under the name llama-server (`rbee engine install cpu
// --from`).
#include "net/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

namespace {
using namespace rbee;

constexpr std::size_t largest_request_bytes = std::size_t{64} << 20;

std::int64_t now_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

// The number behind `"name":` in a body that is not read any further.
std::int64_t wish(std::string_view body, std::string_view name, std::int64_t otherwise) {
  const std::string key = '"' + std::string(name) + '"';
  const std::size_t at = body.find(key);
  if (at == std::string_view::npos) return otherwise;
  const std::size_t from = body.find_first_not_of(" :", at + key.size());
  if (from == std::string_view::npos) return otherwise;
  if (body.substr(from).starts_with("true")) return 1;
  std::int64_t number = otherwise;
  std::from_chars(body.data() + from, body.data() + body.size(), number);
  return number;
}

std::string chunk(std::string_view data) {
  std::array<char, 16> size{};
  const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", data.size());
  return std::string(size.data(), static_cast<std::size_t>(digits)).append(data).append("\r\n");
}

std::string event(std::string_view fields) {
  std::string data = R"(data: {"choices":[)";
  data.append(fields);
  data += R"(],"created":1790000000,"id":"chatcmpl-6Ws5PZXnY4oTcDqGFvBf9hLk","model":"fake","object":)";
  data += "\"chat.completion.chunk\"}\n\n";
  return chunk(data);
}

// What a stream is made of, the same each time.
struct Pieces {
  std::string head =
      "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
      "chunked\r\n"
      "Keep-Alive: timeout=5, max=100\r\nX-Accel-Buffering: no\r\n\r\n";
  std::string first =
      event(R"({"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}})");
  std::string content = event(R"({"finish_reason":null,"index":0,"delta":{"content":" word"}})");
  std::string last = event(R"({"finish_reason":"stop","index":0,"delta":{}})") +
                     chunk(R"(data: {"choices":[],"object":"chat.completion.chunk","usage":)"
                           R"({"completion_tokens":200,"prompt_tokens":10,"total_tokens":210}})"
                           "\n\n") +
                     chunk("data: [DONE]\n\n") + "0\r\n\r\n";
};

std::string json_answer(std::string_view body, bool keep) {
  std::string answer =
      "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: application/json\r\nContent-Length: ";
  answer += std::to_string(body.size()) + (keep ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
  return answer.append(body);
}

std::string whole_answer(std::int64_t bytes, bool keep) {
  const std::string begin =
      R"({"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":")";
  const std::string end =
      R"("}}],"created":1790000000,"id":"chatcmpl-1","model":"fake","object":"chat.completion","usage":)"
      R"({"completion_tokens":200,"prompt_tokens":10,"total_tokens":210}})";
  const std::size_t wanted = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 0));
  const std::size_t own = begin.size() + end.size();
  const std::string text(wanted > own ? wanted - own : 0, 'w');
  return json_answer(begin + text + end, keep);
}

struct Connection {
  int socket;
  std::string in = {};
  std::string out = {};
  std::size_t sent = 0;
  std::int64_t chunks_left = -1;  // of a stream; -1: none
  std::int64_t pause_us = 0;
  std::string answer_later = {};  // after "think_us"
  bool close_after = false;
};

class Engine {
 public:
  explicit Engine(int listener)
      : listener_(listener), poll_(epoll_create1(0)), timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) {
    watch(listener_, EPOLLIN);
    watch(timer_, EPOLLIN);
  }

  void run() {
    std::array<epoll_event, 256> events{};
    while (true) {
      const int count = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int which = events.at(static_cast<std::size_t>(i)).data.fd;
        if (which == listener_)
          accept_all();
        else if (which == timer_)
          ring();
        else
          serve(which, events.at(static_cast<std::size_t>(i)).events);
      }
      arm();
    }
  }

 private:
  using Due = std::pair<std::int64_t, std::pair<int, std::uint64_t>>;  // when, of which socket and request

  void watch(int socket, std::uint32_t what) const {
    epoll_event event{};
    event.events = what;
    event.data.fd = socket;
    epoll_ctl(poll_, EPOLL_CTL_ADD, socket, &event);
  }

  void accept_all() {
    for (int socket = 0; (socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      const int on = 1;
      setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      connections_[socket] = Connection{.socket = socket};
      watch(socket, EPOLLIN | EPOLLOUT | EPOLLET);
    }
  }

  void drop(int socket) {
    connections_.erase(socket);
    turns_.erase(socket);
    close(socket);
  }

  void serve(int socket, std::uint32_t what) {
    const auto at = connections_.find(socket);
    if (at == connections_.end()) return;
    Connection& own = at->second;
    if ((what & EPOLLIN) != 0) {
      std::array<char, 16384> room;  // NOLINT: filled by read
      for (ssize_t got = 1; got > 0;) {
        got = read(socket, room.data(), room.size());
        if (got > 0) own.in.append(room.data(), static_cast<std::size_t>(got));
        if (got == 0 || own.in.size() > largest_request_bytes) return drop(socket);
      }
      if (!take_requests(own)) return drop(socket);
    }
    push(own);
  }

  // False: it speaks no HTTP.
  bool take_requests(Connection& own) {
    while (own.chunks_left < 0 && own.answer_later.empty()) {
      const std::size_t end = own.in.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      const auto head = net::parse_request_head(std::string_view(own.in).substr(0, end + 4));
      const auto framing = head ? net::request_framing(*head) : head.error();
      if (!head || !framing) return false;
      const std::size_t size = end + 4 + framing->length;
      if (own.in.size() < size) return true;
      own.close_after = !net::keeps_alive(head->minor_version, head->headers);
      answer(own, *head, std::string_view(own.in).substr(end + 4, framing->length));
      own.in.erase(0, size);
    }
    return true;
  }

  void answer(Connection& own, const net::RequestHead& head, std::string_view body) {
    if (head.method == "GET") {
      own.out += json_answer(head.path == "/slots" ? "[]" : R"({"status":"ok"})", !own.close_after);
      return;
    }
    std::string first;
    if (wish(body, "stream", 0) != 0) {
      own.chunks_left = std::max<std::int64_t>(wish(body, "chunks", 200), 0);
      own.pause_us = wish(body, "pause_us", 0);
      own.close_after = true;
      first = pieces_.head + pieces_.first;
    } else {
      first = whole_answer(wish(body, "answer_bytes", 1024), !own.close_after);
    }
    const std::int64_t think_us = wish(body, "think_us", 0);
    if (think_us > 0) {
      own.answer_later = std::move(first);
      call_at(own.socket, now_us() + think_us);
      return;
    }
    own.out += first;
    go_on(own, now_us());
  }

  void call_at(int socket, std::int64_t time_us) {
    turns_[socket] = ++last_turn_;
    due_.emplace(time_us, std::pair{socket, last_turn_});
  }

  // The next chunk of a stream, or all where there is no pause between them.
  void go_on(Connection& own, std::int64_t due_us) {
    if (own.chunks_left < 0) return;
    do {
      if (own.chunks_left == 0) {
        own.out += pieces_.last;
        own.chunks_left = -1;
        return;
      }
      own.out += pieces_.content;
      --own.chunks_left;
    } while (own.pause_us == 0);
    call_at(own.socket, due_us + own.pause_us);
  }

  void ring() {
    std::uint64_t rung = 0;
    static_cast<void>(!read(timer_, &rung, sizeof rung));
    const std::int64_t now = now_us();
    while (!due_.empty() && due_.top().first <= now) {
      const Due due = due_.top();
      due_.pop();
      const auto [socket, turn] = due.second;
      const auto at = connections_.find(socket);
      if (at == connections_.end() || turns_[socket] != turn) continue;
      Connection& own = at->second;
      own.out += std::exchange(own.answer_later, {});
      go_on(own, due.first);
      push(own);
    }
  }

  void arm() {
    const std::int64_t first = due_.empty() ? 0 : std::max<std::int64_t>(due_.top().first, 1);
    if (first == armed_us_) return;
    armed_us_ = first;
    itimerspec when{};
    when.it_value = {.tv_sec = first / 1'000'000, .tv_nsec = (first % 1'000'000) * 1000};
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  void push(Connection& own) {
    while (own.sent < own.out.size()) {
      const ssize_t went =
          send(own.socket, own.out.data() + own.sent, own.out.size() - own.sent, MSG_NOSIGNAL);
      if (went < 0 && errno == EAGAIN) return;
      if (went < 0) return drop(own.socket);
      own.sent += static_cast<std::size_t>(went);
    }
    own.out.clear();
    own.sent = 0;
    if (own.close_after && own.chunks_left < 0 && own.answer_later.empty() && own.in.empty())
      drop(own.socket);
  }

  int listener_;
  int poll_;
  int timer_;
  std::int64_t armed_us_ = 0;
  std::map<int, Connection> connections_;
  // Of each socket the turn that counts: what was due for an earlier user of that descriptor is not heeded.
  std::map<int, std::uint64_t> turns_;
  std::uint64_t last_turn_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  Pieces pieces_;
};

int listen_at(const std::string& where) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (where.starts_with('/')) {
    auto* name = reinterpret_cast<sockaddr_un*>(&storage);
    name->sun_family = AF_UNIX;
    where.copy(name->sun_path, sizeof name->sun_path - 1);
    size = sizeof *name;
    unlink(where.c_str());
  } else {
    const std::size_t colon = where.rfind(':');
    if (colon == std::string::npos) return -1;
    auto* name = reinterpret_cast<sockaddr_in*>(&storage);
    name->sin_family = AF_INET;
    name->sin_port = htons(static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1))));
    if (inet_pton(AF_INET, where.substr(0, colon).c_str(), &name->sin_addr) != 1) return -1;
    size = sizeof *name;
  }
  const int socket = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket, reinterpret_cast<sockaddr*>(&storage), size) != 0 || listen(socket, 1024) != 0) return -1;
  return socket;
}

}  // namespace

int main(int count, char** words) {
  std::string host;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--version" || word == "--list-devices") return 0;
    if (word == "--host" && i + 1 < count) host = words[i + 1];
  }
  const int listener = host.empty() ? -1 : listen_at(host);
  if (listener < 0) {
    std::fputs("usage: fake_engine --host SOCKET|ADDRESS:PORT [ARGUMENTS OF llama-server...]\n", stderr);
    return 2;
  }
  std::signal(SIGTERM, [](int) { _exit(0); });
  Engine(listener).run();
}
