#include "keeper/signs_of_waiting.h"

#include "keeper/ask_engine.h"
#include "net/sse.h"

#include <algorithm>

namespace rbee::keeper {
namespace {

constexpr std::string_view comment = ": waiting\n\n";
// A writer that is stuck ends by the connection's own limit for writing, far below.
constexpr Milliseconds longest_write{10 * 60'000};

constexpr std::string_view stream_of_events = "text/event-stream";

// Ollama's streams are lines of JSON, and have no comments.
bool may_have_comments(const Passage& passage) {
  const Call& call = passage.call;
  const bool has_events = call.form == nullptr || call.form->stream_type() == stream_of_events;
  return call.stream && has_events && call.api != Api::ollama && call.method == "POST" &&
         passage.core->options.sign_of_life > Milliseconds{0};
}

net::Task<bool> say_alive(Passage& passage) {
  net::Exchange& exchange = passage.exchange;
  if (passage.take_up) {
    const Wire wire = passage.take_up->wire;
    if (!wire.whole || !wire.events) co_return true;
    net::Task<bool> saying = write_comment(exchange, comment, wire);
    const bool said = co_await saying;
    co_return said;
  }
  if (!exchange.started()) {
    net::Headers headers = own_headers(passage, "");
    headers.add("Content-Type", std::string(stream_of_events));
    headers.add("Cache-Control", "no-cache");
    net::Task<Result<void>> starting = exchange.start(200, std::move(headers));
    const Result<void> started = co_await starting;
    if (!started) co_return false;
  }
  const Result<void> said = co_await exchange.write(comment);
  co_return static_cast<bool>(said);
}

}  // namespace

struct SignsOfWaiting::State {
  State(Passage& of, net::Loop& loop) : passage(of), stop(loop), ended(loop) {}
  Passage& passage;
  net::Signal stop;
  net::Signal ended;
};

SignsOfWaiting::SignsOfWaiting(Passage& passage) {
  if (!may_have_comments(passage)) return;
  net::Loop& loop = passage.exchange.loop();
  state_ = std::make_shared<State>(passage, loop);
  loop.spawn(write_signs(state_));
}

net::Task<void> SignsOfWaiting::write_signs(std::shared_ptr<State> state) {
  bool goes_on = true;
  while (goes_on) {
    const bool stopped = co_await state->stop.wait(state->passage.core->options.sign_of_life);
    if (stopped || state->passage.ride->gone) break;
    net::Task<bool> saying = say_alive(state->passage);
    goes_on = co_await saying;
  }
  state->ended.notify();
}

net::Task<void> SignsOfWaiting::end() {
  if (!state_) co_return;
  state_->stop.notify();
  const bool ended = co_await state_->ended.wait(longest_write);
  static_cast<void>(ended);
}

bool told_to_wait(const Passage& passage) { return passage.exchange.started() && !passage.take_up; }

net::Task<bool> end_in_stream(net::Exchange& exchange, Api api, std::string body) {
  // An engine may write its error on several lines, which would end the event.
  std::ranges::replace(body, '\n', ' ');
  const bool named = api == Api::anthropic || api == Api::responses;
  const std::string event = net::format_sse(named ? "error" : "", body);
  const Result<void> told = co_await exchange.write(event);
  if (!told) co_return false;
  const Result<void> finished = co_await exchange.finish();
  co_return static_cast<bool>(finished);
}

}  // namespace rbee::keeper
