// What a client makes of another end that does as the test says.
#include "net/client.h"

#include "base/text.h"
#include "net/test_connection.h"

#include <gtest/gtest.h>

namespace rbee::net {
namespace {

class ClientTest : public ConnectionTest {
 protected:
  // With a body of so many bytes, of which the other end reads none.
  Result<ClientExchange> begin(std::size_t body_bytes, Milliseconds within = a_minute) {
    body_.assign(body_bytes, 'x');
    ClientRequest request{.method = "POST", .target = "/", .headers = {}, .body = body_};
    return loop_.block_on(
        ClientExchange::begin_on(std::move(stream_), there_, std::move(request), within, nullptr));
  }
  std::string answer_of(ClientExchange& exchange) {
    const Result<void> head = loop_.block_on(exchange.read_head(a_minute));
    EXPECT_TRUE(head) << head.error().message;
    const Result<std::string> text = loop_.block_on(exchange.read_all(100, a_minute));
    return text ? *text : text.error().message;
  }

  std::string body_;
};

TEST_F(ClientTest, AHeadThatComesInDropsHasItsTimeAsAWhole) {
  Result<ClientExchange> exchange = begin(2);
  loop_.spawn(drip(cat("HTTP/1.1 200 OK\r\nX: ", std::string(50, 'x'), "\r\n\r\n")));
  const Result<void> head = loop_.block_on(exchange->read_head(shorter_than_all));
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, ErrorCode::timed_out);
}

TEST_F(ClientTest, ABodyHasItsTimeAsAWholeWhereThatIsAskedFor) {
  Result<ClientExchange> exchange = begin(2);
  send("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
  ASSERT_TRUE(loop_.block_on(exchange->read_head(a_minute)));
  loop_.spawn(drip(std::string(50, 'x')));
  const Result<std::string> body = loop_.block_on(exchange->read_all_within(100, shorter_than_all));
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, ErrorCode::timed_out);
}

TEST_F(ClientTest, AConnectionIsGivenBackBehindAWholeRequestOnly) {
  constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  Result<ClientExchange> whole = begin(2);
  send(answer);
  EXPECT_EQ(answer_of(*whole), "ok");
  std::optional<Stream> kept = whole->give_back();
  ASSERT_TRUE(kept);
  stream_ = std::move(*kept);
  Result<ClientExchange> cut = begin(16u << 20, Milliseconds{5});
  send(answer);
  EXPECT_EQ(answer_of(*cut), "ok");
  EXPECT_FALSE(cut->give_back()) << "the next request would be read as what is missing of this one";
}

}  // namespace
}  // namespace rbee::net
