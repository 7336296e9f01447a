// Door: the hive's address on the network, if it has one, its way to its keeper, and who may come in.
//
// TLS 1.3; a caller is known by its key alone, on connections that it made and on those that this hive
// dialled for it (dialler.h). The keeper that this hive belongs to may ask all of docs/hive-api.md, and
// engines under /engines/ID/; a stranger may only pair (POST /pair, with a key and the secret of a token) and
// ask what this is (GET /hello). On the hive's loop; files are read and written on `files`.
#pragma once

#include "base/log.h"
#include "hive/dialler.h"
#include "hive/file_tickets.h"
#include "hive/trust.h"
#include "net/kept_connections.h"
#include "net/server.h"
#include "net/tls.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace rbee::hive {

// What of a hive's folder is about trust.
struct TrustFiles {
  explicit TrustFiles(const std::filesystem::path& hive_folder)
      : keeper(hive_folder / "keeper.json"), token(hive_folder / "token.json") {}
  std::filesystem::path keeper;
  std::filesystem::path token;

  // Nothing where there is no such file. Fail with io_failed or bad_config. Block.
  [[nodiscard]] Result<std::optional<KnownKeeper>> read_keeper() const;
  [[nodiscard]] Result<std::optional<TokenRecord>> read_token() const;
};

class Door : public std::enable_shared_from_this<Door> {
 public:
  struct Inside {
    std::function<net::Task<void>(net::Exchange&)> answer;            // for the known keeper
    std::function<std::string(const std::string& engine)> socket_of;  // empty: there is none now
    // For any key: the ticket says whether it is good for that one.
    std::function<net::Task<void>(net::Exchange&, FileTarget)> send_file = {};
    std::function<void(const std::string& name)> renamed;  // by the keeper that paired
  };
  // In the hive's folder while the door is open: "0.0.0.0:7835", for `rbee hive token` to tell.
  static constexpr std::string_view address_file = "address";

  struct Options {
    std::optional<net::Endpoint> listen;  // none: it only dials
    std::string version;                  // of rbee
    std::string hive_name;                // until a keeper gives it another
    std::filesystem::path hive_folder;
  };

  // Blocks for a moment: before the loop runs, or at start. Fails as open_identity, TrustFiles and
  // HttpServer::listen.
  [[nodiscard]] static Result<std::shared_ptr<Door>> open(net::Loop& loop, const Clock& clock, Random& random,
                                                          std::shared_ptr<Log> log,
                                                          net::BlockingThread& files, Options options,
                                                          Inside inside);
  // Nothing of `inside` is called any more after this.
  void close();
  // Reads again who is known: the command line has changed it. What a keeper that is forgotten has open ends.
  net::Task<Result<void>> look_again();

  [[nodiscard]] net::Endpoint endpoint() const { return server_->endpoint(); }
  [[nodiscard]] const std::optional<KnownKeeper>& keeper() const { return keeper_; }
  [[nodiscard]] const std::string& key_print() const { return key_print_; }

 private:
  Door(net::Loop& loop, const Clock& clock, Random& random, std::shared_ptr<Log> log,
       net::BlockingThread& files, Options options, Inside inside);
  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<void> listen(std::shared_ptr<const net::TlsContext> tls);
  [[nodiscard]] Dialler::Inside for_dialler();
  [[nodiscard]] LinkRequest introduction() const;
  // From now on; what another keeper has open ends.
  void know(std::optional<KnownKeeper> keeper);
  // The keeper that it asked has let it in, or not.
  void let_in();
  void turned_away(const Error& why);
  void forget_file();
  static net::Task<void> handle(std::shared_ptr<Door> self, net::Exchange& exchange);
  net::Task<void> pair(net::Exchange& exchange);
  net::Task<void> let_go(net::Exchange& exchange);
  static net::Task<void> answer_keeper(std::shared_ptr<Door> self, net::Exchange& exchange);
  net::Task<Result<KnownKeeper>> take_in(PairRequest request);
  [[nodiscard]] bool knows(std::string_view key_print) const;

  net::Loop& loop_;
  const Clock& clock_;
  Random& random_;
  std::shared_ptr<Log> log_;
  net::BlockingThread& files_;
  Options options_;
  Inside inside_;
  TrustFiles trust_;
  std::string key_print_;
  std::optional<KnownKeeper> keeper_;
  bool pairing_ = false;  // one at a time: a token serves once
  bool closed_ = false;
  int followers_ = 0;  // streams of events that the keeper reads now
  std::shared_ptr<net::EngineConnections> engines_;
  std::unique_ptr<net::HttpServer> server_;
  std::shared_ptr<Dialler> dialler_;
};

}  // namespace rbee::hive
