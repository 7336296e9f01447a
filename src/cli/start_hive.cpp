#include "cli/start_hive.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/detached_process.h"
#include "cli/installed_service.h"
#include "domain/model_name.h"
#include "hive/door.h"
#include "net/client.h"

#include <system_error>

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;

// Over a unix socket of this machine.
constexpr Milliseconds connect_within{500};
constexpr Milliseconds look_every{20};
constexpr std::size_t largest_said_bytes = 4096;

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

net::Task<bool> answers(net::Loop& loop, net::Endpoint socket) {
  net::Task<Result<net::Stream>> connecting = net::Stream::connect(loop, std::move(socket), connect_within);
  const Result<net::Stream> stream = co_await connecting;
  co_return static_cast<bool>(stream);
}

// What a hive that ended at once wrote: its sentence, and its hint.
Error ended_at_once(const fs::path& said_file) {
  const Result<std::string> said = read_file(said_file, largest_said_bytes);
  const std::string_view text = said ? trim(std::string_view(*said)) : std::string_view();
  const std::size_t hint = text.find("\nhint: ");
  if (text.empty()) {
    return Error{ErrorCode::io_failed, "The hive was started, and ended without a word.",
                 "Start it by hand: `rbee hive --listen ADDRESS`."};
  }
  return Error{ErrorCode::io_failed, cat("The hive did not start: ", text.substr(0, hint)),
               hint == std::string_view::npos ? "" : std::string(text.substr(hint + 7))};
}

net::Task<Result<void>> wait_until_it_listens(net::Loop& loop, const Paths& paths, DetachedProcess* process,
                                              const fs::path& said) {
  const Instant deadline = loop.clock().now() + start_within;
  while (loop.clock().now() < deadline) {
    if (is_there(paths.hive_folder / hive::Door::address_file)) co_return Result<void>();
    if (process != nullptr && process->has_ended()) co_return ended_at_once(said);
    net::Task<void> resting = net::sleep_for(loop, look_every);
    co_await resting;
  }
  co_return Error{ErrorCode::timed_out, "The hive was started, and does not listen yet.",
                  "`rbee logs` on its machine shows what it does; then type this command again."};
}

}  // namespace

Result<StartedAs> start_hive(const Context& context, const std::string& listen, const std::string& name) {
  if (const Result<void> good = check_name(name); !name.empty() && !good) return good.error();
  const Paths& paths = context.paths;
  net::Loop loop(context.clock);
  const fs::path address = paths.hive_folder / hive::Door::address_file;
  const bool runs = loop.block_on(answers(loop, net::Endpoint{.unix_path = paths.hive_socket.string()}));
  if (runs && is_there(address)) return StartedAs::ran_already;
  if (runs) {
    return Error{ErrorCode::in_use, "The hive that runs on this machine listens on loopback only.",
                 "End it (`rbee down` ends an `up`), then type this command again."};
  }
  // One that was killed leaves it.
  std::error_code ignored;
  fs::remove(address, ignored);
  if (Result<void> made = make_folder(paths.hive_folder); !made) return made.error();
  const fs::path said = paths.hive_folder / "start.log";
  const Result<bool> service = start_installed_hive(context);
  if (!service) return service.error();
  if (*service) {
    const Result<void> listens = loop.block_on(wait_until_it_listens(loop, paths, nullptr, said));
    if (!listens) return listens.error();
    return StartedAs::service;
  }
  std::vector<std::string> words = {"rbee", "hive", "--quiet", "--listen", listen};
  if (!name.empty()) words.insert(words.end(), {"--name", name});
  Result<DetachedProcess> process =
      DetachedProcess::start(context.environment.program, words, context.environment.variables, said);
  if (!process) return process.error();
  const Result<void> listens = loop.block_on(wait_until_it_listens(loop, paths, &*process, said));
  if (!listens) return listens.error();
  return StartedAs::process;
}

}  // namespace rbee::cli
