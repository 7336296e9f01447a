#include "engine/tool_runner.h"

#include "base/text.h"
#include "engine/child.h"

namespace rbee::engine {
namespace {

// Which of a failed tool's lines to show: the first that speaks of an error with the one after it (npm and
// cmake say the matter there), else the last with words.
class TellingLine {
 public:
  void see(std::string_view line) {
    line = trim(line);
    // ninja's progress names files, and some are called error.cpp.
    if (line.empty() || line.starts_with('[')) return;
    if (line.find("No space left on device") != std::string_view::npos) no_space_ = true;
    if (lines_of_error_ > 0 && lines_of_error_ < 2) {
      error_ += cat(' ', line);
      ++lines_of_error_;
    } else if (lines_of_error_ == 0 && tells(lower(line))) {
      error_ = line;
      lines_of_error_ = 1;
    }
    last_ = line;
  }
  [[nodiscard]] bool no_space() const { return no_space_; }
  [[nodiscard]] const std::string& text() const { return error_.empty() ? last_ : error_; }

 private:
  static bool tells(std::string_view small) {
    for (const std::string_view word : {"error:", "error ", "err!", "fatal:"}) {
      if (small.find(word) != std::string_view::npos) return true;
    }
    return false;
  }
  bool no_space_ = false;
  int lines_of_error_ = 0;
  std::string error_;
  std::string last_;
};

}  // namespace

ToolRunner::ToolRunner(std::filesystem::path log, std::vector<std::string> environment,
                       const std::atomic<bool>* cancel)
    : path_(std::move(log)),
      file_(std::fopen(path_.c_str(), "we"),
            [](std::FILE* file) { return file == nullptr ? 0 : std::fclose(file); }),
      environment_(std::move(environment)),
      cancel_(cancel) {}

void ToolRunner::log(std::string_view line) {
  // The log is a help, not a condition: on a full disk the tools themselves say so.
  if (!file_) return;
  std::fwrite(line.data(), 1, line.size(), file_.get());
  std::fputc('\n', file_.get());
  std::fflush(file_.get());
}

bool ToolRunner::has(std::string_view program) const {
  return find_program(program, environment_).has_value();
}

Result<void> ToolRunner::run(const Tool& tool) {
  log(cat("$ ", join(tool.arguments, " ")));
  TellingLine telling;
  const ChildRun run{.arguments = tool.arguments,
                     .environment = environment_,
                     .folder = tool.folder,
                     .on_line =
                         [&](std::string_view line) {
                           log(line);
                           telling.see(line);
                           if (tool.on_line) tool.on_line(line);
                         },
                     .cancel = cancel_};
  const Result<ExitStatus> ended = run_child(run);
  if (!ended) {
    if (ended.error().code == ErrorCode::cancelled)
      return Error{ErrorCode::cancelled, cat(tool.what, " was cancelled.")};
    return ended.error();
  }
  if (ended->ok()) return {};
  if (telling.no_space()) {
    return Error{ErrorCode::no_space,
                 cat(tool.what, " failed: no space is left in '", path_.parent_path().string(), "'."),
                 {},
                 telling.text()};
  }
  const std::string log_hint = cat("The whole output is in '", path_.string(), "'.");
  return Error{tool.failure,
               cat(tool.what, " failed: '", tool.arguments.front(), "' ", ended->text(),
                   telling.text().empty() ? "" : ": ", telling.text().substr(0, 300)),
               tool.hint.empty() ? log_hint : cat(tool.hint, ' ', log_hint), telling.text()};
}

}  // namespace rbee::engine
