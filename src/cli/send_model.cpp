#include "cli/send_model.h"

#include "base/text.h"
#include "cli/progress.h"
#include "model/model_parts.h"
#include "model/sha256.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <vector>

namespace rbee::cli {
namespace {

// A keeper takes bodies of 64 MB, and holds each until the hive has it.
constexpr std::uint64_t piece_bytes = std::uint64_t{8} << 20;
constexpr Milliseconds connects_within{5'000};
constexpr Milliseconds answers_within{60'000};
// It reads all that came: 100 GB from a slow disk.
constexpr Milliseconds checks_within{15 * 60'000};
// Tries in a row that bring nothing: half a minute together, for a hive that starts again or a network that
// is back.
constexpr int most_tries = 7;
constexpr Milliseconds first_rest{500};
constexpr Milliseconds longest_rest{8'000};

struct SentFile {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::string sha256 = {};
  std::uint64_t have = 0;  // of it there
};

struct Sending {
  const Context& context;
  AdminClient& client;
  std::string hive;
  std::string name;
  Progress progress;
  std::vector<SentFile> files = {};
  bool has_projector = false;
  std::uint64_t total = 0;
  std::string target = {};  // of this upload

  [[nodiscard]] std::uint64_t done() const {
    std::uint64_t there = 0;
    for (const SentFile& file : files) there += file.have;
    return there;
  }
  void show(std::string_view what, std::uint64_t bytes) {
    progress.update(cat(name, ": ", what, ", ", bytes_text(bytes), " of ", bytes_text(total)), bytes, total);
  }
};

net::Task<Result<Json>> ask(AdminClient& client, std::string target, std::string_view body,
                            Milliseconds within) {
  net::ClientRequest request{
      .method = "POST", .target = std::move(target), .headers = client.headers(), .body = body};
  net::Task<Result<net::ClientExchange>> opening = client.open(std::move(request), connects_within, within);
  Result<net::ClientExchange> answer = co_await opening;
  if (!answer) co_return describe_failure(client.url(), answer.error());
  constexpr std::size_t largest_answer_bytes = 1u << 20;
  const Result<std::string> text = co_await answer->read_all(largest_answer_bytes, answers_within);
  if (!text) co_return describe_failure(client.url(), text.error());
  if (answer->head().status >= 300) co_return error_of_answer(answer->head().status, *text);
  co_return parse_json(*text);
}

Result<Json> post(Sending& sending, const std::string& target, std::string_view body, Milliseconds within) {
  return sending.client.loop().block_on(ask(sending.client, target, body, within));
}

// What may be otherwise in a moment: nobody answers, or the hive started anew and knows of no upload.
bool may_pass(const Error& error) {
  return error.code == ErrorCode::unreachable || error.code == ErrorCode::timed_out ||
         error.code == ErrorCode::unknown_name || error.code == ErrorCode::cancelled;
}

Result<void> find_files(Sending& sending, const std::string& path) {
  const Result<model::ModelParts> parts = model::read_model(path);
  if (!parts) return parts.error();
  std::vector<std::filesystem::path> files = parts->files;
  const std::filesystem::path projector = model::projector_beside(path);
  sending.has_projector = !projector.empty();
  if (sending.has_projector) files.push_back(projector);
  for (const std::filesystem::path& file : files) {
    std::error_code failure;
    const std::uintmax_t bytes = std::filesystem::file_size(file, failure);
    if (failure) return io_error(cat("'", file.string(), "' cannot be read"), failure.value());
    sending.files.push_back({.path = file, .bytes = bytes});
    sending.total += bytes;
  }
  return {};
}

// Reads on in `file`; empty where it cannot, or is shorter than it was.
std::string read_piece(std::ifstream& file, std::uint64_t bytes) {
  std::string piece(static_cast<std::size_t>(bytes), '\0');
  if (!file.read(piece.data(), static_cast<std::streamsize>(piece.size()))) piece.clear();
  return piece;
}

Error unreadable(const SentFile& file) {
  return Error{ErrorCode::io_failed, cat("'", file.path.string(), "' cannot be read to its end."),
               "It changed meanwhile, or its disk fails."};
}

// By which the hive knows what it has of it already, and at the end that all is right.
Result<void> take_checksums(Sending& sending) {
  std::uint64_t read = 0;
  for (SentFile& file : sending.files) {
    model::Sha256 sum;
    std::ifstream bytes(file.path, std::ios::binary);
    for (std::uint64_t at = 0; at < file.bytes; at += piece_bytes) {
      const std::string piece = read_piece(bytes, std::min(piece_bytes, file.bytes - at));
      if (piece.empty()) return unreadable(file);
      sum.add(piece);
      read += piece.size();
      sending.show("read for its checksum", read);
    }
    file.sha256 = sum.finish();
  }
  return {};
}

// Tells the hive what will come, and learns what of it is there.
Result<void> begin(Sending& sending) {
  Json files = Json::array();
  for (const SentFile& file : sending.files)
    files.push_back({{"bytes", file.bytes}, {"sha256", file.sha256}});
  const std::string uploads = cat("/api/v1/hives/", net::percent_encode(sending.hive), "/uploads");
  const Json order{
      {"model", sending.name}, {"projector", sending.has_projector}, {"files", std::move(files)}};
  const Result<Json> upload = post(sending, uploads, dump_json(order), answers_within);
  if (!upload) return upload.error();
  sending.target = cat(uploads, "/", text_of(*upload, "id"));
  std::size_t number = 0;
  for (const Json& there : get_array(*upload, "have")) {
    if (number == sending.files.size()) break;
    SentFile& file = sending.files[number++];
    file.have = there.is_number_unsigned() ? std::min(there.get<std::uint64_t>(), file.bytes) : 0;
  }
  return {};
}

Result<void> send_file(Sending& sending, std::size_t number) {
  SentFile& file = sending.files[number];
  std::ifstream bytes(file.path, std::ios::binary);
  bytes.seekg(static_cast<std::streamoff>(file.have));
  while (file.have < file.bytes) {
    const std::string piece = read_piece(bytes, std::min(piece_bytes, file.bytes - file.have));
    if (piece.empty()) return unreadable(file);
    const Result<Json> taken =
        post(sending, cat(sending.target, "/", number, "/", file.have), piece, answers_within);
    if (!taken) return taken.error();
    file.have += piece.size();
    sending.show(cat("sent to ", sending.hive), sending.done());
  }
  return {};
}

// Once through all of it, from where the hive stands.
Result<Json> send_once(Sending& sending) {
  if (const Result<void> begun = begin(sending); !begun) return begun.error();
  for (std::size_t number = 0; number < sending.files.size(); ++number) {
    if (const Result<void> sent = send_file(sending, number); !sent) return sent.error();
  }
  sending.show("checked there", sending.total);
  return post(sending, cat(sending.target, "/done"), "{}", checks_within);
}

}  // namespace

Result<bool> shares_our_files(AdminClient& client, const std::string& hive) {
  const Result<Json> about = client.get(cat("/api/v1/hives/", net::percent_encode(hive)));
  if (!about) return about.error();
  return client.is_on_this_machine() && get_bool(*about, "own").value_or(false);
}

Result<Json> send_model(const Context& context, AdminClient& client, const std::string& hive,
                        const std::string& name, const std::string& path) {
  Sending sending{context, client, hive, name, Progress(context.out, context.clock)};
  if (const Result<void> found = find_files(sending, path); !found) return found.error();
  if (const Result<void> taken = take_checksums(sending); !taken) return taken.error();
  Milliseconds rest = first_rest;
  std::uint64_t before = 0;
  for (int tries = 1;; ++tries) {
    Result<Json> sent = send_once(sending);
    if (sent || !may_pass(sent.error())) return sent;
    if (sending.done() > before) {
      tries = 1;
      rest = first_rest;
    }
    before = sending.done();
    if (tries >= most_tries) {
      Error why = sent.error();
      why.hint = cat(bytes_text(before), " of ", bytes_text(sending.total),
                     " are there: the same command goes on from where it stopped.");
      return why;
    }
    context.out.note(cat(sent.error().message, " Trying again; ", bytes_text(before), " are there."));
    client.loop().block_on(net::sleep_for(client.loop(), rest));
    rest = std::min(rest * 2, longest_rest);
  }
}

}  // namespace rbee::cli
