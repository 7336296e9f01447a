#include "engine/install.h"

#include "base/text.h"
#include "engine/child.h"
#include "engine/digest.h"
#include "engine/install_lock.h"
#include "engine/install_steps.h"
#include "engine/manifest.h"
#include "engine/test_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <optional>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A registry, a compiler and a git that are scripts: what they are asked is counted in `calls`.
class FakeTools {
 public:
  FakeTools() {
    put_file(folder_ / "src/package/llama/gitRelease.bundle", "bundle");
    plan_.source = publish("source");
    put_file(folder_ / "cpu/package/bins/libggml-cpu-haswell.so", "fast plug-in");
    put_file(folder_ / "cpu/package/bins/libggml-base.so", "another base");
    put_file(folder_ / "cpu/package/bins/libggml-cpu-note.txt", "no plug-in");
    plan_.plugins = {publish("cpu")};
    plan_.plugins[0].plugins = {"libggml-cpu-"};
    plan_.version = "9.9";
    plan_.cmake_options = {"-DX=1"};
    put_program(folder_ / "bin/npm", cat("echo npm >> ", calls(), "\nname=${2%@*}\ncp ",
                                         folder_.path().string(), "/$name.tgz \"$4\"/$name.tgz\n"));
    put_program(folder_ / "bin/git", cat("echo git >> ", calls(), "\nmkdir -p \"$6\"\n"));
    put_program(folder_ / "bin/cmake", cat("echo cmake >> ", calls(), "\n"));
    set_ninja("");
  }

  // A plug-in that needs a library of the vendor's.
  void plan_cuda() {
    put_file(folder_ / "cuda/package/bins/libggml-cuda.so", "for 13");
    plan_.plugins.push_back(publish("cuda"));
    plan_.plugins.back().plugins = {"libggml-cuda."};
    plan_.plugins.back().needs = {"libcudart.so.13"};
  }
  fs::path put_library(std::string_view name) {
    put_file(folder_ / "toolkit" / name, "the vendor's");
    return folder_ / "toolkit" / name;
  }

  // `before`: what the build does before it makes what it should.
  void set_ninja(std::string_view before) {
    put_program(folder_ / "bin/ninja",
                cat("echo ninja >> ", calls(), "\necho '[1/2] Building'\n", before,
                    "\nbin=\"$2\"/bin; mkdir -p $bin\n"
                    "for p in llama-server llama-bench ggml-rpc-server llama-fit-params llama-quantize; do\n"
                    "printf '#!/bin/sh\\nexit 0\\n' > $bin/$p; chmod 755 $bin/$p; done\n"
                    "echo base > $bin/libggml-base.so.0; ln -s libggml-base.so.0 $bin/libggml-base.so\n"
                    "echo slow > $bin/libggml-cpu.so; echo object > $bin/x.o\necho '[2/2] Linking'\n"));
  }

  Result<PackInfo> install(Backend backend = Backend::cpu) {
    InstallOptions options{.environment = {cat("PATH=", (folder_ / "bin").string(), ":/usr/bin:/bin")},
                           .progress =
                               [this](std::string_view message, int done, int total) {
                                 seen_.push_back(cat(message, " ", done, "/", total));
                                 if (on_progress_) on_progress_();
                               },
                           .cancel = &cancel_,
                           .spare_bytes = spare_bytes_,
                           .library_folders = {(folder_ / "toolkit").string()}};
    return install_planned(engines(), backend, options, plan_);
  }

  [[nodiscard]] fs::path engines() const { return folder_ / "engines"; }
  [[nodiscard]] std::string calls() const { return (folder_ / "calls").string(); }
  [[nodiscard]] std::string called() const { return replace_all(get_file(calls()), "\n", " "); }
  // What is left in the folder of packs, besides the lock and the log.
  [[nodiscard]] std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(engines())) {
      const std::string name = entry.path().filename().string();
      if (name != "install.lock" && !name.ends_with(".log")) names.push_back(name);
    }
    return names;
  }
  PackPlan plan_;
  std::atomic<bool> cancel_ = false;
  std::uint64_t spare_bytes_ = 0;
  std::vector<std::string> seen_;
  std::function<void()> on_progress_;
  TestFolder folder_;

 private:
  PlannedPackage publish(const std::string& name) {
    const fs::path content = folder_ / (name == "source" ? "src" : name);
    const fs::path archive = folder_ / cat(name, ".tgz");
    const auto ended =
        run_child({.arguments = {"tar", "-czf", archive.string(), "-C", content.string(), "package"},
                   .environment = {"PATH=/usr/bin:/bin"}});
    EXPECT_TRUE(ended && ended->ok());
    return {.name = name, .sha512 = *sha512_base64_of_file(archive)};
  }
};

TEST(Install, PackHasTheProgramsBuiltHereAndThePluginsFetched) {
  FakeTools tools;
  const Result<PackInfo> pack = tools.install();
  ASSERT_TRUE(pack) << pack.error().message << pack.error().detail;
  EXPECT_EQ(pack->version, "9.9");
  EXPECT_EQ(pack->source, "npm source@9.9");
  EXPECT_EQ(get_file(pack->folder / "libggml-cpu-haswell.so"), "fast plug-in");
  EXPECT_EQ(get_file(pack->folder / "libggml-base.so"), "base\n");  // one base only: the one built here
  EXPECT_FALSE(fs::exists(pack->folder / "libggml-cpu.so"));
  EXPECT_FALSE(fs::exists(pack->folder / "libggml-cpu-note.txt"));
  EXPECT_FALSE(fs::exists(pack->folder / "x.o"));
  EXPECT_TRUE(verify_pack(*pack));
  EXPECT_THAT(tools.seen_, ::testing::Contains("Building llama.cpp 2/2"));
  EXPECT_EQ(tools.left().size(), 2U);  // the core and the pack
}

TEST(Install, VendorsLibrariesAreLinkedBesideThePluginThatNeedsThem) {
  FakeTools tools;
  tools.plan_cuda();
  const fs::path library = tools.put_library("libcudart.so.13");
  const Result<PackInfo> pack = tools.install(Backend::cuda);
  ASSERT_TRUE(pack) << pack.error().message;
  EXPECT_EQ(get_file(pack->folder / "libggml-cuda.so"), "for 13");
  EXPECT_EQ(fs::read_symlink(pack->folder / "libcudart.so.13"), library);
  EXPECT_TRUE(verify_pack(*pack));
  fs::remove(library);
  const std::vector<PackInfo> packs = list_packs(tools.engines());
  ASSERT_EQ(packs.size(), 1u);
  EXPECT_EQ(packs[0].state, PackState::broken);
  EXPECT_THAT(packs[0].reason, HasSubstr(cat("'", library.string(), "' is no longer there")));
}

TEST(Install, SecondTimeDoesNothingAndAnotherBackendBuildsNothing) {
  FakeTools tools;
  ASSERT_TRUE(tools.install());
  EXPECT_EQ(tools.called(), "npm git cmake ninja npm ");
  ASSERT_TRUE(tools.install());
  EXPECT_EQ(tools.called(), "npm git cmake ninja npm ");
  ASSERT_TRUE(tools.install(Backend::vulkan));
  EXPECT_EQ(tools.called(), "npm git cmake ninja npm npm ");
}

TEST(Install, WrongIntegrityIsRefusedBeforeAnythingIsUnpacked) {
  FakeTools tools;
  tools.plan_.source.sha512 = "AAAA";
  const Result<PackInfo> pack = tools.install();
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::pack_broken);
  EXPECT_THAT(pack.error().message, HasSubstr("source@9.9 is not the package that rbee knows"));
  EXPECT_EQ(tools.called(), "npm ");
  EXPECT_TRUE(tools.left().empty());
}

TEST(Install, BuildThatFailsSaysWhyAndLeavesNothing) {
  FakeTools tools;
  tools.set_ninja("echo 'x.cpp:3: error: no such thing'; echo 'in x'; echo 'ninja: build stopped'; exit 1");
  const Result<PackInfo> pack = tools.install();
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::engine_failed);
  EXPECT_THAT(pack.error().message, HasSubstr("x.cpp:3: error: no such thing"));
  EXPECT_THAT(pack.error().hint, HasSubstr("install-cpu.log"));
  EXPECT_THAT(get_file(tools.engines() / "install-cpu.log"), HasSubstr("ninja: build stopped"));
  EXPECT_TRUE(tools.left().empty());
}

TEST(Install, DiskThatFillsUpIsToldAsThat) {
  FakeTools tools;
  tools.set_ninja("echo 'fatal error: error writing to /tmp/x.s: No space left on device'; exit 1");
  const Result<PackInfo> pack = tools.install();
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::no_space);
  EXPECT_THAT(pack.error().message, HasSubstr(tools.engines().string()));
  EXPECT_TRUE(tools.left().empty());
}

TEST(Install, TooSmallADiskIsRefusedWithNumbersBeforeAnythingIsFetched) {
  FakeTools tools;
  tools.spare_bytes_ = 1ULL << 60;
  const Result<PackInfo> pack = tools.install();
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::no_space);
  EXPECT_THAT(pack.error().message, ::testing::ContainsRegex("needs .*B in '.*', where .* are free"));
  EXPECT_EQ(tools.called(), "");
}

TEST(Install, CancelLeavesNothing) {
  FakeTools tools;
  tools.set_ninja("sleep 600");
  // ninja has begun once its first step is told.
  tools.on_progress_ = [&tools] { tools.cancel_ = tools.seen_.back() == "Building llama.cpp 1/2"; };
  const Result<PackInfo> pack = tools.install();
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::cancelled);
  EXPECT_TRUE(tools.left().empty());
}

TEST(Install, LeftoverOfAKilledInstallationIsSweptUp) {
  FakeTools tools;
  put_file(tools.engines() / ".work-1/pack/llama-server", "half");
  ASSERT_TRUE(tools.install());
  EXPECT_FALSE(fs::exists(tools.engines() / ".work-1"));
}

TEST(Install, BrokenPackIsReplaced) {
  FakeTools tools;
  const Result<PackInfo> first = tools.install();
  ASSERT_TRUE(first);
  fs::remove(first->folder / "libggml-cpu-haswell.so");
  const Result<PackInfo> second = tools.install();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(verify_pack(*second));
}

TEST(Install, SecondProcessWaitsAndSaysForWhom) {
  FakeTools tools;
  fs::create_directories(tools.engines());
  std::optional<InstallLock> other =
      *InstallLock::take(tools.engines(), Backend::cpu, nullptr, [](const LockHolder&) {});
  tools.on_progress_ = [&other] { other.reset(); };
  const Result<PackInfo> pack = tools.install();
  ASSERT_TRUE(pack) << pack.error().message;
  EXPECT_EQ(tools.seen_.front(),
            cat("Waiting for process ", ::getpid(), ", which installs an engine pack 0/0"));
}

TEST(Install, MissingToolIsNamed) {
  FakeTools tools;
  fs::remove(tools.folder_ / "bin/npm");
  fs::create_symlink("/no/npm", tools.folder_ / "bin/npm");
  InstallOptions options{.environment = {cat("PATH=", (tools.folder_ / "bin").string())}};
  const Result<PackInfo> pack = install_planned(tools.engines(), Backend::cpu, options, tools.plan_);
  ASSERT_FALSE(pack);
  EXPECT_EQ(pack.error().code, ErrorCode::unsupported);
  EXPECT_THAT(pack.error().message, HasSubstr("'npm'"));
}

}  // namespace
}  // namespace rbee::engine
