#include "cli/line_input.h"

#include <histedit.h>

#include <cstdio>
#include <cstdlib>

namespace rbee::cli {
namespace {

// Of one conversation; it is not kept.
constexpr int longest_history = 500;

char* prompt_of(EditLine* edit) {
  void* prompt = nullptr;
  el_get(edit, EL_CLIENTDATA, &prompt);
  return static_cast<char*>(prompt);
}

std::optional<std::string> without_end(const char* text, std::size_t length) {
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) --length;
  return std::string(text, length);
}

}  // namespace

struct LineInput::Editor {
  Editor() : edit(el_init("rbee", stdin, stdout, stderr)), lines(history_init()) {
    HistEvent event;
    history(lines, &event, H_SETSIZE, longest_history);
    el_set(edit, EL_PROMPT, prompt_of);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_HIST, history, lines);
    el_set(edit, EL_SIGNAL, 1);
  }
  ~Editor() {
    history_end(lines);
    el_end(edit);
  }
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  EditLine* edit;
  History* lines;
  std::string prompt;
};

LineInput::LineInput(bool terminal) : editor_(terminal ? std::make_unique<Editor>() : nullptr) {}
LineInput::~LineInput() = default;

std::optional<std::string> LineInput::next(const char* prompt) {
  if (editor_ == nullptr) {
    char* text = nullptr;
    std::size_t room = 0;
    const ssize_t length = getline(&text, &room, stdin);
    const std::unique_ptr<char, decltype(&std::free)> owned(text, &std::free);
    if (length < 0) return std::nullopt;
    return without_end(text, static_cast<std::size_t>(length));
  }
  editor_->prompt = prompt;
  el_set(editor_->edit, EL_CLIENTDATA, editor_->prompt.data());
  int length = 0;
  const char* text = el_gets(editor_->edit, &length);
  if (text == nullptr || length <= 0) return std::nullopt;
  HistEvent event;
  history(editor_->lines, &event, H_ENTER, text);
  return without_end(text, static_cast<std::size_t>(length));
}

}  // namespace rbee::cli
