#include "cli/output.h"

#include "cli/progress.h"
#include "cli/table.h"

#include <nlohmann/json.hpp>

#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace rbee::cli {
namespace {

// A file whose text can be read back.
class Captured {
 public:
  Captured() : file_(open_memstream(&text_, &size_)) {}
  ~Captured() {
    std::fclose(file_);
    std::free(text_);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  [[nodiscard]] std::FILE* file() const { return file_; }
  [[nodiscard]] std::string text() const {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

const Table workers{{"WORKER", "DEVICE"}, {{"worker-pc", "RTX\t4090"}, {"größe", ""}}};

TEST(Table, ATerminalGetsAlignedColumnsAndAPipeTabs) {
  EXPECT_EQ(format_aligned(workers), "WORKER     DEVICE\nworker-pc  RTX 4090\ngröße      -\n");
  EXPECT_EQ(format_plain(workers), "worker-pc\tRTX 4090\ngröße\t-\n");
}

TEST(Output, WithJsonStdoutHasOneDocumentAndNothingElse) {
  Captured out;
  Captured err;
  Output output(out.file(), err.file(), {.json = true});
  output.line("hello");
  output.table(workers);
  output.document(Json{{"a", 1}});
  output.note("a note");
  EXPECT_EQ(out.text(), "{\"a\":1}\n");
  EXPECT_EQ(err.text(), "a note\n");
}

TEST(Output, AnAnswerThatCouldNotBeWrittenIsAFailureThatIsSaid) {
  std::FILE* for_reading = std::fopen("/dev/null", "r");
  ASSERT_NE(for_reading, nullptr);
  Captured err;
  Output output(for_reading, err.file(), {.json = true});
  EXPECT_EQ(output.end(0), 0);
  output.document(Json{{"key", "secret"}});
  EXPECT_EQ(output.end(0), 1);
  EXPECT_EQ(output.end(4), 4);
  EXPECT_TRUE(err.text().starts_with("What this command has to say could not be written: ")) << err.text();
  std::fclose(for_reading);
}

TEST(Output, AReaderThatIsGoneIsNoFailure) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2] = {};
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  std::FILE* pipe_without_reader = fdopen(ends[1], "w");
  Captured err;
  Output output(pipe_without_reader, err.file(), {});
  output.line("hello");
  EXPECT_EQ(output.end(0), 0);
  EXPECT_EQ(err.text(), "");
  std::fclose(pipe_without_reader);
  std::signal(SIGPIPE, before);
}

TEST(Output, WithoutJsonTheDocumentIsDropped) {
  Captured out;
  Captured err;
  Output output(out.file(), err.file(), {.quiet = true});
  output.document(Json{{"a", 1}});
  output.line("hello");
  output.note("a note");
  EXPECT_EQ(out.text(), "hello\n");
  EXPECT_EQ(err.text(), "");
}

TEST(Output, AnErrorIsASentenceAndAHintAndGivesTheExitCode) {
  Captured out;
  Captured err;
  Output output(out.file(), err.file(), {.quiet = true});
  EXPECT_EQ(output.error(Error{ErrorCode::unreachable, "No keeper answers.", "Try `rbee up`."}), 3);
  EXPECT_EQ(out.text(), "");
  EXPECT_EQ(err.text(), "No keeper answers.\nhint: Try `rbee up`.\n");
}

TEST(Output, WithJsonAnErrorIsADocument) {
  Captured out;
  Captured err;
  Output output(out.file(), err.file(), {.json = true});
  EXPECT_EQ(output.error(Error{ErrorCode::bad_usage, "No.", "So."}), 2);
  EXPECT_EQ(out.text(), "{\"error\":{\"code\":\"bad_usage\",\"message\":\"No.\",\"hint\":\"So.\"}}\n");
  EXPECT_EQ(err.text(), "");
}

TEST(Progress, APipeGetsALineForEachTenthOrFiveSeconds) {
  Captured out;
  Captured err;
  Output output(out.file(), err.file(), {});
  ManualClock clock;
  Progress progress(output, clock);
  for (std::uint64_t done = 0; done <= 20; ++done) progress.update("Building", done, 100);
  EXPECT_EQ(err.text(), "Building (0 %)\nBuilding (10 %)\nBuilding (20 %)\n");
  clock.advance(Milliseconds(5000));
  progress.update("Building", 21, 100);
  progress.update("Building", 22, 100);
  EXPECT_EQ(err.text(), "Building (0 %)\nBuilding (10 %)\nBuilding (20 %)\nBuilding (21 %)\n");
}

TEST(Progress, QuietSaysNothingAndATerminalDrawsOverItsLine) {
  ManualClock clock;
  Captured out;
  Captured quiet;
  Captured terminal;
  Output silent(out.file(), quiet.file(), {.quiet = true, .bars = true});
  Output drawn(out.file(), terminal.file(), {.bars = true, .columns = 60});
  {
    Progress none(silent, clock);
    none.update("Building", 1, 2);
    Progress bar(drawn, clock);
    bar.update("Building", 1, 2);
    bar.update("Building", 2, 2);
  }
  EXPECT_EQ(quiet.text(), "");
  EXPECT_EQ(terminal.text(),
            "\r\x1b[KBuilding [##########----------] 50 %\r\x1b[KBuilding [####################] 100 %\n");
}

TEST(Progress, ABarFitsTheTerminalAndCutsNoCharacter) {
  EXPECT_EQ(format_bar("größe", std::nullopt, 4), "grö");
  EXPECT_EQ(format_bar("Building", 50, 30), "B [##########----------] 50 %");
  EXPECT_EQ(format_bar("Building", 50, 10), "Building");
  EXPECT_EQ(format_bar("Building", 50, 0), "");
}

}  // namespace
}  // namespace rbee::cli
