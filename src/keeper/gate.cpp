#include "keeper/gate.h"

#include "base/text.h"
#include "net/tls.h"

#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <functional>

namespace rbee::keeper {
namespace {

// Written by a proxy that passes a request on, each by some of them.
constexpr std::array<net::FieldName, 4> of_proxies = {"Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"};

bool came_through_a_proxy(const net::Headers& headers) {
  return std::ranges::any_of(of_proxies, [&](net::FieldName name) { return headers.find(name).has_value(); });
}

Error no_key(bool presented) {
  return Error{ErrorCode::invalid_api_key,
               presented ? "This API key is not known here." : "This keeper wants an API key."};
}

Error no_admin(const ApiKey& key) {
  return Error{ErrorCode::not_allowed,
               cat("The key '", key.name, "' does not open what administers the system."),
               "`rbee key add NAME --admin` on the keeper's machine makes one that does."};
}

}  // namespace

Gate::Gate(const Clock& clock, std::shared_ptr<Log> log, std::filesystem::path file)
    : clock_(clock), log_(std::move(log)), file_(std::move(file)) {}

Gate::Mark Gate::look() const {
  struct stat status{};
  if (::stat(file_.c_str(), &status) != 0) return {};
  const timespec& changed = status.st_mtim;
  return {static_cast<std::uint64_t>(status.st_ino), changed.tv_sec * 1'000'000'000 + changed.tv_nsec,
          static_cast<std::int64_t>(status.st_size)};
}

Result<void> Gate::read(const Mark& mark) {
  seen_ = mark;
  const Result<ApiKeys> keys = read_keys(file_);
  if (!keys) return keys.error();
  keys_ = std::make_shared<const ApiKeys>(*keys);
  recognized_.clear();
  limits_.forget_all_but(*keys_);
  return {};
}

Result<void> Gate::open() {
  const std::scoped_lock lock(mutex_);
  return read(look());
}

bool Gate::has_keys() const {
  const std::scoped_lock lock(mutex_);
  return !keys_->empty();
}

void Gate::set_origins(std::vector<std::string> origins) {
  const std::scoped_lock lock(mutex_);
  origins_ = std::move(origins);
}

// With the mutex held.
void Gate::look_again() {
  looked_ = clock_.recent();
  const Mark now = look();
  if (now == seen_) return;
  if (const Result<void> taken = read(now); !taken)
    log_->warning(cat(taken.error().message, " The keys that were known before still hold."));
  else
    log_->info(cat("The API keys have changed: there are ", keys_->all().size(), "."));
}

std::shared_ptr<const ApiKeys> Gate::keys_now() {
  const std::scoped_lock lock(mutex_);
  look_again();
  return keys_;
}

std::shared_ptr<const ApiKey> Gate::recognize(std::string_view presented) {
  const std::size_t hash = std::hash<std::string_view>{}(presented);
  {
    const std::scoped_lock lock(mutex_);
    if (clock_.recent() - looked_ >= looks_apart) look_again();
    const auto known = recognized_.find(hash);
    if (known != recognized_.end() && net::equal_secrets(known->second.secret, presented))
      return known->second.key;
  }
  // It may have been made a moment ago.
  const std::shared_ptr<const ApiKeys> keys = keys_now();
  const ApiKey* found = keys->find(presented);
  if (found == nullptr) return nullptr;
  std::shared_ptr<const ApiKey> key(keys, found);
  const std::scoped_lock lock(mutex_);
  if (keys != keys_) return key;
  if (recognized_.size() >= most_recognized) recognized_.clear();
  recognized_.insert_or_assign(hash, Recognized{std::string(presented), key});
  return key;
}

Result<Page> Gate::page_of(const net::RequestHead& head) const {
  const std::scoped_lock lock(mutex_);
  return keeper::page_of(head, origins_);
}

Result<Visitor> Gate::admit(const net::RequestHead& head, Page page, bool from_this_machine, Right right) {
  Visitor visitor;
  const std::string_view presented = presented_key(head.headers.find("Authorization").value_or(""),
                                                   head.headers.find("x-api-key").value_or(""));
  if (!presented.empty()) visitor.key = recognize(presented);
  const bool proxied = came_through_a_proxy(head.headers);
  const bool local = from_this_machine && !proxied;
  if (!visitor.key) {
    if (local || (from_this_machine && right != Right::admin && keys_now()->empty())) {
      if (const Result<void> meant = check_host(head); !meant) return meant.error();
    } else if (right != Right::anyone) {
      return no_key(!presented.empty());
    }
  }
  if (right != Right::admin) return visitor;
  if (visitor.key && visitor.key->admin) return visitor;
  if (!local) return no_admin(*visitor.key);
  if (page == Page::allowed) {
    return Error{ErrorCode::not_allowed,
                 "A page of another site may not administer the system without a key for that.",
                 "`rbee key add NAME --admin` makes one."};
  }
  return visitor;
}

std::optional<Gate::TooMany> Gate::take_request(const Visitor& visitor) {
  if (!visitor.key) return std::nullopt;
  const ApiKey& key = *visitor.key;
  const std::scoped_lock lock(mutex_);
  const std::optional<KeyLimits::Wait> wait = limits_.take_request(key, clock_.recent());
  if (!wait) return std::nullopt;
  const bool tokens = wait->of == KeyLimits::Of::tokens;
  return TooMany{
      {ErrorCode::rate_limited,
       cat("The key '", key.name, "' has used its ", tokens ? key.tokens_per_minute : key.requests_per_minute,
           tokens ? " tokens" : " requests", " of a minute."),
       cat("It may ask again in ", wait->seconds, " s."),
       {}},
      wait->seconds};
}

void Gate::spend(const Visitor& visitor, std::uint64_t tokens) {
  if (!visitor.key) return;
  const std::scoped_lock lock(mutex_);
  limits_.spend_tokens(*visitor.key, tokens, clock_.recent());
}

}  // namespace rbee::keeper
