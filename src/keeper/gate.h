// Gate: whether a request may come in, as whom, and how much of it there may be.
//
// A client on this machine needs no key, and may do everything; any other needs one that `rbee key add`
// made. What a proxy on this machine passes on (it says so in a header) may be anybody's: it administers
// nothing without a key, and where there are keys it needs one. Keys that change while the keeper runs hold
// from the next request on, and one that was removed opens nothing after `looks_apart`. Safe from every
// thread.
#pragma once

#include "base/brief_mutex.h"
#include "base/clock.h"
#include "base/log.h"
#include "keeper/host_check.h"
#include "keeper/key_limits.h"
#include "keeper/routes.h"
#include "net/http.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace rbee::keeper {

// Who asks. Without a key: somebody on this machine, who may use everything.
struct Visitor {
  std::shared_ptr<const ApiKey> key = {};
  [[nodiscard]] std::string name() const { return key ? key->name : std::string(); }
  [[nodiscard]] bool may_use(std::string_view model) const { return !key || keeper::may_use(*key, model); }
};

class Gate {
 public:
  // A look at the keys' file is a system call: twenty thousand requests a second need not make one each. Less
  // than it takes to start the program that changes the file.
  static constexpr Milliseconds looks_apart{10};
  // Clients' keys whose hash was compared already. Each is a client; beyond, it is done anew.
  static constexpr std::size_t most_recognized = 256;

  Gate(const Clock& clock, std::shared_ptr<Log> log, std::filesystem::path file);

  // Reads the keys. Fails with bad_config or io_failed. Blocks.
  [[nodiscard]] Result<void> open();
  [[nodiscard]] bool has_keys() const;
  // Pages that may ask, from now on.
  void set_origins(std::vector<std::string> origins);

  // As page_of() with these pages.
  [[nodiscard]] Result<Page> page_of(const net::RequestHead& head) const;
  // Fails with invalid_api_key, not_allowed or bad_request.
  [[nodiscard]] Result<Visitor> admit(const net::RequestHead& head, Page page, bool from_this_machine,
                                      Right right);
  // One request of an engine. Where the key's limit is reached: the error, and after how many seconds it may.
  struct TooMany {
    Error error;
    int retry_after_s = 0;
  };
  [[nodiscard]] std::optional<TooMany> take_request(const Visitor& visitor);
  // What an answer has used of the key's tokens.
  void spend(const Visitor& visitor, std::uint64_t tokens);

 private:
  // What tells one state of the file from another: it is never written in place.
  struct Mark {
    std::uint64_t file = 0;
    std::int64_t changed_ns = 0;
    std::int64_t bytes = 0;
    bool operator==(const Mark&) const = default;
  };
  [[nodiscard]] Mark look() const;
  [[nodiscard]] Result<void> read(const Mark& mark);
  [[nodiscard]] std::shared_ptr<const ApiKeys> keys_now();
  void look_again();
  // Whose key it is; nullptr: nobody's.
  [[nodiscard]] std::shared_ptr<const ApiKey> recognize(std::string_view presented);

  const Clock& clock_;
  std::shared_ptr<Log> log_;
  std::filesystem::path file_;
  mutable BriefMutex mutex_;
  Mark seen_;
  Instant looked_ = {};
  // By a hash of the secret that only finds it; it is compared whole, in a time that tells nothing.
  struct Recognized {
    std::string secret;
    std::shared_ptr<const ApiKey> key;
  };
  std::unordered_map<std::size_t, Recognized> recognized_;
  std::shared_ptr<const ApiKeys> keys_ = std::make_shared<ApiKeys>();
  std::vector<std::string> origins_;
  KeyLimits limits_;
};

}  // namespace rbee::keeper
