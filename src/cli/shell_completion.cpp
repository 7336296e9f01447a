// completion: a few lines for each shell that ask `rbee __complete`, which knows the commands, and asks the
// keeper for names.
#include "base/text.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "model/catalog.h"

#include <nlohmann/json.hpp>

#include <set>

namespace rbee::cli {
namespace {

constexpr std::string_view bash_script = R"shell(_rbee() {
  local IFS=$'\n'
  local found="$(rbee __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)"
  COMPREPLY=($(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))
}
# A name may hold a colon, which bash would cut it at.
COMP_WORDBREAKS=${COMP_WORDBREAKS//:}
complete -o default -F _rbee rbee
)shell";

constexpr std::string_view zsh_script = R"shell(#compdef rbee
_rbee() {
  local -a found
  found=(${(f)"$(rbee __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a found || _files
}
compdef _rbee rbee
)shell";

constexpr std::string_view fish_script = R"shell(function __rbee_complete
  set -l typed (commandline -opc) (commandline -ct)
  rbee __complete -- $typed[2..-1] 2>/dev/null
end
complete -c rbee -a '(__rbee_complete)'
)shell";

void add_names(AdminClient& client, const char* list, std::initializer_list<std::string_view> fields,
               std::set<std::string>& words) {
  const Result<Json> answer = client.get(cat("/api/v1/", list));
  if (!answer) return;
  for (const Json& row : get_array(*answer, list)) {
    for (const std::string_view field : fields) {
      if (auto name = get_string(row, field)) words.insert(std::move(*name));
    }
  }
}

}  // namespace

Result<void> run_completion(const Context& context) {
  const std::string& shell = context.options.shell;
  std::string_view script;
  if (shell == "bash") script = bash_script;
  if (shell == "zsh") script = zsh_script;
  if (shell == "fish") script = fish_script;
  if (script.empty()) {
    return Error{ErrorCode::bad_usage, cat("There is no completion for '", shell, "'."),
                 "Write bash, zsh or fish."};
  }
  context.out.document(Json{{"shell", shell}, {"script", script}});
  context.out.text(script);
  return {};
}

Result<void> run_complete(const Context& context, AdminClient& client) {
  const Completion completion = complete_command_line(context.options.words);
  std::set<std::string> words(completion.words.begin(), completion.words.end());
  switch (completion.kind) {
    case NameKind::none: break;
    case NameKind::model:
      add_names(client, "models", {"id", "name"}, words);
      for (const model::CatalogEntry& entry : model::catalog()) words.insert(entry.name);
      break;
    case NameKind::worker: add_names(client, "workers", {"name"}, words); break;
    case NameKind::hive: add_names(client, "hives", {"name"}, words); break;
  }
  const std::string typed = context.options.words.empty() ? "" : context.options.words.back();
  for (const std::string& word : words) {
    if (word.starts_with(typed)) context.out.line(word);
  }
  return {};
}

}  // namespace rbee::cli
