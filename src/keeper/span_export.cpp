#include "keeper/span_export.h"

#include "base/text.h"
#include "keeper/spans.h"
#include "net/client.h"

#include <algorithm>
#include <utility>

namespace rbee::keeper {
namespace {

constexpr Milliseconds between_batches{1'000};
// A collector only takes what it is given down.
constexpr Milliseconds sends_within{5'000};
constexpr std::size_t largest_answer_bytes = 65536;

}  // namespace

SpanExport::SpanExport(const Clock& clock, Random& random, std::shared_ptr<Log> log, std::string version)
    : clock_(clock), random_(random), log_(std::move(log)), version_(std::move(version)) {}

SpanExport::~SpanExport() {
  on_ = false;
  if (runtime_) runtime_->stop();
}

void SpanExport::set_endpoint(std::optional<net::Endpoint> endpoint) {
  const std::scoped_lock lock(state_->mutex);
  on_ = endpoint.has_value();
  state_->endpoint = std::move(endpoint);
  state_->failing = false;
  if (!on_ || runtime_) return;
  runtime_ = std::make_unique<net::Runtime>(clock_, 1);
  net::Loop& loop = runtime_->first();
  loop.spawn(send_all(state_, loop, random_, log_, version_));
  runtime_->start();
}

void SpanExport::offer(RequestRecord record) {
  if (!on_ || !record.origin || !record.origin->trace.sampled) return;
  const std::scoped_lock lock(state_->mutex);
  if (state_->waiting.size() >= most_waiting) {
    state_->dropped += span_count(record);
    return;
  }
  state_->waiting.push_back(std::move(record));
}

net::Task<void> SpanExport::send(std::shared_ptr<State> state, net::Loop& loop, std::string body,
                                 std::uint64_t spans, std::shared_ptr<Log> log) {
  std::optional<net::Endpoint> to;
  {
    const std::scoped_lock lock(state->mutex);
    to = state->endpoint;
  }
  if (!to) co_return;
  const std::string name = to->text();
  net::ClientRequest request{.method = "POST",
                             .target = "/v1/traces",
                             .headers = {{"Content-Type", "application/json"}},
                             .body = body};
  net::Endpoint address = std::move(*to);
  net::Task<Result<net::ClientResponse>> fetching =
      net::fetch(loop, std::move(address), std::move(request), sends_within, largest_answer_bytes);
  const Result<net::ClientResponse> response = co_await fetching;
  const bool taken = response && response->status < 300;
  (taken ? state->sent : state->dropped) += spans;
  const std::scoped_lock lock(state->mutex);
  if (std::exchange(state->failing, !taken) || taken) co_return;
  const std::string why = response ? cat("it answers ", response->status) : response.error().message;
  log->warning(cat("Spans are not taken by ", name, ": ", why, ". They are dropped."));
}

net::Task<void> SpanExport::send_all(std::shared_ptr<State> state, net::Loop& loop, Random& random,
                                     std::shared_ptr<Log> log, std::string version) {
  while (true) {
    net::Task<void> resting = net::sleep_for(loop, between_batches);
    co_await resting;
    std::vector<RequestRecord> records;
    {
      const std::scoped_lock lock(state->mutex);
      records = std::exchange(state->waiting, {});
    }
    for (std::size_t from = 0; from < records.size(); from += most_at_once) {
      const std::size_t count = std::min(most_at_once, records.size() - from);
      const std::span<const RequestRecord> some(&records[from], count);
      std::uint64_t spans = 0;
      for (const RequestRecord& record : some) spans += span_count(record);
      std::string body = otlp_json(some, version, random);
      net::Task<void> sending = send(state, loop, std::move(body), spans, log);
      co_await sending;
    }
  }
}

}  // namespace rbee::keeper
