// Agent: files for other hives of the system, by tickets that the keeper asks for (file_tickets.h).
#include "hive/agent.h"

#include "base/json.h"
#include "base/text.h"
#include "hive/wanted_field.h"
#include "model/model_parts.h"
#include "model/sha256.h"
#include "net/client.h"
#include "net/identity_files.h"
#include "net/tls.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <utility>

namespace rbee::hive {
namespace {

// A disk gives so much at once without being asked twice, and a hive that sends ten files holds 10 MB.
constexpr std::size_t piece_bytes = 1u << 20;
// In a house or a data centre it is a millisecond; a firewall that swallows packets must not hold up a copy.
constexpr Milliseconds reach_within{2'000};
// Nobody guesses 128 bits.
constexpr std::size_t secret_bytes = 16;

// What the store fetched is named by its checksum; of another file it is computed, at a disk's speed.
Result<std::string> checksum_of(const std::filesystem::path& file, const std::string& known,
                                const std::function<bool()>& keep_on) {
  std::error_code failure;
  const std::filesystem::path real = std::filesystem::canonical(file, failure);
  if (!failure && real.parent_path().filename() == "blobs" && model::is_sha256(real.stem().string()))
    return real.stem().string();
  if (!known.empty()) return known;
  return model::sha256_of_file(file, keep_on);
}

Result<std::vector<SharedFile>> files_of(const ModelFile& model, const std::function<bool()>& keep_on) {
  const Result<model::ModelParts> parts = model::read_model(model.path);
  if (!parts) return parts.error();
  std::vector<std::filesystem::path> paths = parts->files;
  const bool is_one = paths.size() == 1;
  if (!model.projector.empty()) paths.emplace_back(model.projector);
  std::vector<SharedFile> files;
  for (const std::filesystem::path& path : paths) {
    const bool is_the_model = is_one && files.empty();
    const Result<std::string> sha256 =
        checksum_of(path, is_the_model ? model.sha256 : std::string(), keep_on);
    if (!sha256) return sha256.error();
    std::error_code failure;
    const std::uintmax_t bytes = std::filesystem::file_size(path, failure);
    if (failure) return io_error(cat("'", path.string(), "' cannot be read"), failure.value());
    files.push_back({path.string(), path.filename().string(), bytes, *sha256});
  }
  return files;
}

// Empty at the end, or where it has become shorter: then the answer is cut, and the other end sees that.
std::string read_piece(const std::string& path, std::uint64_t from, std::uint64_t size) {
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, piece_bytes)), '\0');
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(from));
  file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
  piece.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return piece;
}

}  // namespace

// The key by which this hive is known to others, made where there is none yet.
Result<std::string> Agent::get_identity() const {
  const Result<net::TlsIdentity> identity = net::open_identity(folders_.hive, "rbee hive");
  if (!identity) return identity.error();
  const Result<std::string> print = net::key_print_of(*identity);
  if (!print) return print.error();
  return dump_json(Json{{"key", *print}});
}

// Whether a hive with that key answers there, seen from here.
net::Task<Result<std::string>> Agent::post_reach(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  Result<net::Endpoint> address = net::parse_endpoint(text_of(*json, "address"), 0);
  if (!address) co_return address.error();
  const Result<net::TlsIdentity> identity = net::open_identity(folders_.hive, "rbee hive");
  if (!identity) co_return identity.error();
  Result<std::shared_ptr<const net::TlsContext>> tls = net::TlsContext::client(*identity);
  if (!tls) co_return tls.error();
  net::Secure secure{std::move(*tls), text_of(*json, "key")};
  net::Task<Result<net::Stream>> connecting =
      net::connect_secure(loop_, std::move(*address), std::move(secure), reach_within);
  const Result<net::Stream> reached = co_await connecting;
  co_return dump_json(Json{{"reached", reached.has_value()}});
}

net::Task<Result<std::string>> Agent::post_ticket(std::string body) {
  const Result<Json> json = parse_json(body);
  if (!json) co_return json.error();
  const Result<std::string> id = wanted_string(*json, "model");
  if (!id) co_return id.error();
  const std::string for_key = text_of(*json, "for_key");
  const Result<ModelFile> model = find_model(*id);
  if (!model) co_return model.error();
  // The keeper itself takes it by the socket of its home, with no key.
  if (!door_ && !for_key.empty()) {
    co_return Error{
        ErrorCode::unsupported,
        cat("Hive '", options_.name, "' listens for nobody: no other hive can take files from it."),
        "Start it with `rbee hive --listen ADDRESS`."};
  }
  std::function<Result<std::vector<SharedFile>>()> look = [file = *model, ending = ending_] {
    return files_of(file, [&] { return !ending->load(); });
  };
  Result<std::vector<SharedFile>> files = co_await checks_->run(loop_, std::move(look));
  if (!files) co_return files.error();
  Json list = Json::array();
  for (const SharedFile& file : *files)
    list.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  std::string secret = net::new_secret(secret_bytes);
  Json answer{{"ticket", secret},
              {"model", model->id},
              {"key", door_ ? door_->key_print() : std::string()},
              {"projector", !model->projector.empty()},
              {"files", std::move(list)}};
  tickets_.issue(std::move(secret), for_key, std::move(*files), clock_.now());
  co_return dump_json(answer);
}

net::Task<void> Agent::send_file(std::shared_ptr<Agent> self, net::Exchange& exchange, FileTarget target) {
  const Result<SharedFile> file =
      self->tickets_.find(target.ticket, exchange.peer_key(), target.file, self->clock_.now());
  Result<ByteRange> range = Error{};
  if (file) range = parse_range(exchange.head().headers.find("Range").value_or(""), file->bytes);
  if (!file || !range) {
    Error error = file ? range.error() : file.error();
    (void)co_await exchange.respond_error(std::move(error));
    co_return;
  }
  const std::uint64_t end = range->first + range->size;
  net::Headers headers{{"Content-Type", "application/octet-stream"},
                       {"Content-Length", cat(range->size)},
                       {"Accept-Ranges", "bytes"},
                       {"ETag", cat('"', file->sha256, '"')}};
  const bool part = exchange.head().headers.find("Range").has_value();
  if (part) headers.add("Content-Range", cat("bytes ", range->first, "-", end - 1, "/", file->bytes));
  const int status = part ? 206 : 200;
  Result<void> going = co_await exchange.start_raw(status, std::move(headers));
  std::uint64_t at = range->first;
  while (going && at < end) {
    std::function<std::string()> read = [path = file->path, at, left = end - at] {
      return read_piece(path, at, left);
    };
    const std::string piece = co_await self->files_->run(self->loop_, std::move(read));
    if (piece.empty() || !self->runner_) {
      exchange.abort();
      co_return;
    }
    at += piece.size();
    const bool last = at >= end;
    going = co_await exchange.write_raw(piece, last);
  }
}

}  // namespace rbee::hive
