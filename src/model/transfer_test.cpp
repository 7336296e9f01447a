// Transfers against a server that is a picture: it may cut, lie, change and forget, and time stands still.
#include "model/transfer.h"

#include "base/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

namespace rbee::model {
namespace {

using namespace std::chrono_literals;

std::string file_of(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string file(size, '\0');
  for (char& c : file) c = static_cast<char>(random());
  return file;
}

// What it does with each request; the defaults are those of a good server.
struct Server {
  std::string file;
  std::string etag = "\"a\"";
  bool ranges = true;
  bool tells_length = true;
  std::function<void(AnswerHead&, std::uint64_t from)> lie = {};
  std::function<std::uint64_t(std::uint64_t from)> cut_after = {};  // bytes of one answer

  AnswerHead head(const TransferAction& action) const {
    AnswerHead head{.status = 200, .etag = etag, .content_type = "application/octet-stream"};
    if (ranges && action.ranged) {
      head.status = 206;
      const std::uint64_t to = std::min<std::uint64_t>(action.span.to, file.size());
      head.range = Span{action.span.from, to};
      head.range_total = file.size();
      head.length = to - action.span.from;
      if (action.span.from >= file.size()) head = AnswerHead{.status = 416, .range_total = file.size()};
    } else if (tells_length) {
      head.length = file.size();
    }
    if (lie) lie(head, action.span.from);
    return head;
  }
};

// Drives a transfer to its end, piece by piece over all connections in turn.
class Fetch {
 public:
  Fetch(Server& server, Transfer::Start start, TransferLimits limits = small())
      : server_(server), transfer_(std::move(start), limits) {}
  static TransferLimits small() { return TransferLimits{.smallest_cut = 64, .progress_bytes = 16}; }

  Fetch& go(int most_steps = 100'000) {
    for (int step = 0; step < most_steps && transfer_.state() == TransferState::running; ++step) {
      for (const TransferAction& action : transfer_.take_actions(now_)) carry_out(action);
      if (flows_.empty()) {
        if (transfer_.wake_at()) now_ = std::max(now_, *transfer_.wake_at());
        continue;
      }
      step_flow();
      if (on_step) on_step();
    }
    for (const TransferAction& action : transfer_.take_actions(now_)) carry_out(action);
    return *this;
  }

  std::string result() const {
    switch (transfer_.state()) {
      case TransferState::running: return "running";
      case TransferState::failed: return std::string(info(transfer_.error().code).name);
      case TransferState::complete: return written_ == server_.file ? "whole" : "broken";
    }
    return {};
  }

  std::function<void()> on_step = {};
  Transfer& transfer() { return transfer_; }
  std::string& written() { return written_; }
  Instant now() const { return now_; }
  int most_at_once = 0;
  int opened = 0;

 private:
  struct Flow {
    std::uint64_t at = 0;
    std::uint64_t left = 0;
    bool cut = false;
  };

  void carry_out(const TransferAction& action) {
    if (action.kind == TransferAction::Kind::restart) written_.clear();
    if (action.kind == TransferAction::Kind::close) flows_.erase(action.connection);
    if (action.kind != TransferAction::Kind::open) return;
    ++opened;
    const AnswerHead head = server_.head(action);
    const std::uint64_t from = head.status == 206 ? action.span.from : 0;
    const std::uint64_t to = head.status == 206 && head.range ? head.range->to : server_.file.size();
    if (!transfer_.on_head(action.connection, head, now_)) return;
    Flow flow{.at = from, .left = to - from};
    if (server_.cut_after) {
      const std::uint64_t most = server_.cut_after(from);
      flow.cut = most < flow.left;
      flow.left = std::min(flow.left, most);
    }
    flows_[action.connection] = flow;
    most_at_once = std::max(most_at_once, static_cast<int>(flows_.size()));
  }

  void step_flow() {
    turn_ = (turn_ + 1) % flows_.size();
    const auto at = std::next(flows_.begin(), static_cast<std::ptrdiff_t>(turn_));
    const int connection = at->first;
    Flow& flow = at->second;
    if (flow.left == 0) {
      const bool cut = flow.cut;
      flows_.erase(at);
      transfer_.on_end(connection, cut ? "cut" : "", now_);
      return;
    }
    const std::uint64_t size = std::min<std::uint64_t>(flow.left, 37);
    const std::string bytes = server_.file.substr(flow.at, size);
    const Transfer::Place place = transfer_.take(connection, size);
    flow.at += size;
    flow.left -= size;
    if (written_.size() < place.at + place.keep) written_.resize(place.at + place.keep);
    written_.replace(place.at, place.keep, bytes.substr(place.skip, place.keep));
    if (place.last) flows_.erase(connection);
  }

  Server& server_;
  Transfer transfer_;
  std::string written_;
  std::map<int, Flow> flows_;
  std::size_t turn_ = 0;
  Instant now_{};
};

Transfer::Start fresh() { return {.what = "http://x/m.gguf"}; }

TEST(Transfer, AFileComesOverFourConnectionsAtOnce) {
  Server server{.file = file_of(10'000)};
  Fetch run(server, fresh());
  EXPECT_EQ(run.go().result(), "whole");
  EXPECT_EQ(run.most_at_once, 4);
}

TEST(Transfer, ASizeThatIsKnownLetsAllBeginAtOnce) {
  Server server{.file = file_of(10'000)};
  Transfer transfer({.what = "x", .bytes = 10'000}, Fetch::small());
  const std::vector<TransferAction> actions = transfer.take_actions(Instant{});
  ASSERT_EQ(actions.size(), 4u);
  EXPECT_EQ(actions[0].span, (Span{0, 2'500}));
  EXPECT_EQ(actions[1].span, (Span{2'500, 4'375}));
  EXPECT_LT(actions[3].span.to, 10'000u);
}

// The checksum is of the contiguous front, so what lies far behind it would only wait to be hashed.
TEST(Transfer, RangesLieCloseBehindTheFront) {
  for (const std::optional<std::uint64_t> told : {std::optional<std::uint64_t>(100'000), {}}) {
    Server server{.file = file_of(100'000)};
    TransferLimits limits = Fetch::small();
    limits.largest_range = 1'000;
    Fetch run(server, {.what = "x", .bytes = told}, limits);
    std::uint64_t most_behind = 0;
    run.on_step = [&] {
      most_behind = std::max(most_behind, run.transfer().done_bytes() - run.transfer().front());
    };
    EXPECT_EQ(run.go().result(), "whole");
    EXPECT_EQ(run.most_at_once, 4);
    EXPECT_LE(most_behind, 4'000u);
    EXPECT_LE(run.opened, 130);
  }
}

TEST(Transfer, ASmallFileIsNotCut) {
  Server server{.file = file_of(100)};
  Fetch run(server, fresh());
  EXPECT_EQ(run.go().result(), "whole");
  EXPECT_EQ(run.opened, 1);
}

TEST(Transfer, AServerWithoutRangesSendsItOnOneConnection) {
  Server server{.file = file_of(10'000), .ranges = false};
  Fetch run(server, fresh());
  EXPECT_EQ(run.go().result(), "whole");
  EXPECT_EQ(run.most_at_once, 1);
  Server silent{.file = file_of(10'000), .ranges = false, .tells_length = false};
  EXPECT_EQ(Fetch(silent, fresh()).go().result(), "whole");
}

TEST(Transfer, AServerThatForgetsRangesInTheMiddleIsReadOnFromTheFront) {
  Server server{.file = file_of(10'000)};
  int answers = 0;
  server.cut_after = [&](std::uint64_t) {
    if (++answers == 6) server.ranges = false;
    return answers > 6 ? 100'000u : 700u;
  };
  Fetch run(server, fresh());
  EXPECT_EQ(run.go().result(), "whole");
  EXPECT_FALSE(server.ranges);
}

TEST(Transfer, ConnectionsThatAreCutAreTakenUpAgain) {
  Server server{.file = file_of(10'000)};
  server.cut_after = [](std::uint64_t) { return 100u; };
  EXPECT_EQ(Fetch(server, fresh()).go().result(), "whole");
}

TEST(Transfer, AServerThatBringsNothingIsGivenUpAfterWaiting) {
  Server server{.file = file_of(10'000)};
  server.cut_after = [](std::uint64_t) { return 0u; };
  Fetch run(server, fresh());
  EXPECT_EQ(run.go().result(), "source_unreachable");
  EXPECT_GT(run.now() - Instant{}, 20s);
  EXPECT_LT(run.now() - Instant{}, 180s);
}

TEST(Transfer, WhatIsMissingIsAllThatALaterTryNeeds) {
  Server server{.file = file_of(10'000)};
  Fetch first(server, fresh());
  first.go(60);
  ASSERT_EQ(first.result(), "running");
  Fetch second(server,
               {.what = "x", .bytes = 10'000, .etag = server.etag, .missing = first.transfer().missing()});
  second.written() = first.written();
  EXPECT_GT(second.transfer().done_bytes(), 0u);
  EXPECT_EQ(second.go().result(), "whole");
}

TEST(Transfer, AFileThatChangesIsBegunAnew) {
  Server server{.file = file_of(10'000)};
  Fetch run(server, fresh());
  run.on_step = [&, steps = 0]() mutable {
    if (++steps != 20) return;
    server.file = file_of(10'000, 2);
    server.etag = "\"b\"";
    server.cut_after = [](std::uint64_t) { return 5'000u; };
  };
  server.cut_after = [](std::uint64_t) { return 100u; };
  EXPECT_EQ(run.go().result(), "whole");
}

TEST(Transfer, AFileThatAlwaysChangesIsGivenUp) {
  Server server{.file = file_of(10'000)};
  int answers = 0;
  server.lie = [&](AnswerHead& head, std::uint64_t) { head.etag = cat("\"", ++answers, "\""); };
  EXPECT_EQ(Fetch(server, fresh()).go().result(), "bad_model_file");
}

TEST(Transfer, AnotherSizeThanTheChecksumsIsAnError) {
  Server server{.file = file_of(10'000)};
  Fetch run(server, {.what = "x", .bytes = 9'999, .pinned = true});
  EXPECT_EQ(run.go().result(), "bad_model_file");
}

TEST(Transfer, ARangeThatWasNotAskedForIsNotTaken) {
  Server server{.file = file_of(10'000)};
  server.lie = [](AnswerHead& head, std::uint64_t from) {
    if (from > 0 && head.range) head.range->from += 1;
  };
  EXPECT_EQ(Fetch(server, fresh()).go().result(), "source_unreachable");
}

TEST(Transfer, WhatNoRetryMendsEndsAtOnce) {
  for (const auto& [status, code] :
       {std::pair{401, "not_allowed"}, {403, "not_allowed"}, {404, "unknown_model"}}) {
    Server server{.file = file_of(1'000)};
    server.lie = [told = status](AnswerHead& head, std::uint64_t) { head.status = told; };
    Fetch run(server, fresh());
    EXPECT_EQ(run.go().result(), code);
    EXPECT_EQ(run.opened, 1) << status;
  }
  Server page{.file = file_of(1'000)};
  page.lie = [](AnswerHead& head, std::uint64_t) { head.content_type = "text/html; charset=utf-8"; };
  EXPECT_EQ(Fetch(page, fresh()).go().result(), "bad_model_file");
}

TEST(Transfer, AServerThatAsksForPatienceGetsIt) {
  Server server{.file = file_of(10'000)};
  int answers = 0;
  server.lie = [&](AnswerHead& head, std::uint64_t) {
    if (++answers == 1) head = AnswerHead{.status = 429, .retry_after_s = 17};
  };
  Fetch run(server, fresh());
  EXPECT_EQ(run.go().result(), "whole");
  EXPECT_GE(run.now() - Instant{}, 17s);
  EXPECT_LE(run.most_at_once, 2);
}

TEST(Transfer, WhileItIsTriedAgainItSaysWhy) {
  Transfer transfer({.what = "m.gguf", .bytes = 10});
  EXPECT_EQ(transfer.trouble(), "");
  const std::vector<TransferAction> opened = transfer.take_actions(Instant{});
  transfer.on_end(opened.at(0).connection, "the connection was refused", Instant{});
  EXPECT_EQ(transfer.trouble(), "the connection was refused");
  const std::vector<TransferAction> again = transfer.take_actions(Instant{} + 60s);
  EXPECT_EQ(transfer.trouble(), "the connection was refused");
  ASSERT_TRUE(transfer.on_head(again.at(0).connection, AnswerHead{.status = 200, .length = 10}, Instant{}));
  (void)transfer.take(again.at(0).connection, 5);
  EXPECT_EQ(transfer.trouble(), "");
}

TEST(Transfer, ServerErrorsAreTriedAgain) {
  Server server{.file = file_of(10'000)};
  int answers = 0;
  server.lie = [&](AnswerHead& head, std::uint64_t) {
    if (++answers % 3 != 0) head = AnswerHead{.status = 503};
  };
  EXPECT_EQ(Fetch(server, fresh()).go().result(), "whole");
}

TEST(Transfer, ContentRangesAreReadStrictly) {
  AnswerHead head;
  EXPECT_TRUE(parse_content_range("bytes 5-9/10", head));
  EXPECT_EQ(head.range, (Span{5, 10}));
  EXPECT_EQ(head.range_total, 10u);
  EXPECT_TRUE(parse_content_range("bytes */10", head));
  for (const char* bad : {"", "5-9/10", "bytes 9-5/10", "bytes 5-10/10", "bytes -1-5/10", "bytes 0-9",
                          "bytes 0-18446744073709551615/*", "bytes 0-9/99999999999999999999999"}) {
    EXPECT_FALSE(parse_content_range(bad, head)) << bad;
  }
}

// Whatever a server does with its connections, what is complete is right, and progress never shrinks.
TEST(Transfer, ByAnyWayWhatIsCompleteIsTheFile) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    Server server{.file = file_of(1'000 + random() % 20'000, seed)};
    server.cut_after = [&](std::uint64_t) { return 1 + random() % 3'000; };
    server.lie = [&](AnswerHead& head, std::uint64_t) {
      if (random() % 10 == 0) head = AnswerHead{.status = random() % 2 == 0 ? 500 : 429};
      if (random() % 40 == 0) server.ranges = !server.ranges;
    };
    Fetch run(server, fresh());
    EXPECT_TRUE(run.go().result() == "whole" || run.result() == "source_unreachable")
        << seed << " " << run.result();
  }
}

}  // namespace
}  // namespace rbee::model
