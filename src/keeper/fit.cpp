#include "keeper/fit.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "net/client.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace rbee::keeper {
namespace {

// A header with a large vocabulary on a slow disk.
constexpr Milliseconds hive_answers_within{60'000};
// The best of size and quality for most models, and what hubs name first.
constexpr std::string_view recommended_quant = "Q4_K_M";

struct Question {
  std::string name;          // as it was asked
  std::vector<Json> bodies;  // of the requests to the hive
};

Result<Question> question_of(const Json& asked, const Snapshot& snapshot) {
  Json settings = asked;
  settings.erase("model");
  settings.erase("path");
  const std::optional<std::string> path = get_string(asked, "path");
  if (path) {
    settings["path"] = *path;
    return Question{*path, {settings}};
  }
  const std::string name = get_string(asked, "model").value_or("");
  if (name.empty())
    return Error{ErrorCode::bad_request, "The request names no model.", R"(Send {"model": "NAME"}.)", {}};
  Question question{name, {}};
  std::vector<std::string> names;
  for (const ModelFile& file : snapshot.models) {
    names.push_back(file.id);
    if (!answers_to(file, name)) continue;
    settings["model"] = file.id;
    question.bodies.push_back(settings);
  }
  if (question.bodies.empty())
    return Error{
        ErrorCode::unknown_model, cat("There is no model '", name, "'."), did_you_mean(name, names), {}};
  return question;
}

net::Task<Result<Json>> ask_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string body) {
  net::ClientRequest request{
      .method = "POST", .target = "/fit", .headers = {{"Content-Type", "application/json"}}, .body = body};
  net::Endpoint to = core->own_hive;
  net::Task<Result<net::ClientResponse>> fetching =
      net::fetch(loop, std::move(to), std::move(request), hive_answers_within);
  const Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  const Result<Json> json = parse_json(response->body);
  if (!json) co_return json.error();
  if (response->status >= 300) co_return error_from_json(*json);
  co_return *json;
}

net::Task<Result<Json>> fit(std::shared_ptr<Core> core, net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  if (!body) co_return body.error();
  const Result<Json> asked = parse_json(*body);
  if (!asked) co_return asked.error();
  if (!asked->is_object()) co_return Error{ErrorCode::bad_json, "The body is no JSON object."};
  const Snapshot snapshot = core->placing->snapshot();
  const Result<Question> question = question_of(*asked, snapshot);
  if (!question) co_return question.error();
  Json table = Json::array();
  for (const Json& one : question->bodies) {
    std::string text = dump_json(one);
    net::Task<Result<Json>> asking = ask_hive(core, exchange.loop(), std::move(text));
    const Result<Json> row = co_await asking;
    if (!row) co_return row.error();
    table.push_back(*row);
  }
  Json choice = choose_fit(table);
  co_return Json{{"model", question->name}, {"table", std::move(table)}, {"choice", std::move(choice)}};
}

// Larger is better; 0: it does not fit.
int rank_of(const std::string& fits, bool recommended) {
  if (fits == "whole") return recommended ? 4 : 3;
  if (fits == "part") return recommended ? 2 : 1;
  return 0;
}

}  // namespace

Json choose_fit(const Json& table) {
  Json choice{{"hive", nullptr}, {"quant", nullptr}};
  int best_rank = 0;
  std::int64_t best_bytes = 0;
  for (const Json& row : table) {
    const std::string quant = get_string(row, "quant").value_or("");
    const std::int64_t bytes = get_int(row, "bytes").value_or(0);
    for (const Json& place : get_array(row, "hives")) {
      const std::string fits = get_string(place, "fits").value_or("no");
      const int rank = rank_of(fits, quant == recommended_quant);
      if (rank == 0 || rank < best_rank) continue;
      const bool better = fits == "whole" ? bytes > best_bytes : bytes < best_bytes;
      if (rank == best_rank && !better) continue;
      best_rank = rank;
      best_bytes = bytes;
      choice = Json{{"hive", get_string(place, "hive").value_or("")}, {"quant", quant}};
    }
  }
  return choice;
}

net::Task<void> answer_fit(std::shared_ptr<Core> core, net::Exchange& exchange) {
  net::Task<Result<Json>> asking = fit(core, exchange);
  const Result<Json> found = co_await asking;
  if (!found) {
    net::Task<Result<void>> refusing = exchange.respond_error(found.error());
    const Result<void> told = co_await refusing;
    static_cast<void>(told);
    co_return;
  }
  std::string text = dump_json(*found);
  net::Task<Result<void>> responding = exchange.respond_json(200, std::move(text));
  const Result<void> told = co_await responding;
  static_cast<void>(told);
}

}  // namespace rbee::keeper
