#include "cli/config.h"

#include "base/text.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string>

namespace rbee::cli {
namespace {

using testing::HasSubstr;

void check_error(std::string_view text, std::string_view place, std::string_view message,
                 std::string_view hint) {
  const Result<Config> got = parse_config(text, "rbee.toml");
  ASSERT_FALSE(got) << text;
  EXPECT_EQ(got.error().code, ErrorCode::bad_config);
  EXPECT_THAT(got.error().message, HasSubstr(cat("rbee.toml:", place, ": ")));
  EXPECT_THAT(got.error().message, HasSubstr(message));
  EXPECT_THAT(hint_of(got.error()), HasSubstr(hint));
}

constexpr std::string_view whole_file = R"(
[keeper]
listen = "127.0.0.1:9000"
tls = "auto"

hive_gone_after = "2s"

[routing]
strategy = "capability-aware"
max_queue = 12
max_wait = "2m"
cpu_fallback = false
prefer_weight = 3
hedge = true

[[routing.rules]]
model_size = ">40B"
prefer_backends = ["CUDA"] # Prefer NVIDIA for large models
min_vram = 40

[[routing.rules]]
model_size = "<10B"
prefer_backends = ["Metal", "CUDA", "ROCm"]
min_vram = 8

[routing.script]
max_depth = 64

[models."llama-3.1-8b"]
context = 8192
keep_alive = "forever"
aliases = ["gpt-4o-mini"]
args = []
)";

TEST(Config, ReadsEveryKindOfTableAndTakesWhatIsInUse) {
  const Result<Config> got = parse_config(whole_file, "rbee.toml");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(got->keeper_listen, "127.0.0.1:9000");
  EXPECT_EQ(got->routing.limits.most_waiting_per_model, 12U);
  EXPECT_EQ(got->routing.limits.longest_wait, Milliseconds(120'000));
  EXPECT_TRUE(got->routing.hedge);
}

TEST(Config, AnEmptyFileIsTheTablesDefaults) {
  std::string text;
  for (const ConfigKey& key : config_keys()) {
    // Elements of lists have no value where nobody writes one; of a model, it is the worker that says.
    if (!key.in_use || key.standard.empty() || key.path.find('[') != std::string_view::npos) continue;
    const bool quoted =
        key.type != KeyType::integer && key.type != KeyType::number && key.type != KeyType::boolean;
    const std::string quote = quoted ? "\"" : "";
    text += cat(replace_all(key.path, "*", "x"), " = ", quote, key.standard, quote, "\n");
  }
  const Result<Config> spelled_out = parse_config(text, "rbee.toml");
  const Result<Config> empty = parse_config("", "rbee.toml");
  ASSERT_TRUE(spelled_out) << spelled_out.error().message;
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->keeper_listen, spelled_out->keeper_listen);
  EXPECT_EQ(empty->routing.limits.most_waiting_per_model, spelled_out->routing.limits.most_waiting_per_model);
  EXPECT_FALSE(empty->routing.hedge);
  EXPECT_EQ(empty->routing.limits.longest_wait, spelled_out->routing.limits.longest_wait);
  EXPECT_EQ(spelled_out->models.at("x").cache_type, ModelSettings{}.cache_type);
  EXPECT_EQ(spelled_out->models.at("x").may_offload, ModelSettings{}.may_offload);
}

TEST(Config, AnUnknownKeyIsPlacedAndTheNearestNamed) {
  check_error("[routing]\n  max_que = 3\n", "2:3", "'routing.max_que'", "'routing.max_queue'");
  check_error("[keper]\nlisten = \"\"\n", "1:2", "'keper'", "");
  check_error("[[routing.rules]]\nmin_vrma = 8\n", "2:1", "'routing.rules[].min_vrma'",
              "routing.rules[].min_vram");
  check_error("[models.x]\ncontxt = 1\n", "2:1", "'models.*.contxt'", "models.*.context");
}

TEST(Config, AWrongTypeIsPlacedAndTheRightOneNamed) {
  check_error("[routing]\nmax_queue = \"many\"\n", "2:13", "a whole number", "256");
  check_error("[routing]\nmax_queue = -1\n", "2:13", "a whole number", "256");
  check_error("[routing]\nstrategy = \"capability-awar\"\n", "2:12", "no strategy", "capability-aware");
  check_error("[routing]\nprefer_weight = nan\n", "2:17", "must be from 1", "usual value");
  check_error("[routing]\nprefer_weight = -2\n", "2:17", "must be from 1", "usual value");
  check_error("[[routing.rules]]\nmin_vram = -1\n", "2:12", "must be from 0", "usual value");
  check_error("[[routing.rules]]\nmin_vram = inf\n", "2:12", "must be from 0", "usual value");
  check_error("[[routing.rules]]\nmodel_size = \">fortyB\"\n", "2:14", "no size of a model", "7B..13B");
  check_error("[[routing.rules]]\nprefer_backends = [\"CUDA\", \"OpenCL\"]\n", "2:28", "OpenCL", "cuda");
  check_error("[[routing.rules]]\nmin_quant = \"good\"\n", "2:13", "no quantization", "Q4_K_M");
  check_error("[routing]\nmax_wait = \"soon\"\n", "2:12", "a duration", "60s");
  check_error("[routing]\ncpu_fallback = true\n", "2:16", "or false", "<15B");
  check_error("[routing]\nrules = 3\n", "2:1", "list of tables", "[[routing.rules]]");
  check_error("keeper = 3\n", "1:1", "'keeper' is a table", "[keeper]");
}

TEST(Config, WhatIsAbsurdInARuleIsPlaced) {
  check_error("[routing]\nmax_queue = 99999999999\n", "2:13", "at most 10000000", "usual value");
  check_error("[[routing.rules]]\nmax_queue = 99999999999\n", "2:13", "at most 10000000", "usual value");
  check_error("[[routing.rules]]\nmin_vram = nan\n", "2:12", "must be from 0", "usual value");
  check_error("[[routing.rules]]\nmin_vram = 1e9\n", "2:12", "must be from 0", "usual value");
  check_error("[routing]\nprefer_weight = 1e300\n", "2:17", "must be from 1", "usual value");
  check_error("[[routing.rules]]\nmodel_size = \"13B..7B\"\n", "2:14", "no size of a model", "7B..13B");
  check_error("[[routing.rules]]\nrequire_backends = [\"Cudaa\"]\n", "2:21", "Cudaa", "cuda");
  check_error("[[routing.rules]]\nprefer_backends = \"CUDA\"\n", "2:19", "a list of texts", "");
  check_error("[[routing.rules]]\nlabels = [\"\"]\n", "2:11", "no label", "name=value");
  check_error("[[routing.rules]]\nlabels = [\"=cellar\"]\n", "2:11", "no label", "name=value");
}

TEST(Config, WhatClientsMayBringAndWhereItIsTold) {
  const Result<Config> config = parse_config(
      "[keeper]\nmax_body = 8\nmax_connections = 9\nmax_connections_per_client = 0\nsign_of_life = \"0s\"\n"
      "drain = \"1m\"\naccess_log = \"a.log\"\notlp = \"http://127.0.0.1\"\n",
      "rbee.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->limits.largest_body_bytes, 8u << 20);
  EXPECT_EQ(config->limits.most_connections, 9u);
  EXPECT_EQ(config->limits.most_connections_per_client, 0u);
  EXPECT_EQ(config->sign_of_life, Milliseconds{0});
  EXPECT_EQ(config->drain, Milliseconds{60'000});
  EXPECT_EQ(config->telling.access_log, "a.log");
  EXPECT_EQ(config->telling.otlp->text(), "127.0.0.1:4318");
  EXPECT_FALSE(parse_config("", "rbee.toml")->telling.otlp);
  check_error("[keeper]\notlp = \"https://127.0.0.1:4318\"\n", "2:8", "no address of a collector", "TLS");
  check_error("[keeper]\notlp = \"collector:4318\"\n", "2:8", "no address of a collector", "numeric");
}

TEST(Config, AHivesLabelsAreTextsByName) {
  for (const char* text : {"[hive]\nlabels = { room = \"cellar\", owner = \"ann\" }\n",
                           "[hive.labels]\nroom = \"cellar\"\nowner = \"ann\"\n"}) {
    const Result<Config> got = parse_config(text, "rbee.toml");
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->hive_labels, (std::map<std::string, std::string>{{"room", "cellar"}, {"owner", "ann"}}));
  }
  check_error("[hive]\nlabels = { room = 3 }\n", "2:10", "names, without '=', and texts", "cellar");
  check_error("[hive]\nlabels = { \"a=b\" = \"c\" }\n", "2:10", "names, without '=', and texts", "cellar");
  check_error("[hive]\nlabels = [\"room=cellar\"]\n", "2:10", "names, without '=', and texts", "cellar");
  check_error("[hive]\nlabls = { room = \"cellar\" }\n", "2:1", "'hive.labls'", "hive.labels");
}

TEST(Config, WhatIsSaidOfAModelIsTakenByItsName) {
  const Result<Config> got = parse_config(
      "[models.\"llama-3.1-8b@Q4_K_M\"]\ncontext = 8192\nslots = 2\noffload = \"never\"\n"
      "cache_type = \"q8_0\"\n",
      "rbee.toml");
  ASSERT_TRUE(got) << got.error().message;
  const ModelSettings& settings = got->models.at("llama-3.1-8b@Q4_K_M");
  EXPECT_EQ(settings.context, 8192U);
  EXPECT_EQ(settings.slots, 2);
  EXPECT_FALSE(settings.may_offload);
  EXPECT_EQ(settings.cache_type, "q8_0");
}

TEST(Config, HowLongAModelStaysAndWhatElseItIsCalled) {
  const Result<Config> got = parse_config(
      "[models.a]\nkeep_alive = \"30s\"\npreload = true\naliases = [\"gpt-4o\"]\n"
      "args = [\"--temp\", \"0.5\"]\n[models.b]\nkeep_alive = \"forever\"\n[models.c]\n",
      "rbee.toml");
  ASSERT_TRUE(got) << got.error().message;
  const ModelSettings& settings = got->models.at("a");
  EXPECT_EQ(settings.keep_alive, Milliseconds{30'000});
  EXPECT_TRUE(settings.preload);
  EXPECT_EQ(settings.aliases, std::vector<std::string>{"gpt-4o"});
  EXPECT_EQ(settings.args.size(), 2U);
  EXPECT_EQ(got->models.at("b").keep_alive, std::nullopt);
  EXPECT_EQ(got->models.at("c").keep_alive, default_keep_alive);
}

TEST(Config, WhatAModelsTableMayNotSay) {
  check_error("[models.x]\nkeep_alive = \"ever\"\n", "2:14", "\"forever\"", "10m");
  check_error("[models.x]\nargs = [\"--tempp\", \"1\"]\n", "2:8", "'--tempp'", "--temp");
  check_error("[models.x]\nargs = [\"--host\", \"0.0.0.0\"]\n", "2:8", "'--host'", "");
  check_error("[models.x]\naliases = [\"a b\"]\n", "2:11", "'a b'", "letters");
  check_error("[models.x]\naliases = [\"X\"]\n", "2:11", "own name", "Leave it out");
  check_error("[models.x]\naliases = [\"a\"]\n[models.y]\naliases = [\"A\"]\n", "3:1", "stands for 'x'",
              "one model");
  check_error("[models.x]\naliases = [\"y\"]\n[models.y]\n", "1:1", "stands for 'y'", "one model");
}

TEST(Config, OfAFewWordsAnotherIsAnError) {
  check_error("[models.x]\ncache_type = \"q4\"\n", "2:14", "\"f16\" or \"q8_0\"", "f16");
  check_error("[models.x]\noffload = \"maybe\"\n", "2:11", "\"auto\" or \"never\"", "auto");
}

TEST(Config, BrokenTomlIsPlaced) {
  check_error("[keeper]\nlisten = \n", "2:10", "expected value", "toml.io");
}

TEST(Config, EveryKeyHasASentenceAndStandsOnce) {
  std::set<std::string_view> seen;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_TRUE(seen.insert(key.path).second) << key.path;
    EXPECT_TRUE(key.sentence.ends_with('.')) << key.path;
  }
}

TEST(Config, NoFileIsTheDefaults) {
  const Result<Config> got = read_config("/nonexistent/rbee.toml");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->routing.limits.most_waiting_per_model, 256U);
}

TEST(Duration, NeedsANumberAndAKnownUnit) {
  EXPECT_EQ(parse_duration("500ms").value(), Milliseconds(500));
  EXPECT_EQ(parse_duration("1h").value(), Milliseconds(3'600'000));
  EXPECT_EQ(parse_duration("999999999d").value(), Milliseconds(999'999'999LL * 86'400'000));
  for (const char* bad : {"", "s", "5", "-1s", "1.5s", "5 s", "5w", "9999999999d"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Config, TheRulesOfAFileArriveAsTheyStand) {
  const Result<Config> got = parse_config(whole_file, "rbee.toml");
  ASSERT_TRUE(got);
  const routing::Policy& policy = got->routing.policy;
  ASSERT_EQ(policy.rules.size(), 2u);
  EXPECT_TRUE(policy.rules[0].model_size->contains(70e9));
  EXPECT_FALSE(policy.rules[0].model_size->contains(40e9));
  EXPECT_EQ(policy.rules[1].prefer_backends, (std::vector{Backend::metal, Backend::cuda, Backend::rocm}));
  EXPECT_EQ(policy.rules[1].min_vram, 8);
  EXPECT_FALSE(policy.cpu_fallback);
}

}  // namespace
}  // namespace rbee::cli
