#include "net/look_up.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <thread>

namespace rbee::net {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

// Between who waits and the thread that looks up. The thread is let go: nobody may wait for the resolver's
// own patience when a process is to end.
struct Question {
  std::mutex mutex;
  Loop* loop = nullptr;  // null once nobody waits any more
  std::shared_ptr<Signal> answered;
  std::vector<std::string> found;
};

// In the frame of who waits: it may be dropped at any time, and its loop after it.
class Waiting {
 public:
  explicit Waiting(std::shared_ptr<Question> question) : question_(std::move(question)) {}
  ~Waiting() {
    const std::scoped_lock lock(question_->mutex);
    question_->loop = nullptr;
    question_->answered.reset();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::shared_ptr<Question> question_;
};

void answer(const std::shared_ptr<Question>& question, const std::string& name) {
  std::vector<std::string> found = look_up(name);
  const std::scoped_lock lock(question->mutex);
  if (question->loop == nullptr) return;
  question->found = std::move(found);
  // By the question: the signal itself belongs to the loop's thread.
  question->loop->post([question] {
    std::shared_ptr<Signal> answered;
    {
      const std::scoped_lock again(question->mutex);
      answered = question->answered;
    }
    if (answered) answered->notify();
  });
}

}  // namespace

std::vector<std::string> look_up(const std::string& name) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  if (::getaddrinfo(name.c_str(), nullptr, &wanted, &first) != 0) return {};
  const std::unique_ptr<addrinfo, FreeAddresses> list(first);
  std::vector<std::string> found;
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    const int failed =
        ::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
    std::string address(text.data());
    if (failed == 0 && std::ranges::find(found, address) == found.end()) found.push_back(std::move(address));
  }
  return found;
}

Task<std::vector<std::string>> look_up_within(Loop& loop, std::string name, Milliseconds within) {
  const auto question = std::make_shared<Question>();
  question->loop = &loop;
  question->answered = std::make_shared<Signal>(loop);
  const std::shared_ptr<Signal> answered = question->answered;
  const Waiting here(question);
  std::thread([question, name = std::move(name)] { answer(question, name); }).detach();
  Task<bool> waiting = answered->wait(within);
  const bool told = co_await waiting;
  static_cast<void>(told);
  const std::scoped_lock lock(question->mutex);
  co_return std::move(question->found);
}

}  // namespace rbee::net
