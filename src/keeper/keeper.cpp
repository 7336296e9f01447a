#include "keeper/keeper.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "keeper/admin.h"
#include "keeper/arrivals.h"
#include "keeper/benchmark_admin.h"
#include "keeper/core.h"
#include "keeper/cors.h"
#include "keeper/dispatch.h"
#include "keeper/gateway.h"
#include "keeper/hive_link.h"
#include "keeper/links.h"
#include "keeper/listening.h"
#include "keeper/ollama.h"
#include "net/identity_files.h"
#include "routing/router.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

namespace rbee::keeper {
namespace {

// The hive only takes the errand down: it answers before the load begins.
constexpr Milliseconds hive_answers_within{10'000};
constexpr Milliseconds between_cares{1'000};
// For each ms that such a look at 10,000 workers takes. Models stay for minutes.
constexpr int rest_per_care = 500;

net::Task<void> turn_away(std::shared_ptr<Core> core, net::Exchange& exchange, Error error,
                          RequestRecord& record) {
  core->metrics.refused(info(error.code).name);
  record.error = info(error.code).name;
  net::Headers headers;
  if (error.code == ErrorCode::invalid_api_key) headers.add("WWW-Authenticate", "Bearer");
  const Api api = api_of(exchange.head().path);
  net::Task<void> refusing = refuse(exchange, api, std::move(error), 0, std::move(headers));
  co_await refusing;
}

// A stop waits for clients' requests, and for none that administers: a log that is followed has no end.
class InFlight {
 public:
  InFlight(Core& core, bool counts) : core_(counts ? &core : nullptr) {
    if (core_ != nullptr) ++core_->in_flight;
  }
  ~InFlight() {
    if (core_ != nullptr) --core_->in_flight;
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  Core* core_;
};

// What becomes of a request, and whether it is one of a client's.
struct Answering {
  net::Task<void> task;
  bool is_clients = false;
};

// Who answers it. Not a coroutine: what is found out here is not needed while the answer passes.
Answering answer_request(const std::shared_ptr<Core>& core, net::Exchange& exchange, RequestRecord& record) {
  const net::RequestHead& head = exchange.head();
  if (head.method == "POST" && head.path == link_path) return {answer_hive(core, exchange)};
  const RouteResult result = route(head.method, head.path);
  const Routed* routed = result.routed();
  const bool is_clients = routed != nullptr && routed->right == Right::client;
  const Result<Page> page = core->gate->page_of(head);
  const Page asking = page ? *page : Page::none;
  const bool allowed_page = asking == Page::allowed;
  if (allowed_page) let_page_read(exchange);
  // Whoever may not come in learns nothing of the paths there are.
  const Right right = routed == nullptr ? Right::client : routed->right;
  Result<Visitor> visitor = page.has_error() ? Result<Visitor>(page.error()) : Result<Visitor>(Visitor{});
  const bool preflight = allowed_page && is_preflight(head);
  if (page && !preflight) visitor = core->gate->admit(head, asking, exchange.is_from_this_machine(), right);
  if (visitor) record.key = visitor->name();
  if (!visitor) return {turn_away(core, exchange, visitor.error(), record), is_clients};
  if (preflight) return {answer_preflight(exchange), is_clients};
  if (routed == nullptr) return {answer_unrouted(exchange, std::string(result.allowed())), is_clients};
  if (routed->id == RouteId::hello) return {say_hello(exchange), is_clients};
  if (routed->id == RouteId::v1_models) return {list_models(core, exchange, *visitor), is_clients};
  if (routed->id == RouteId::v1_model)
    return {show_model(core, exchange, *visitor, routed->names.front()), is_clients};
  if (routed->id == RouteId::engine)
    return {ask_engine_of_model(core, exchange, std::move(*visitor), record), is_clients};
  if (is_of_ollama(routed->id)) return {answer_as_ollama(core, exchange, *visitor, routed->id), is_clients};
  return {administer(core, exchange, *routed), is_clients};
}

// Where nobody tells of it, and it is part of no trace, there is none. The client's address is asked for now:
// one that has gone has none.
std::shared_ptr<const RequestOrigin> origin_of(Core& core, const net::Exchange& exchange, bool told) {
  const net::RequestHead& head = exchange.head();
  const std::optional<std::string_view> parent = head.headers.find("traceparent");
  if (!parent && !told) return nullptr;
  const std::string_view state = head.headers.find("tracestate").value_or("");
  return std::make_shared<const RequestOrigin>(
      RequestOrigin{.client = exchange.client_address(),
                    .method = head.method,
                    .path = head.path,
                    .trace = trace_of(parent.value_or(""), state, core.spans.is_on(), core.random),
                    .begun_unix_ms = core.clock.unix_ms()});
}

// One request from its head to its end, and what is told of it then.
net::Task<void> handle(std::shared_ptr<Core> core, net::Exchange& exchange) {
  RequestRecord record;
  record.begun_us = core->clock.now_us();
  record.own.begin(record.begun_us);
  const bool told = core->access_log.is_on() || core->spans.is_on();
  record.origin = origin_of(*core, exchange, told);
  Answering answering = answer_request(core, exchange, record);
  const InFlight in_flight(*core, answering.is_clients);
  co_await answering.task;
  if (!told) co_return;
  record.ended_us = core->clock.now_us();
  record.status = exchange.status();
  record.bytes_out = exchange.bytes_out();
  if (core->access_log.is_on()) core->access_log.write(access_line(record));
  core->spans.offer(std::move(record));
}

// What the configuration says of that model, by any of its names.
void add_settings(const Core& core, std::string_view model_id, Json& wanted) {
  for (const ModelFile& file : core.placing->models()) {
    if (file.id != model_id) continue;
    const ModelSettings settings = core.models->of(file);
    if (settings.context != 0) wanted["context"] = settings.context;
    if (settings.slots != 0) wanted["slots"] = settings.slots;
    if (!settings.may_offload) wanted["offload"] = "never";
    if (!settings.args.empty()) wanted["args"] = settings.args;
    wanted["cache_type"] = settings.cache_type;
    return;
  }
}

// Asks the hive for a load; a refusal, or silence, is the scheduler's next event.
net::Task<void> ask_load(std::shared_ptr<Core> core, net::Loop& loop, routing::Load load) {
  Json wanted{{"worker", load.worker}, {"model", load.model_id}};
  add_settings(*core, load.model_id, wanted);
  const std::string body = dump_json(wanted);
  net::ClientRequest request{.method = "POST",
                             .target = "/engines",
                             .headers = {{"Content-Type", "application/json"}},
                             .body = body};
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, load.hive, std::move(request), hive_answers_within);
  const Result<net::ClientResponse> response = co_await fetching;
  if (response && response->status < 300) {
    core->log->info(cat("Model '", load.model_id, "' is being loaded on worker '", load.worker, "'."));
    co_return;
  }
  Error error{ErrorCode::unreachable, cat("Hive '", load.hive, "' does not answer."), {}, {}};
  if (response) error = error_of_hive(response->body);
  core->log->warning(
      cat("Model '", load.model_id, "' cannot be loaded on worker '", load.worker, "': ", error.message));
  core->placing->on_load_refused(load.worker, load.model_id, std::move(error));
}

net::Task<void> ask_unload(std::shared_ptr<Core> core, net::Loop& loop, routing::Unload unload,
                           std::string why) {
  net::ClientRequest request{.method = "DELETE",
                             .target = cat("/engines/", net::percent_encode(unload.engine_id))};
  net::Task<Result<net::ClientResponse>> fetching =
      HiveConnections::fetch(core->hives, loop, unload.hive, std::move(request), hive_answers_within);
  const Result<net::ClientResponse> response = co_await fetching;
  const bool taken = response && response->status < 300;
  if (taken)
    core->log->info(cat("Engine '", unload.engine_id, "' ", why, "."));
  else
    core->log->warning(cat("Hive '", unload.hive, "' did not end engine '", unload.engine_id, "'."));
}

// A placement that no request follows: whatever it needs is loaded.
net::Task<void> preload(std::shared_ptr<Core> core, net::Loop& loop, std::string name) {
  Placing::Ticket ticket(core->placing, loop);
  Request request;
  request.model = name;
  ticket.ask(std::move(request), core->random.id());
  const std::optional<Decision> decision = co_await ticket.wait();
  if (!decision) co_return;
  if (const auto* no = std::get_if<routing::Refuse>(&*decision)) {
    core->log->warning(cat("'", name, "' cannot be loaded before it is asked for: ", no->error.message));
    core->care.preload_failed(name, core->clock.now());
    co_return;
  }
  ticket.done({});
}

// Once a second: engines that nobody needs go, models that are to be there come, what was counted is written,
// and what was learned now and then. Ends with the core.
net::Task<void> care_for_models(std::weak_ptr<Core> weak, net::Loop& loop) {
  Milliseconds took{0};
  while (true) {
    net::Task<void> resting = net::sleep_for(loop, std::max(between_cares, took * rest_per_care));
    co_await resting;
    const std::shared_ptr<Core> core = weak.lock();
    if (!core) co_return;
    const Instant begun = core->clock.now();
    ModelCare::ToDo todo;
    core->placing->look_at_fleet(
        [&](const Fleet& fleet) { todo = core->care.look(begun, fleet, *core->models); });
    for (routing::Unload& unload : todo.unload)
      loop.spawn(ask_unload(core, loop, std::move(unload), "was idle for its keep_alive"));
    for (std::string& name : todo.preload) loop.spawn(preload(core, loop, std::move(name)));
    core->state->write_counts();
    core->requests.let_go(begun);
    core->state->keep_speeds(core->speed_care.due(core->clock.now(), *core->placing), core->clock.unix_ms());
    took = core->clock.now() - begun;
  }
}

// A client that keeps a connection asks again within this, or has had the answer for so long that it must
// expect the connection to be closed.
constexpr Milliseconds kept_for{5'000};
constexpr Milliseconds between_looks{10};

// Once no client's request runs. Where somebody else accepts, kept connections get that long to ask once more
// and be told that they close.
net::Task<void> tell_when_idle(std::shared_ptr<Core> core, net::Loop& loop, bool kept_once_more,
                               std::function<void()> tell) {
  const Instant begun = core->clock.now();
  while (true) {
    const bool kept = kept_once_more && core->counts->open > 0 && core->clock.now() - begun < kept_for;
    if (core->in_flight == 0 && !kept) break;
    net::Task<void> resting = net::sleep_for(loop, between_looks);
    co_await resting;
  }
  tell();
}

// A script that is wrong fails with every request: its words are logged once until they change.
class Said {
 public:
  bool is_new(const std::string& text) {
    const std::scoped_lock lock(mutex_);
    return std::exchange(last_, text) != text;
  }

 private:
  std::mutex mutex_;
  std::string last_;
};

// The scheduler's alarm. On the first loop only.
struct Alarm {
  explicit Alarm(net::Loop& loop) : timer(loop) {}
  net::Timer timer;
  std::optional<Instant> due = {};
};

}  // namespace

struct Keeper::Impl {
  net::Runtime& runtime;
  std::shared_ptr<Core> core;
  std::shared_ptr<Alarm> alarm;
  std::unique_ptr<net::HttpServer> server = {};
  std::unique_ptr<net::HttpServer> local_server = {};  // where the other serves more than loopback
  bool stopped = false;

  static void arm(const std::shared_ptr<Alarm>& alarm, const std::weak_ptr<Core>& core, Instant time,
                  Instant now);
  [[nodiscard]] Placing::Effects effects();
  [[nodiscard]] Links::Events hive_events(const std::string& known_as) const;
  [[nodiscard]] Result<void> open_gate();
  [[nodiscard]] Result<net::TlsIdentity> open_ways();
  [[nodiscard]] Result<void> listen(const net::TlsIdentity& own);
  void tell_where() const;
};

void Keeper::Impl::arm(const std::shared_ptr<Alarm>& alarm, const std::weak_ptr<Core>& core, Instant time,
                       Instant now) {
  if (alarm->due && *alarm->due <= time) return;
  alarm->due = time;
  alarm->timer.arm(std::max(time - now, Milliseconds{0}), [alarm = std::weak_ptr<Alarm>(alarm), core] {
    const std::shared_ptr<Alarm> armed = alarm.lock();
    if (armed) armed->due.reset();
    if (const std::shared_ptr<Core> alive = core.lock()) alive->placing->on_timer();
  });
}

// They hold the core weakly: it owns what calls them.
Placing::Effects Keeper::Impl::effects() {
  net::Loop* loop = &runtime.first();
  const std::weak_ptr<Core> weak = core;
  return {
      .load =
          [loop, weak](routing::Load load) {
            if (std::shared_ptr<Core> alive = weak.lock())
              loop->spawn(ask_load(std::move(alive), *loop, std::move(load)));
          },
      .unload =
          [loop, weak](routing::Unload unload) {
            if (std::shared_ptr<Core> alive = weak.lock())
              loop->spawn(
                  ask_unload(std::move(alive), *loop, std::move(unload), "gives way to another model"));
          },
      .wake_at =
          [loop, weak, ring = std::weak_ptr<Alarm>(alarm)](Instant time) {
            loop->post([loop, weak, ring, time] {
              if (const std::shared_ptr<Alarm> rings = ring.lock())
                arm(rings, weak, time, loop->clock().now());
            });
          },
      .script_failed =
          [weak, said = std::make_shared<Said>()](const std::string& why) {
            const std::shared_ptr<Core> alive = weak.lock();
            if (!alive) return;
            alive->metrics.script_failed();
            if (said->is_new(why)) alive->log->warning(cat(why, " Rules and strategy hold instead."));
          },
  };
}

// The hive of the same home tells its own name, by which it is asked from then on.
Links::Events Keeper::Impl::hive_events(const std::string& known_as) const {
  const auto name = std::make_shared<std::string>(known_as);
  const auto figures = std::make_shared<LatestFigures>();
  return {
      .on_report =
          [core = core, known_as, name, figures](HiveReport report) {
            const HiveWay way = core->hives->way(known_as);
            if (known_as == own_hive) core->hives->set(report.hive, way);
            *name = report.hive;
            const std::string address = way.text();
            core->state->saw_hive(report, address, core->clock.unix_ms());
            figures->set({});  // those that it had are older
            core->placing->on_report(std::move(report), address, {way.life, figures});
          },
      .on_figures = [figures](std::string_view text) { figures->set(text); },
      .on_state =
          [core = core, name](HiveState state) {
            if (state == HiveState::suspect)
              core->log->warning(cat("Nothing is heard of hive '", *name, "': it gets no new requests."));
            else if (state == HiveState::gone)
              core->log->warning(cat("Hive '", *name, "' does not answer any more."));
            else
              core->log->info(cat("Hive '", *name, "' is there."));
            core->placing->on_state(*name, state);
          },
      .on_unfit = [core = core](const std::string& hive,
                                const Error& why) { core->placing->on_unfit(hive, why.message); },
  };
}

// How each hive that is known is reached; nothing is asked yet.
Result<net::TlsIdentity> Keeper::Impl::open_ways() {
  const Result<net::TlsIdentity> identity =
      net::open_identity(core->options.state_folder, "rbee keeper", hosts_of(core->options));
  if (!identity) return identity.error();
  const Result<std::string> print = net::key_print_of(*identity);
  if (!print) return print.error();
  core->key_print = *print;
  Result<std::shared_ptr<const net::TlsContext>> tls = net::TlsContext::client(*identity);
  if (!tls) return tls.error();
  core->tls = std::move(*tls);
  // What hives tell is heard apart from what clients ask: a thousand of them neither hold up a request nor
  // wake its loop.
  net::Loop& listening = runtime.patient();
  std::vector<net::Loop*> asking = runtime.loops();
  asking.push_back(&listening);
  core->hives = std::make_shared<HiveConnections>(std::move(asking));
  core->engines = std::make_shared<net::EngineConnections>(runtime.loops());
  Links::Settings settings{.gone_after = core->options.hive_gone_after, .version = core->options.version};
  core->links = Links::make(listening, core->hives, core->random, core->log, std::move(settings),
                            [this](const std::string& hive) { return hive_events(hive); });
  const std::string& socket = core->options.own_hive_socket;
  if (!socket.empty()) core->hives->set(std::string(own_hive), {.endpoint = {.unix_path = socket}});
  for (const KnownHive& hive : core->state->hives()) {
    core->placing->remember(hive.name, hive.address, hive.models, hive.mac_addresses);
    if (hive.key_print.empty()) continue;
    const Result<net::Endpoint> address = net::parse_endpoint(hive.address, default_hive_port);
    HiveWay way{.secure = {core->tls, hive.key_print}, .lent = !address};
    if (address) way.endpoint = *address;
    core->hives->set(hive.name, std::move(way));
  }
  return identity;
}

Result<void> Keeper::Impl::open_gate() {
  const KeeperOptions& options = core->options;
  core->gate = std::make_unique<Gate>(core->clock, core->log, options.state_folder / keys_file);
  core->gate->set_origins(options.allow_origins);
  Result<void> opened = core->gate->open();
  if (!opened || net::is_loopback(options.listen) || core->gate->has_keys()) return opened;
  return Error{ErrorCode::not_allowed,
               cat("The keeper will not listen on ", options.listen.text(), " without an API key."),
               "`rbee key add NAME` makes one, which clients send; on 127.0.0.1 none is needed.",
               {}};
}

Result<void> Keeper::Impl::listen(const net::TlsIdentity& own) {
  const KeeperOptions& options = core->options;
  const net::Handler handler = [core = core](net::Exchange& exchange) { return handle(core, exchange); };
  Result<net::ServerOptions> how = server_options(options, own, core->log);
  if (!how) return how.error();
  how->counts = core->counts;
  how->listening = options.inherited.listening;
  Result<std::unique_ptr<net::HttpServer>> opened =
      net::HttpServer::listen(runtime.loops(), options.listen, handler, *how);
  if (!opened) return opened.error();
  server = std::move(*opened);
  core->address = server->endpoint();
  if (net::is_loopback(options.listen) || options.local_socket.empty()) return {};
  how->listening = options.inherited.local;
  Result<std::unique_ptr<net::HttpServer>> local = net::HttpServer::listen(
      runtime.loops(), net::Endpoint{.unix_path = options.local_socket}, handler, *how);
  if (!local) return local.error();
  local_server = std::move(*local);
  return {};
}

void Keeper::Impl::tell_where() const {
  const bool secure = is_secure(core->options);
  const bool local = net::is_loopback(core->options.listen);
  core->log->info(cat("The keeper listens on ", secure ? "https://" : "http://", core->address.text(),
                      local ? std::string() : cat(", its key is ", core->key_print)));
  if (!secure && !local) core->log->warning(plain_warning(core->address.text()));
}

Keeper::Keeper(net::Runtime& runtime, Clock& clock, Random& random, std::shared_ptr<Log> log,
               KeeperOptions options)
    : impl_(new Impl{
          .runtime = runtime,
          // An aggregate: make_shared does not initialise it by names.
          // NOLINTNEXTLINE(modernize-make-shared)
          .core = std::shared_ptr<Core>(new Core{
              .clock = clock, .random = random, .log = std::move(log), .options = std::move(options)}),
          .alarm = std::make_shared<Alarm>(runtime.first())}) {
  impl_->core->resume_streams = impl_->core->options.routing.resume_streams;
  impl_->core->benchmarks_new = impl_->core->options.benchmark;
}

Keeper::~Keeper() {
  stop();
  // A timer belongs to its loop's thread, in its end too.
  impl_->runtime.first().post([alarm = std::move(impl_->alarm)]() mutable { alarm.reset(); });
}

Result<void> Keeper::start() {
  Core& core = *impl_->core;
  const KeeperOptions& options = core.options;
  if (Result<void> made = make_folder(options.state_folder); !made) return made;
  if (Result<void> opened = impl_->open_gate(); !opened) return opened;
  Result<std::unique_ptr<State>> state = State::open(options.state_folder / "keeper.db", core.log);
  if (!state) return state.error();
  core.state = std::move(*state);
  core.benchmarks = std::make_unique<BenchmarkBook>(*core.state);
  set_telling(options.telling);
  core.started = core.clock.now();
  core.started_unix_ms = core.clock.unix_ms();
  core.models = std::make_shared<ModelBook>(options.models);
  core.placing = std::make_shared<Placing>(
      core.clock, std::make_unique<routing::Router>(core.options.routing), impl_->effects(), core.models);
  core.placing->recall(core.state->speeds());
  core.placing->set_script(options.script);
  const Result<net::TlsIdentity> own = impl_->open_ways();
  if (!own) return own.error();
  if (Result<void> listens = impl_->listen(*own); !listens) return listens;
  if (!options.own_hive_socket.empty()) core.links->follow(std::string(own_hive));
  for (const KnownHive& hive : core.state->hives()) {
    if (!hive.key_print.empty()) core.links->follow(hive.name);
  }
  impl_->runtime.first().spawn(care_for_models(impl_->core, impl_->runtime.first()));
  impl_->runtime.first().spawn(measure_new_workers(impl_->core, impl_->runtime.first()));
  impl_->tell_where();
  return {};
}

void Keeper::stop_accepting(bool somebody_else_does, std::function<void()> when_idle) {
  using Kept = net::HttpServer::Kept;
  const Kept kept = somebody_else_does ? Kept::served_once_more : Kept::closed;
  for (const auto* server : {&impl_->server, &impl_->local_server}) {
    if (*server) (*server)->stop_accepting(kept);
  }
  net::Loop& loop = impl_->runtime.first();
  loop.spawn(tell_when_idle(impl_->core, loop, somebody_else_does, std::move(when_idle)));
}

Keeper::Inherited Keeper::listening() const {
  return {.listening = impl_->server ? impl_->server->listening() : -1,
          .local = impl_->local_server ? impl_->local_server->listening() : -1};
}

void Keeper::set_telling(const Telling& telling) {
  impl_->core->access_log.set_file(telling.access_log);
  impl_->core->spans.set_endpoint(telling.otlp);
}

void Keeper::stop() {
  if (std::exchange(impl_->stopped, true)) return;
  if (impl_->core->placing) impl_->core->placing->stop();
  if (impl_->core->placing && impl_->core->state)
    impl_->core->state->keep_speeds(impl_->core->placing->take_speed_news(), impl_->core->clock.unix_ms());
  if (impl_->core->links) impl_->core->links->stop();
  if (impl_->server) impl_->server->stop();
  if (impl_->local_server) impl_->local_server->stop();
  if (impl_->core->hives) impl_->core->hives->stop();
  if (impl_->core->engines) impl_->core->engines->close();
}

void Keeper::set_routing(routing::RouterSettings settings) {
  impl_->core->resume_streams = settings.resume_streams;
  impl_->core->placing->on_settings(std::move(settings));
}

void Keeper::set_origins(std::vector<std::string> origins) {
  impl_->core->gate->set_origins(std::move(origins));
}

void Keeper::set_benchmark(bool measures_new_workers) { impl_->core->benchmarks_new = measures_new_workers; }

std::string Keeper::url() const {
  return cat(is_secure(impl_->core->options) ? "https://" : "http://", impl_->core->address.text());
}

const std::string& Keeper::key_print() const { return impl_->core->key_print; }

void Keeper::set_models(ModelSettingsByName models) { impl_->core->models->set(std::move(models)); }

void Keeper::set_script(std::shared_ptr<const routing::ScriptPolicy> script) {
  impl_->core->placing->set_script(std::move(script));
}

net::Endpoint Keeper::endpoint() const { return impl_->core->address; }

}  // namespace rbee::keeper
