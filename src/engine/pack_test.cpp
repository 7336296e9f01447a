#include "engine/pack.h"

#include "engine/install_lock.h"
#include "engine/manifest.h"
#include "engine/test_folder.h"

#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view working_server = "echo version: 1\n";

// A folder as somebody has it: a server, a library with its link, and the plug-in of a CPU.
fs::path built_by_somebody(const TestFolder& folder) {
  const fs::path from = folder / "theirs";
  put_program(from / "llama-server", working_server);
  put_file(from / "libllama.so.0.5", "library");
  fs::create_symlink("libllama.so.0.5", from / "libllama.so.0");
  put_file(from / "libggml-cpu.so", "plug-in");
  put_file(from / "README", "not ours");
  return from;
}

std::string error_name(const Result<void>& result) {
  return result ? "ok" : std::string(info(result.error().code).name);
}

TEST(Pack, ImportedFolderIsFoundAndVerified) {
  const TestFolder folder;
  const Result<PackInfo> pack = import_pack(folder / "engines", Backend::cpu, built_by_somebody(folder));
  ASSERT_TRUE(pack) << pack.error().message;
  EXPECT_EQ(pack->source, fs::canonical(folder / "theirs").string());
  EXPECT_EQ(pack->version, "imported");
  const Result<PackInfo> found = find_pack(folder / "engines", Backend::cpu);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->server, pack->folder / "llama-server");
  EXPECT_EQ(fs::read_symlink(pack->folder / "libllama.so.0"), "libllama.so.0.5");
  EXPECT_FALSE(fs::exists(pack->folder / "README"));
  EXPECT_EQ(error_name(verify_pack(*found)), "ok");
}

TEST(Pack, ImportingAgainReplaces) {
  const TestFolder folder;
  const fs::path from = built_by_somebody(folder);
  ASSERT_TRUE(import_pack(folder / "engines", Backend::cpu, from));
  put_program(from / "llama-bench", "exit 0\n");
  const Result<PackInfo> again = import_pack(folder / "engines", Backend::cpu, from);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(fs::exists(again->folder / "llama-bench"));
  EXPECT_EQ(list_packs(folder / "engines").size(), 1U);
}

TEST(Pack, WhatAnImportLacksIsNamed) {
  const TestFolder folder;
  const fs::path from = built_by_somebody(folder);
  const auto message = [&](Backend backend) {
    const Result<PackInfo> pack = import_pack(folder / "engines", backend, from);
    return pack ? "imported" : pack.error().message;
  };
  EXPECT_NE(message(Backend::vulkan).find("has no libggml-vulkan.so"), std::string::npos);
  put_program(
      from / "llama-server",
      "echo 'x: error while loading shared libraries: libmtmd.so.0: cannot open shared object file' >&2\n"
      "exit 127\n");
  EXPECT_NE(message(Backend::cpu).find("lacks libmtmd.so.0"), std::string::npos);
  fs::remove(from / "llama-server");
  EXPECT_NE(message(Backend::cpu).find("has no llama-server"), std::string::npos);
  EXPECT_TRUE(list_packs(folder / "engines").empty());
}

TEST(Pack, NoPackNamesTheCommandThatBuildsIt) {
  const TestFolder folder;
  const Result<PackInfo> pack = find_pack(folder / "engines", Backend::vulkan);
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::no_engine_pack);
  EXPECT_NE(pack.error().hint.find("`rbee engine install vulkan`"), std::string::npos);
}

TEST(Pack, ServerOnPathCountsForTheCpuWhereThereIsNoOther) {
  const TestFolder folder;
  put_program(folder / "bin/llama-server", working_server);
  const fs::path on_path = folder / "bin/llama-server";
  EXPECT_EQ(find_pack(folder / "engines", Backend::cpu, on_path)->source, "PATH");
  EXPECT_FALSE(find_pack(folder / "engines", Backend::vulkan, on_path));
  ASSERT_TRUE(import_pack(folder / "engines", Backend::cpu, built_by_somebody(folder)));
  EXPECT_NE(find_pack(folder / "engines", Backend::cpu, on_path)->source, "PATH");
  EXPECT_EQ(list_packs(folder / "engines", on_path).size(), 1U);
}

TEST(Pack, ChangedCutMissingAndForeignFilesAreFound) {
  const TestFolder folder;
  const PackInfo pack = *import_pack(folder / "engines", Backend::cpu, built_by_somebody(folder));
  put_file(pack.folder / "libggml-evil.so", "foreign");
  EXPECT_EQ(error_name(verify_pack(pack)), "pack_broken");
  fs::remove(pack.folder / "libggml-evil.so");
  put_file(pack.folder / "libggml-cpu.so", "PLUG-IN");
  const Result<void> changed = verify_pack(pack);
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().message.find("libggml-cpu.so' is not what was installed"), std::string::npos);
  EXPECT_TRUE(find_pack(folder / "engines", Backend::cpu));  // of the same size: only verify reads it
  put_file(pack.folder / "libggml-cpu.so", "cut");
  const Result<PackInfo> cut = find_pack(folder / "engines", Backend::cpu);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::pack_broken);
  EXPECT_NE(cut.error().message.find("'libggml-cpu.so' is missing or cut"), std::string::npos);
}

TEST(Pack, FolderWithoutAManifestIsBroken) {
  const TestFolder folder;
  put_program(folder / "engines/cpu-1-abc/llama-server", working_server);
  put_file(folder / "engines/core-1-abc/llama-server", "no pack");
  const auto packs = list_packs(folder / "engines");
  ASSERT_EQ(packs.size(), 1U);
  EXPECT_EQ(packs[0].state, PackState::broken);
}

TEST(Pack, RemoveLeavesOtherBackends) {
  const TestFolder folder;
  const fs::path from = built_by_somebody(folder);
  put_file(from / "libggml-vulkan.so", "plug-in");
  put_file(folder / "engines/core-1-abc/llama-server", "core");
  ASSERT_TRUE(import_pack(folder / "engines", Backend::cpu, from));
  ASSERT_TRUE(import_pack(folder / "engines", Backend::vulkan, from));
  EXPECT_EQ(error_name(remove_pack(folder / "engines", Backend::cpu)), "ok");
  EXPECT_FALSE(find_pack(folder / "engines", Backend::cpu));
  EXPECT_TRUE(find_pack(folder / "engines", Backend::vulkan));
  EXPECT_TRUE(fs::exists(folder / "engines/core-1-abc"));
  EXPECT_EQ(error_name(remove_pack(folder / "engines", Backend::cpu)), "no_engine_pack");
  EXPECT_EQ(error_name(remove_pack(folder / "engines", Backend::vulkan)), "ok");
  EXPECT_FALSE(fs::exists(folder / "engines/core-1-abc"));
}

TEST(Pack, OneThatIsBeingInstalledIsListedAndNotRemoved) {
  const TestFolder folder;
  const Result<InstallLock> lock =
      InstallLock::take(folder.path(), Backend::vulkan, nullptr, [](const LockHolder&) { FAIL(); });
  ASSERT_TRUE(lock);
  const auto packs = list_packs(folder.path());
  ASSERT_EQ(packs.size(), 1U);
  EXPECT_EQ(packs[0].state, PackState::building);
  EXPECT_EQ(packs[0].backend, Backend::vulkan);
  EXPECT_EQ(error_name(remove_pack(folder.path(), Backend::vulkan)), "already_running");
}

TEST(Manifest, SurvivesItsOwnText) {
  const Manifest manifest{
      .backend = Backend::cuda,
      .version = "3.22.1",
      .source = "npm x@3.22.1",
      .created_ms = 42,
      .files = {{.name = "a", .sha256 = "00", .bytes = 7}, {.name = "b", .sha256 = {}, .link = "a"}}};
  const Result<Manifest> read = parse_manifest(format_manifest(manifest));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(format_manifest(*read), format_manifest(manifest));
}

TEST(Manifest, NamesThatLeaveTheFolderAreRefused) {
  const auto text = [](std::string_view server, std::string_view file, std::string_view link) {
    return std::string(R"({"backend":"CPU","version":"1","server":")") + std::string(server) +
           R"(","files":[{"name":")" + std::string(file) + R"(","link":")" + std::string(link) + R"("}]})";
  };
  EXPECT_TRUE(parse_manifest(text("llama-server", "a", "b")));
  EXPECT_FALSE(parse_manifest(text("../llama-server", "a", "b")));
  EXPECT_FALSE(parse_manifest(text("llama-server", "../a", "b")));
  EXPECT_FALSE(parse_manifest(text("llama-server", "a", "/etc/passwd")));
  const auto outside = [](std::string_view file, std::string_view path) {
    return std::string(R"({"backend":"CUDA","version":"1","server":"s","files":[{"name":")") +
           std::string(file) + R"(","outside":")" + std::string(path) + R"("}]})";
  };
  EXPECT_TRUE(parse_manifest(outside("libcublas.so.13", "/usr/local/cuda/lib64/libcublas.so.13")));
  EXPECT_FALSE(parse_manifest(outside("libcublas.so.13", "../libcublas.so.13")));
  EXPECT_FALSE(parse_manifest(outside("libcublas.so.13", "/home/x/libother.so.1")));
  EXPECT_FALSE(parse_manifest(outside("passwd", "/etc/passwd")));
  EXPECT_FALSE(parse_manifest("[]"));
  EXPECT_FALSE(parse_manifest("{"));
}

}  // namespace
}  // namespace rbee::engine
