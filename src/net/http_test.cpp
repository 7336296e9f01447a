#include "net/http.h"

#include "base/text.h"

#include <gtest/gtest.h>
#include <array>

namespace rbee::net {
namespace {

// A picture of a head: lines without their CRLF.
std::string head(std::initializer_list<std::string_view> lines) {
  std::string out;
  for (const std::string_view line : lines) out += cat(line, "\r\n");
  return out + "\r\n";
}

void refuses(const std::string& text, std::string_view why) {
  const Result<RequestHead> parsed = parse_request_head(text);
  const Result<BodyFraming> framing = parsed ? request_framing(*parsed) : parsed.error();
  ASSERT_FALSE(framing) << text;
  EXPECT_EQ(framing.error().code, ErrorCode::bad_request);
  EXPECT_NE(framing.error().message.find(why), std::string::npos) << framing.error().message;
}

TEST(Headers, KeepTheirOrderAndFindTheFirstInAnyCase) {
  Headers headers{{"Host", "here"}, {"X", ""}};
  headers.add("x", "later");
  headers.add("Accept", std::string(1000, 'a'));
  std::string all;
  for (const auto& [name, value] : headers) all += cat(name, '=', value.substr(0, 5), ' ');
  EXPECT_EQ(all, "Host=here X= x=later Accept=aaaaa ");
  EXPECT_EQ(headers.find("HOST"), "here");
  EXPECT_EQ(headers.find("x"), "");
  EXPECT_EQ(headers.find("hos"), std::nullopt);
  EXPECT_EQ(headers.size(), 4u);
}

TEST(Headers, ACopyIsItsOwn) {
  Headers one{{"a", "1"}};
  const Headers two = one;
  one.add("b", std::string(100, 'b'));
  EXPECT_EQ(two.size(), 1u);
  EXPECT_EQ(two.find("a"), "1");
  EXPECT_EQ(one.find("a"), "1");
}

TEST(Headers, ANameIsFoundByAllItsLettersAndNotByItsMarkAlone) {
  const FieldName one = "a^";
  const FieldName other = "a~";
  ASSERT_EQ(one.mark(), other.mark());  // '^' and '~' differ in the bit by which small letters do
  EXPECT_FALSE(one == other);
  EXPECT_TRUE(FieldName("X-Two") == FieldName(std::string_view("x-tWO")));
  const auto parsed = parse_request_head(head({"GET / HTTP/1.1", "Host: h", "a^: 1", "a~: 2"}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->headers.find("A~"), "2");
}

TEST(Headers, ThoseOfSomeNamesKeepTheirOrderAndTheirDoubles) {
  const Headers all{{"Accept", "a"}, {"Cookie", "secret"}, {"content-type", "b"}, {"accept", "c"}};
  const std::array<FieldName, 2> names = {"Content-Type", "accept"};
  EXPECT_EQ(all.only(names).text(), "Accept: a\r\ncontent-type: b\r\naccept: c\r\n");
  EXPECT_TRUE(all.only({}).empty());
}

TEST(Headers, AControlCharacterIsRefusedWhereverItStands) {
  for (std::size_t at = 0; at < 20; ++at) {
    std::string value(20, 'v');
    value[at] = '\x01';
    refuses(head({"GET / HTTP/1.1", "Host: h", cat("X: <", value, ">")}), "control");
    value[at] = '\x7f';
    refuses(head({"GET / HTTP/1.1", "Host: h", cat("X: <", value, ">")}), "control");
    value[at] = '\t';
    value[19 - at] = '\xff';
    const auto parsed = parse_request_head(head({"GET / HTTP/1.1", "Host: h", cat("X: <", value, ">")}));
    ASSERT_TRUE(parsed) << at;
    EXPECT_EQ(parsed->headers.find("X"), cat('<', value, '>'));
  }
}

TEST(RequestHead, IsCutIntoItsParts) {
  const auto parsed =
      parse_request_head(head({"POST /v1/a%20b?x=1&y=a+b HTTP/1.1", "Host: h", "X-Two:  spaced \t"}));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->method, "POST");
  EXPECT_EQ(parsed->path, "/v1/a b");
  EXPECT_EQ(query_value(parsed->query, "y"), "a b");
  EXPECT_EQ(query_value(parsed->query, "z"), std::nullopt);
  EXPECT_EQ(parsed->headers.find("x-TWO"), "spaced");
}

TEST(RequestHead, WhatCouldSmuggleARequestIsRefused) {
  refuses(head({"GET / HTTP/1.1", "Host: h", "Content-Length: 1", "Content-Length: 2"}), "two fields");
  refuses(head({"POST / HTTP/1.1", "Host: h", "Content-Length: 1", "Transfer-Encoding: chunked"}), "both");
  refuses(head({"POST / HTTP/1.1", "Host: h", "Transfer-Encoding: gzip, chunked"}), "not known");
  refuses(head({"POST / HTTP/1.0", "Transfer-Encoding: chunked"}), "HTTP/1.0");
  refuses(head({"POST / HTTP/1.1", "Host: h", "Content-Length: -1"}), "not a number");
  refuses(head({"POST / HTTP/1.1", "Host: h", "Content-Length: 1x"}), "not a number");
  refuses(head({"GET / HTTP/1.1", "Host : h"}), "valid name");
  refuses(head({"GET / HTTP/1.1", "Host: h", " folded: x"}), "valid name");
  refuses("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", "control");
  refuses(head({"GET / HTTP/1.1", "Host: a", "Host: b"}), "two fields");
}

TEST(RequestHead, WhatIsNotHttpIsRefused) {
  refuses(head({"GET /"}), "not HTTP");
  refuses(head({"GET / HTTP/2.0", "Host: h"}), "Only HTTP");
  refuses(head({"GET  / HTTP/1.1", "Host: h"}), "not HTTP");
  refuses(head({"GET / HTTP/1.1"}), "no Host");
  refuses(head({"GET x HTTP/1.1", "Host: h"}), "no path");
}

TEST(RequestHead, PathsNeverLeaveTheirPlace) {
  refuses(head({"GET /a/../b HTTP/1.1", "Host: h"}), "not valid");
  refuses(head({"GET /a/%2e%2E/b HTTP/1.1", "Host: h"}), "not valid");
  refuses(head({"GET /a%00b HTTP/1.1", "Host: h"}), "not valid");
  refuses(head({"GET /a%0ab HTTP/1.1", "Host: h"}), "not valid");
  refuses(head({"GET /a%zz HTTP/1.1", "Host: h"}), "not valid");
}

TEST(RequestHead, FieldsAreCountedToTheLimit) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 1; i < most_fields; ++i) text += cat("a", i, ": b\r\n");
  EXPECT_TRUE(parse_request_head(text + "\r\n"));
  refuses(text + "one: more\r\n\r\n", "more than 100");
}

TEST(ResponseHead, FramingFollowsStatusAndFields) {
  const auto kind = [](std::initializer_list<std::string_view> lines, bool head_request = false) {
    const auto parsed = parse_response_head(head(lines));
    EXPECT_TRUE(parsed);
    return response_framing(*parsed, head_request)->kind;
  };
  EXPECT_EQ(kind({"HTTP/1.1 200 OK", "Content-Length: 5"}), Framing::length);
  EXPECT_EQ(kind({"HTTP/1.1 200 OK", "Transfer-Encoding: chunked"}), Framing::chunked);
  EXPECT_EQ(kind({"HTTP/1.1 200 OK"}), Framing::until_close);
  EXPECT_EQ(kind({"HTTP/1.1 204 No Content"}), Framing::none);
  EXPECT_EQ(kind({"HTTP/1.1 200 OK", "Content-Length: 5"}, true), Framing::none);
  const auto of_old = parse_response_head(head({"HTTP/1.0 200 OK", "Transfer-Encoding: chunked"}));
  EXPECT_FALSE(response_framing(of_old.value(), false));
  EXPECT_FALSE(parse_response_head(head({"HTTP/1.1 abc OK"})));
  EXPECT_FALSE(parse_response_head(head({"ICY 200 OK and on"})));
}

TEST(KeepAlive, IsTheRuleOfTheVersion) {
  EXPECT_TRUE(keeps_alive(1, {}));
  EXPECT_FALSE(keeps_alive(1, {{"Connection", "Close"}}));
  EXPECT_FALSE(keeps_alive(0, {}));
  EXPECT_TRUE(keeps_alive(0, {{"connection", "Keep-Alive"}}));
}

TEST(KeepAlive, EndsWhereOneFieldOfSeveralSaysSo) {
  for (const int minor_version : {0, 1}) {
    EXPECT_FALSE(keeps_alive(minor_version, {{"Connection", "keep-alive"}, {"connection", "close"}}));
    EXPECT_FALSE(keeps_alive(minor_version, {{"Connection", "close"}, {"Connection", "keep-alive"}}));
    EXPECT_TRUE(keeps_alive(minor_version, {{"Connection", "TE"}, {"Connection", "keep-alive"}}));
  }
}

TEST(Percent, DecodingUndoesEncoding) {
  const std::string text = "a b/ü?&=%+";
  EXPECT_EQ(percent_decode(percent_encode(text), true), text);
  EXPECT_EQ(percent_decode("%4", false), std::nullopt);
}

struct Dechunked {
  std::string data;
  bool done = false;
  bool bad = false;
};

// Feeds `text` in pieces of `piece` bytes.
Dechunked dechunk(std::string_view text, std::size_t piece) {
  Dechunked out;
  ChunkedReader reader;
  while (!text.empty() && !reader.done()) {
    std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    while (!part.empty() && !reader.done()) {
      const auto step = reader.next(part);
      if (!step) return {out.data, false, true};
      out.data += step->data;
      part.remove_prefix(step->used);
    }
  }
  out.done = reader.done();
  return out;
}

TEST(Chunks, AreTheSameInPiecesOfAnySize) {
  const std::string_view text = "5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\nTrailer: t\r\n\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Dechunked got = dechunk(text, piece);
    EXPECT_EQ(got.data, "hello, world...") << piece;
    EXPECT_TRUE(got.done);
  }
  EXPECT_FALSE(dechunk(text.substr(0, text.size() - 1), 3).done);
}

TEST(Chunks, BrokenFramingIsRefused) {
  for (const std::string_view text : {"x\r\n", "\r\n", "-1\r\n", "5\nhello\r\n", "5\r\nhelloX", "1\r\nab\r\n",
                                      "5 5\r\nhello\r\n", "fffffffffffffffff\r\n", "5\r\r\nhello"}) {
    EXPECT_TRUE(dechunk(text, 100).bad) << text;
  }
}

TEST(Chunks, ALineWithoutEndIsRefusedAtItsLimit) {
  EXPECT_FALSE(dechunk(std::string(4096, '1'), 100).bad);
  EXPECT_TRUE(dechunk(std::string(4097, '1'), 100).bad);
  std::string trailer = "0\r\n";
  for (std::size_t i = 0; i < most_fields; ++i) trailer += "a: b\r\n";
  EXPECT_TRUE(dechunk(trailer + "\r\n", 100).bad);
}

}  // namespace
}  // namespace rbee::net
