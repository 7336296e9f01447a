#include "net/pass_on.h"

namespace rbee::net {

bool can_pass_framing(const Exchange& to, const ClientExchange& from) {
  const Framing kind = from.framing().kind;
  return kind == Framing::chunked ? to.head().minor_version >= 1 : kind != Framing::until_close;
}

namespace {

Task<Result<ClientExchange::Raw>> next_decoded(ClientExchange& from, Milliseconds silence) {
  const Result<std::string_view> data = co_await from.read_some(silence);
  if (!data) co_return data.error();
  const ClientExchange::Raw piece{*data, data->empty()};
  co_return piece;
}

Task<Result<void>> pass_raw(Exchange& to, std::string_view bytes, bool last) {
  const Result<void> written = co_await to.write_raw(bytes, last);
  co_return written;
}

Task<Result<void>> pass_encoded(Exchange& to, std::string_view bytes, bool last) {
  const Result<void> written = co_await to.write(bytes);
  if (!written || !last) co_return written;
  const Result<void> finished = co_await to.finish();
  co_return finished;
}

}  // namespace

// Not coroutines: what passes as it is pays for no frame but its own.
Task<Result<ClientExchange::Raw>> next_piece(ClientExchange& from, bool raw, Milliseconds silence) {
  return raw ? from.read_raw(silence) : next_decoded(from, silence);
}

Task<Result<void>> pass_piece(Exchange& to, std::string_view bytes, bool last, bool raw) {
  return raw ? pass_raw(to, bytes, last) : pass_encoded(to, bytes, last);
}

}  // namespace rbee::net
