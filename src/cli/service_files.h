// The service files of packaging/, for the machine at hand. Pure.
#pragma once

#include "base/error.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace rbee::cli {

enum class ServiceKind { keeper, hive };
[[nodiscard]] std::string_view service_kind_name(ServiceKind kind);

enum class ServiceSystem {
  systemd,       // of the whole machine: root installs it
  systemd_user,  // of one user
  launchd,       // of one user of a Mac
};

struct ServiceFile {
  std::filesystem::path path;
  std::string text;
};
using Words = std::vector<std::string>;

struct Service {
  std::string name;  // as the system knows it: "rbee-hive", "rbee.hive"
  std::vector<ServiceFile> files;
  std::vector<Words> start;    // one after the other, once the files are there
  std::vector<Words> restart;  // of one that is installed: starts it where it does not run
  std::vector<Words> stop;     // before they are removed
  Words is_running;            // ends with 0 where it is
};

struct ServiceWish {
  ServiceSystem system = ServiceSystem::systemd_user;
  ServiceKind kind = ServiceKind::hive;
  std::string program = {};                // absolute
  std::string listen = {};                 // empty: as packaging/ has it
  std::filesystem::path user_folder = {};  // $HOME, for services of a user
};

// Fails with bad_usage where the service could not reach `program` (a service of the system sees no homes),
// or where a path or an address holds what a service file would read otherwise.
[[nodiscard]] Result<Service> describe_service(const ServiceWish& wish);

}  // namespace rbee::cli
