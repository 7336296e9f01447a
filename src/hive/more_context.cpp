// POST /engines/ID/context: an engine starts anew with more context, where that fits.
//
// It is ended when its requests are done; the keeper, whose request waits, asks for the load, which then has
// that context for as long as this hive runs and it fits.
#include "hive/agent.h"

#include "base/json.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace rbee::hive {
namespace {

Error closing() { return Error{ErrorCode::no_worker, "This hive is ending.", "Try again when it is back."}; }

}  // namespace

// What would be loaded in place of `load`, whose memory counts as free: by doubling, so that a conversation
// that grows does not come back with each question, or with just as much as is asked for. Never with fewer
// layers on the device than now: every token would pay for that.
Result<Load> plan_more_context(const model::GgufHeader& header, const Load& load, const WorkerSpec& worker,
                               const Ledger& ledger, const ContextWish& wish,
                               const Corrections& corrections) {
  Ledger without = ledger;
  without.release(load.engine_id);
  without.forget_seen();
  std::uint32_t doubled = std::max(load.context, 1u);
  while (doubled < wish.context && doubled < largest_context) doubled *= 2;
  if (wish.most > 0) doubled = std::clamp(doubled, wish.context, std::max(wish.most, wish.context));
  Result<Load> last = Error{ErrorCode::internal, "Nothing was planned.", {}, {}};
  for (const std::uint32_t context : {doubled, wish.context}) {
    LoadSettings settings{.context = context,
                          .slots = load.slots,
                          .cache = load.cache,
                          .may_offload = load.may_offload,
                          .args = load.args};
    Load planned = plan_load(header, load.model, worker, without, settings, corrections);
    if (planned.context < wish.context) {
      return Error{ErrorCode::does_not_fit,
                   cat("'", load.model.id, "' takes ", planned.context, " tokens, not ", wish.context, "."),
                   {},
                   {}};
    }
    Ledger trial = without;
    const Result<void> fits =
        trial.reserve({.id = load.engine_id, .model = load.model.id, .worker = load.worker}, planned.needs);
    if (fits && planned.layers >= load.layers) return planned;
    last = fits ? Error{ErrorCode::does_not_fit,
                        cat("With a context of ", context, " tokens '", load.model.id, "' would keep ",
                            planned.layers, " of ", planned.of_layers, " layers on the device, and has ",
                            load.layers, " there now."),
                        {},
                        {}}
                : fits.error();
  }
  return last;
}

net::Task<Result<std::string>> Agent::post_context(std::string engine, std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  const std::int64_t context = get_int(*json, "context").value_or(0);
  const std::int64_t most = get_int(*json, "most").value_or(0);
  if (context < 1 || context > largest_context || most < 0 || most > largest_context)
    co_return Error{ErrorCode::bad_request,
                    cat("'context' must be a whole number from 1 to ", largest_context, "."),
                    {},
                    {}};
  const Load* running = supervisor_.find_load(engine);
  const Error unknown{ErrorCode::unknown_name, cat("'", options_.name, "' has no engine '", engine, "'.")};
  if (running == nullptr) co_return unknown;
  std::function<Facts()> looking = look(running->backend, running->model.id);
  const Facts facts = co_await work_->run(loop_, std::move(looking));
  if (stopping_ || !runner_) co_return closing();
  if (!facts.header) co_return facts.header.error();
  const Load* load = supervisor_.find_load(engine);
  const WorkerSpec* worker = load == nullptr ? nullptr : supervisor_.find_worker(load->worker);
  if (worker == nullptr) co_return unknown;
  const ContextWish wish{static_cast<std::uint32_t>(context), static_cast<std::uint32_t>(most)};
  const Result<Load> planned =
      plan_more_context(*facts.header, *load, *worker, supervisor_.ledger(), wish, corrections_);
  if (!planned) co_return planned.error();
  grown_[{load->worker, load->model.id}] = planned->context;
  log_->info(cat("'", load->model.id, "' on '", load->worker, "' starts anew with a context of ",
                 planned->context, " tokens, ", load->context, " before."));
  const Result<void> ending = supervisor_.unload(engine, clock_.now());
  runner_->pump();
  if (!ending) co_return ending.error();
  co_return dump_json(Json{{"context", planned->context}});
}

}  // namespace rbee::hive
