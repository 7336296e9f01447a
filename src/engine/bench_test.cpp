#include "engine/bench.h"

#include "base/text.h"

#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

EngineSpec spec(Backend backend, std::string device) {
  return {.server = "/packs/one/llama-server",
          .model = "/models/m.gguf",
          .alias = "m",
          .backend = backend,
          .device = std::move(device),
          .threads = 3,
          .socket = "/run/x.sock"};
}

TEST(Bench, RunsTheProgramBesideTheServerAsTheServerWouldRun) {
  const auto cpu =
      bench_arguments(spec(Backend::cpu, "CPU"), {.prompt_tokens = 128, .tokens = 32, .runs = 5});
  EXPECT_EQ(join(cpu, " "),
            "/packs/one/llama-bench -m /models/m.gguf -o jsonl --offline -p 128 -n 32 -r 5 -t 3 -ctk f16 "
            "-ctv f16 -dev none -ngl 0");
  EngineSpec two = spec(Backend::cuda, "CUDA0,CUDA1");
  two.split = {20, 13};
  two.device_layers = 33;
  const std::string line = join(bench_arguments(two, {.prompt_tokens = 128, .tokens = 32}), " ");
  EXPECT_NE(line.find("-dev CUDA0/CUDA1 -ngl 33 -sm layer -ts 20/13"), std::string::npos) << line;
}

// As the program printed them, shortened.
TEST(Bench, ReadsEachRunOfAFigure) {
  const auto read = parse_bench_line(
      R"({"build_commit": "de3ff81", "n_threads": 1, "n_prompt": 64, "n_gen": 0, "avg_ts": 18943.345310, )"
      R"("samples_ns": [ 4284281, 6775449, 1972518 ],"samples_ts": [ 14938.3, 9445.87, 32445.8 ]})");
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->prompt);
  EXPECT_EQ(read->tokens_per_s, (std::vector{14938.3, 9445.87, 32445.8}));
  const auto made = parse_bench_line(R"({"n_prompt": 0, "n_gen": 16, "samples_ts": [4299.84]})");
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->prompt);
}

TEST(Bench, LeavesWhatIsNoFigureAlone) {
  for (const char* line :
       {"load_backend: loaded CPU backend from /x/libggml-cpu-zen4.so", "", "{", "{}", "[1]",
        R"({"n_prompt": 64, "n_gen": 0, "samples_ts": []})",
        R"({"n_prompt": 64, "samples_ts": ["a", -1, 0]})",
        R"({"n_prompt": 64, "n_gen": 16, "samples_ts": [5]})", R"({"n_prompt": "64", "samples_ts": [5]})"}) {
    EXPECT_FALSE(parse_bench_line(line)) << line;
  }
}

}  // namespace
}  // namespace rbee::engine
