// For tests: a connection whose other end is a plain socket in the test's own hands.
#pragma once

#include "base/text.h"
#include "net/stream.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cstring>

namespace rbee::net {

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() {
    const int listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    EXPECT_EQ(::bind(listening, generic, sizeof address), 0);
    EXPECT_EQ(::listen(listening, 1), 0);
    Result<Stream> connected = loop_.block_on(Stream::connect(loop_, there_, a_minute));
    EXPECT_TRUE(connected);
    stream_ = std::move(*connected);
    other_ = ::accept(listening, nullptr, nullptr);
    ::close(listening);
    ::unlink(path_.c_str());
  }
  ~ConnectionTest() override { leave(); }

  void send(std::string_view bytes) const {
    EXPECT_EQ(::write(other_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // Each byte by itself, with a pause behind it: 50 of them last 200 ms, and none is silent for 40.
  static constexpr Milliseconds pause{4};
  static constexpr Milliseconds shorter_than_all{40};
  Task<void> drip(std::string bytes) {
    for (const char byte : bytes) {
      static_cast<void>(::send(other_, &byte, 1, MSG_NOSIGNAL));
      Task<void> pausing = sleep_for(loop_, pause);
      co_await pausing;
    }
  }
  // So many bytes that are there.
  [[nodiscard]] std::string receive(std::size_t bytes) const {
    std::string room(bytes, '?');
    std::size_t got = 0;
    while (got < bytes) {
      const ssize_t more = ::read(other_, room.data() + got, bytes - got);
      if (more <= 0) break;
      got += static_cast<std::size_t>(more);
    }
    room.resize(got);
    return room;
  }
  void leave() {
    if (other_ >= 0) ::close(std::exchange(other_, -1));
  }
  // All that has happened by now is told.
  void settle() {
    loop_.block_on(sleep_for(loop_, Milliseconds{0}));
    loop_.block_on(sleep_for(loop_, Milliseconds{0}));
  }

  static constexpr Milliseconds a_minute{60'000};  // of patience

  std::string path_ = cat("/tmp/rbee-connection-test-", ::getpid(), ".sock");
  Endpoint there_{.unix_path = path_};
  SystemClock clock_;
  Loop loop_{clock_};
  Stream stream_;
  int other_ = -1;
};

}  // namespace rbee::net
