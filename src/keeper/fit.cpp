#include "keeper/fit.h"

#include "base/text.h"
#include "domain/model_name.h"
#include "keeper/admin_json.h"
#include "model/source.h"
#include "net/client.h"

#include <nlohmann/json.hpp>

#include <vector>

namespace rbee::keeper {
namespace {

// A header with a large vocabulary from a slow disk, or over a slow line.
constexpr Milliseconds hive_answers_within{60'000};

struct Question {
  std::string name;               // as it was asked
  std::vector<Json> bodies = {};  // of the requests to the hive
  // Where what is asked of the web fails, what is here answers.
  std::vector<Json> otherwise = {};
};

bool is_auto(const Json& asked) { return equal_ignoring_case(text_of(asked, "quant"), "auto"); }

// What nobody holds yet, by the names that a download takes.
Result<Json> source_body(const std::string& name, const std::string& quant, Json settings,
                         const std::vector<std::string>& here) {
  const Result<model::Source> source = model::parse_source(name, quant, model::catalog());
  if (!source) {
    const std::string near = did_you_mean(name, here);
    if (near.empty() || source.error().code != ErrorCode::unknown_model) return source.error();
    return Error{ErrorCode::unknown_model, cat("There is no model '", name, "'."), near};
  }
  if (source->kind == model::SourceKind::path)
    return Error{ErrorCode::bad_request,
                 cat("'", name, "' is a path, not a model's name."),
                 R"(Send it as {"path": "..."}.)",
                 {}};
  settings["source"] = name;
  settings["quant"] = quant;
  return settings;
}

Result<Question> question_of(const Json& asked, const Snapshot& snapshot) {
  Json settings = asked;
  for (const char* key : {"model", "path", "quant"}) settings.erase(key);
  const std::optional<std::string> path = get_string(asked, "path");
  if (path) {
    settings["path"] = *path;
    return Question{*path, {settings}};
  }
  const std::string name = text_of(asked, "model");
  if (name.empty())
    return Error{ErrorCode::bad_request, "The request names no model.", R"(Send {"model": "NAME"}.)", {}};
  const std::string quant = text_of(asked, "quant");
  const bool any_quant = quant.empty() || is_auto(asked);
  Question question{name};
  std::vector<std::string> names;
  for (const ModelFile& file : snapshot.models) {
    names.push_back(file.id);
    if (!answers_to(file, name) || (!any_quant && !equal_ignoring_case(file.quant, quant))) continue;
    Json body = settings;
    body["model"] = file.id;
    question.bodies.push_back(std::move(body));
  }
  if (!question.bodies.empty() && !is_auto(asked)) return question;
  Result<Json> source = source_body(name, quant, std::move(settings), names);
  if (!source && question.bodies.empty()) return source.error();
  if (source) {
    question.otherwise = std::move(question.bodies);
    question.bodies = {std::move(*source)};
  }
  return question;
}

net::Task<Result<Json>> ask_hive(std::shared_ptr<Core> core, net::Loop& loop, std::string hive,
                                 std::string body) {
  net::ClientRequest request{
      .method = "POST", .target = "/fit", .headers = {{"Content-Type", "application/json"}}, .body = body};
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, std::move(hive), std::move(request), hive_answers_within);
  const Result<net::ClientResponse> response = co_await fetching;
  if (!response) co_return response.error();
  const Result<Json> json = parse_json(response->body);
  if (!json) co_return json.error();
  if (response->status >= 300) co_return error_from_json(*json);
  co_return *json;
}

// One row for each quantization, with the places of all hives.
void add_rows(Json& table, const Json& rows) {
  for (const Json& row : rows) {
    const auto same = std::ranges::find_if(table, [&](const Json& known) {
      return known.value("quant", "") == row.value("quant", "") &&
             known.value("bytes", Json()) == row.value("bytes", Json());
    });
    if (same == table.end()) {
      table.push_back(row);
      continue;
    }
    for (const Json& place : get_array(row, "hives")) (*same)["hives"].push_back(place);
  }
}

std::vector<std::string> hives_that_are_up(const Core& core) {
  std::vector<std::string> names;
  for (const HiveView& hive : core.placing->snapshot().hives) {
    if (hive.answers()) names.push_back(hive.name);
  }
  return names;
}

// The rows of all of them on all hives; a hive that has no answer, since it lacks the file, is left out where
// another has one.
net::Task<Result<Json>> ask_all(std::shared_ptr<Core> core, net::Loop& loop, std::vector<Json> bodies) {
  Json table = Json::array();
  const std::vector<std::string> hives = hives_that_are_up(*core);
  Error failure{ErrorCode::unreachable, "No hive answers.", "`rbee hive list` shows them.", {}};
  for (const Json& one : bodies) {
    bool answered = false;
    for (const std::string& hive : hives) {
      std::string text = dump_json(one);
      net::Task<Result<Json>> asking = ask_hive(core, loop, hive, std::move(text));
      const Result<Json> answer = co_await asking;
      if (answer)
        add_rows(table, get_array(*answer, "table"));
      else if (!answered)
        failure = answer.error();
      answered = answered || answer;
    }
    if (!answered) co_return failure;
  }
  co_return table;
}

net::Task<Result<Json>> fit(std::shared_ptr<Core> core, net::Exchange& exchange) {
  const Result<std::string_view> body = co_await exchange.read_body();
  if (!body) co_return body.error();
  const Result<Json> asked = parse_json(*body);
  if (!asked) co_return asked.error();
  if (!asked->is_object()) co_return Error{ErrorCode::bad_json, "The body is no JSON object."};
  const Snapshot snapshot = core->placing->snapshot();
  Result<Question> question = question_of(*asked, snapshot);
  if (!question) co_return question.error();
  net::Task<Result<Json>> asking = ask_all(core, exchange.loop(), std::move(question->bodies));
  Result<Json> table = co_await asking;
  if (!table && !question->otherwise.empty()) {
    asking = ask_all(core, exchange.loop(), std::move(question->otherwise));
    table = co_await asking;
  }
  if (!table) co_return table.error();
  Json choice = choose_fit(*table, is_auto(*asked) ? Prefer::best : Prefer::recommended);
  co_return Json{{"model", question->name}, {"table", std::move(*table)}, {"choice", std::move(choice)}};
}

// Larger is better; 0: it does not fit. An accelerator that holds it whole goes before one that holds a
// part of it, and that before a CPU, which reads the same host memory and has no card beside it.
int rank_of(const Json& place, bool recommended, Prefer prefer) {
  const std::string fits = get_string(place, "fits").value_or("no");
  const bool cpu = get_string(place, "backend") == backend_name(Backend::cpu);
  if (fits == "whole" && !cpu) return recommended && prefer == Prefer::recommended ? 8 : 7;
  if (fits == "part") return recommended ? 6 : 3;
  if (fits != "whole") return 0;
  return recommended && prefer == Prefer::recommended ? 5 : 4;
}

}  // namespace

Json choose_fit(const Json& table, Prefer prefer) {
  Json choice{{"hive", nullptr}, {"quant", nullptr}};
  int best_rank = 0;
  std::int64_t best_bytes = 0;
  double best_speed = 0;
  for (const Json& row : table) {
    const std::string quant = text_of(row, "quant");
    const std::int64_t bytes = get_int(row, "bytes").value_or(0);
    for (const Json& place : get_array(row, "hives")) {
      const int rank = rank_of(place, quant == model::recommended_quant, prefer);
      if (rank == 0 || rank < best_rank) continue;
      const double speed = get_number(place, "speed").value_or(0);
      const bool whole = get_string(place, "fits") == "whole";
      const bool better = bytes == best_bytes ? speed > best_speed
                          : whole             ? bytes > best_bytes
                                              : bytes < best_bytes;
      if (rank == best_rank && !better) continue;
      best_rank = rank;
      best_bytes = bytes;
      best_speed = speed;
      choice = Json{{"hive", text_of(place, "hive")}, {"quant", quant}};
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
