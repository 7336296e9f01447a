#include "engine/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace rbee::engine {
namespace {

// As `--log-jsonl` writes them.
std::string json_line(const std::string& level, const std::string& words) {
  return R"({"type":"log","time":59776,"level":")" + level + R"(","msg":")" + words + R"(\n"})";
}
std::string info_line(const std::string& words) { return json_line("info", words); }
std::string error_line(const std::string& words) { return json_line("error", words); }

// Recorded with `-lv 4 --log-jsonl`, release 3.22.1, the demo model on llvmpipe.
const std::vector<std::string> vulkan_start = {
    R"(0.00.000.311 I srv  llama_server: initializing ...)",
    info_line(
        "llama_prepare_model_devices: using device Vulkan0 (llvmpipe (LLVM 15.0.6, 256 bits)) (unknown id) "
        "- 2048 MiB free"),
    info_line("load_tensors: offloaded 6/6 layers to GPU"),
    info_line("load_tensors:   CPU_Mapped model buffer size =     0.12 MiB"),
    info_line("load_tensors:      Vulkan0 model buffer size =     1.06 MiB"),
    info_line("llama_context: Vulkan_Host  output buffer size =     0.01 MiB"),
    info_line("llama_kv_cache:    Vulkan0 KV buffer size =     1.25 MiB"),
    info_line("sched_reserve:    Vulkan0 compute buffer size =     0.11 MiB"),
    info_line("sched_reserve: Vulkan_Host compute buffer size =     0.05 MiB"),
    info_line("srv    load_model: initializing, n_slots = 2, n_ctx_slot = 512, kv_unified = 'true'"),
    info_line("srv  llama_server: model loaded"),
    info_line("srv  llama_server: listening on unix:///run/v.sock"),
};

std::string slot_line(const std::string& words) {
  return info_line("slot print_timing: id  1 | task 0 | " + words);
}

EngineLogReader read_all(const std::vector<std::string>& lines) {
  EngineLogReader reader;
  for (const std::string& line : lines) reader.read(line);
  return reader;
}

constexpr std::uint64_t mib(double count) { return static_cast<std::uint64_t>(count * 1024 * 1024 + 0.5); }

TEST(EngineLog, MemoryIsSummedByTheDeviceThatHoldsIt) {
  const EngineLogReader reader = read_all(vulkan_start);
  const std::map<std::string, std::uint64_t> want = {{"CPU", mib(0.12) + mib(0.01) + mib(0.05)},
                                                     {"Vulkan0", mib(1.06) + mib(1.25) + mib(0.11)}};
  EXPECT_EQ(reader.memory_bytes(), want);
  EXPECT_EQ(reader.total_bytes(), want.at("CPU") + want.at("Vulkan0"));
}

TEST(EngineLog, SlotsAndReadinessAreToldWhenItStarts) {
  const EngineLogReader reader = read_all(vulkan_start);
  EXPECT_TRUE(reader.listening());
  EXPECT_EQ(reader.slots(), 2);
  EXPECT_EQ(reader.slot_context(), 512);
  EXPECT_TRUE(reader.unified());
  EXPECT_EQ(reader.first_error(), "");
}

TEST(EngineLog, BufferLineNamesBufferUseAndSize) {
  const LogEvent event = parse_log_line(
      "0.01.002.003 I sched_reserve: RPC0[127.0.0.1:50052] compute buffer size =    29.01 MiB");
  EXPECT_EQ(event.kind, LogKind::buffer);
  EXPECT_EQ(event.buffer, "RPC0[127.0.0.1:50052]");
  EXPECT_EQ(event.use, "compute");
  EXPECT_EQ(event.bytes, mib(29.01));
  EXPECT_EQ(buffer_device(event.buffer), "RPC0");
}

TEST(EngineLog, OffloadedLayersAreCounted) {
  const LogEvent event = parse_log_line("0.00.076.988 I load_tensors: offloaded 6/13 layers to GPU");
  EXPECT_EQ(event.kind, LogKind::offloaded);
  EXPECT_EQ(event.count, 6);
  EXPECT_EQ(event.total, 13);
}

TEST(EngineLog, CauseOfARefusedStartIsTheFirstErrorNotTheLast) {
  const EngineLogReader reader = read_all({
      R"(0.00.000.354 I srv  llama_server: initializing ...)",
      error_line(
          R"(gguf_init_from_file: failed to open GGUF file '/nonexist.gguf' (No such file or directory))"),
      error_line("llama_model_load: error loading model: llama_model_loader: failed to load model from "
                 "/nonexist.gguf"),
  });
  EXPECT_EQ(reader.first_error(),
            "gguf_init_from_file: failed to open GGUF file '/nonexist.gguf' (No such file or directory)");
}

TEST(EngineLog, ErrorsWithoutALevelAreSeenToo) {
  const std::vector<std::string> bare = {
      "error: invalid argument: --frobnicate",
      R"(error while handling argument "-dev": invalid device: CUDA7)",
      "/src/ggml/src/ggml-rpc/ggml-rpc.cpp:566: Remote RPC server crashed or returned malformed response",
      "terminate called after throwing an instance of 'vk::DeviceLostError'",
      "/p/llama-server: error while loading shared libraries: libllama.so.0: cannot open shared object file",
  };
  for (const std::string& line : bare) {
    const LogEvent event = parse_log_line(line);
    EXPECT_EQ(event.kind, LogKind::error) << line;
    EXPECT_EQ(event.text, line);
  }
  EXPECT_EQ(parse_log_line("usage: see server.cpp: there").kind, LogKind::other);
}

TEST(EngineLog, AnErrorThatTheEngineOutlivedIsNotWhyItEnded) {
  EngineLogReader reader = read_all(vulkan_start);
  reader.read(error_line(R"(srv    send_error: task 3: too long)"));
  EXPECT_NE(reader.first_error(), "");
  reader.read(info_line("srv  update_slots: all slots are idle"));
  EXPECT_EQ(reader.first_error(), "");
}

TEST(EngineLog, WorkOfASlotIsProgress) {
  const LogEvent batch = parse_log_line(slot_line(
      "prompt processing, n_tokens =     64, progress = 0.42, t =   4.40 s / 14.54 tokens per second"));
  EXPECT_EQ(batch.kind, LogKind::prompt_batch);
  EXPECT_EQ(batch.count, 64);
  EXPECT_EQ(batch.slot, 1);
  const LogEvent tokens = parse_log_line(slot_line("n_gen =    106, tg =  34.93 t/s, tg_3s =  35.26 t/s"));
  EXPECT_EQ(tokens.kind, LogKind::tokens);
  EXPECT_EQ(tokens.count, 106);
  EXPECT_TRUE(is_progress(batch.kind) && is_progress(tokens.kind));
  EXPECT_FALSE(is_progress(LogKind::other));
}

TEST(EngineLog, TimingsGiveThePromptSpeedOfALongPromptOnly) {
  EngineLogReader reader;
  reader.read(slot_line(
      "prompt eval time =       1.38 ms /    15 tokens (    0.09 ms per token, 10877.45 tokens per second)"));
  EXPECT_EQ(reader.prompt_speed(), 0);
  const LogEvent done = reader.read(slot_line(
      "prompt eval time =   11579.64 ms /   151 tokens (   76.69 ms per token,    13.04 tokens per second)"));
  EXPECT_EQ(done.kind, LogKind::prompt_done);
  EXPECT_NEAR(reader.prompt_speed(), 13.04, 0.01);
  const LogEvent answer = reader.read(slot_line(
      "       eval time =   10389.50 ms /   300 tokens (   34.75 ms per token,    28.78 tokens per second)"));
  EXPECT_EQ(answer.kind, LogKind::answer_done);
  EXPECT_EQ(answer.count, 300);
  EXPECT_NEAR(answer.milliseconds, 10389.5, 0.001);
}

TEST(EngineLog, LineForPeopleIsTheMessage) {
  EXPECT_EQ(log_line_text(vulkan_start.back()), "srv  llama_server: listening on unix:///run/v.sock");
  EXPECT_EQ(log_line_text(vulkan_start.front()), vulkan_start.front());
}

TEST(EngineLog, DamagedLinesAreOther) {
  const std::vector<std::string> damaged = {"",
                                            "{",
                                            "{}",
                                            R"({"type":"log"})",
                                            R"({"type":"log","time":290E9929})",
                                            R"({"type":"log","level":5,"msg":[1]})",
                                            std::string("\0\xff\xfe", 3),
                                            "load_tensors: buffer size = MiB",
                                            "x y buffer size = 1e999 MiB",
                                            "x y buffer size = 99999999999999999999 MiB",
                                            "load_tensors: offloaded /13 layers to GPU",
                                            "slot : id 99999999999999999999 | n_ge"};
  for (const std::string& line : damaged) EXPECT_EQ(parse_log_line(line).kind, LogKind::other) << line;
}

}  // namespace
}  // namespace rbee::engine
