#include "cli/service_files.h"

#include "base/text.h"

#include <algorithm>

// Made by rbee_embed() in CMakeLists.txt.
#define RBEE_EMBEDDED(name)                     \
  extern "C" const char rbee_embedded_##name[]; \
  extern "C" const char rbee_embedded_##name##_end[]
RBEE_EMBEDDED(system_hive_service);
RBEE_EMBEDDED(system_keeper_service);
RBEE_EMBEDDED(user_hive_service);
RBEE_EMBEDDED(user_keeper_service);
RBEE_EMBEDDED(hive_plist);
RBEE_EMBEDDED(keeper_plist);
RBEE_EMBEDDED(sysusers);
#undef RBEE_EMBEDDED

namespace rbee::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view packaged_program = "/usr/bin/rbee";
constexpr std::string_view packaged_hive = "0.0.0.0:7835";
constexpr std::string_view packaged_keeper = "127.0.0.1:7833";

std::string between(const char* begin, const char* end) { return {begin, end}; }

std::string template_of(ServiceSystem system, ServiceKind kind) {
  const bool hive = kind == ServiceKind::hive;
  switch (system) {
    case ServiceSystem::systemd:
      return hive ? between(rbee_embedded_system_hive_service, rbee_embedded_system_hive_service_end)
                  : between(rbee_embedded_system_keeper_service, rbee_embedded_system_keeper_service_end);
    case ServiceSystem::systemd_user:
      return hive ? between(rbee_embedded_user_hive_service, rbee_embedded_user_hive_service_end)
                  : between(rbee_embedded_user_keeper_service, rbee_embedded_user_keeper_service_end);
    case ServiceSystem::launchd:
      return hive ? between(rbee_embedded_hive_plist, rbee_embedded_hive_plist_end)
                  : between(rbee_embedded_keeper_plist, rbee_embedded_keeper_plist_end);
  }
  return {};
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

// Nothing that systemd (% $ " \ and spaces) or XML reads as more than itself.
Result<void> check_plain(std::string_view what, std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](unsigned char letter) {
    return letter > ' ' && letter != 127 &&
           std::string_view("%$\"'\\<>&;").find(static_cast<char>(letter)) == std::string_view::npos;
  });
  if (plain) return {};
  return Error{ErrorCode::bad_usage, cat(what, " '", text, "' cannot stand in a service file."),
               "Use one without spaces, quotes and other signs."};
}

Result<void> check_program(const ServiceWish& wish) {
  if (Result<void> plain = check_plain("The path", wish.program); !plain) return plain;
  const bool in_a_home = wish.program.starts_with("/home/") || wish.program.starts_with("/root/") ||
                         wish.program.starts_with("/run/user/");
  if (wish.system != ServiceSystem::systemd || !in_a_home) return {};
  return Error{ErrorCode::bad_usage,
               cat("A service of the system does not see '", wish.program, "': it sees no homes."),
               "Copy the program to /usr/local/bin and type this there, or install it as a user."};
}

void add_systemd(Service& service, const ServiceWish& wish, std::string text) {
  const bool user = wish.system == ServiceSystem::systemd_user;
  const std::string unit = cat(service.name, ".service");
  const fs::path folder = user ? wish.user_folder / ".config/systemd/user" : fs::path("/etc/systemd/system");
  const auto systemctl = [user](std::initializer_list<std::string> more) {
    Words words = {"systemctl"};
    if (user) words.emplace_back("--user");
    words.insert(words.end(), more);
    return words;
  };
  service.files.push_back({folder / unit, std::move(text)});
  if (!user) {
    const fs::path users = "/etc/sysusers.d/rbee.conf";
    service.files.push_back({users, between(rbee_embedded_sysusers, rbee_embedded_sysusers_end)});
    service.start.push_back({"systemd-sysusers", users.string()});
  }
  service.start.push_back(systemctl({"daemon-reload"}));
  service.start.push_back(systemctl({"enable", unit}));
  service.start.push_back(systemctl({"restart", unit}));
  service.restart.push_back(systemctl({"start", unit}));
  service.stop.push_back(systemctl({"disable", "--now", unit}));
  service.is_running = systemctl({"is-active", "--quiet", unit});
}

void add_launchd(Service& service, const ServiceWish& wish, std::string text) {
  const fs::path file = wish.user_folder / "Library/LaunchAgents" / cat(service.name, ".plist");
  service.files.push_back({file, std::move(text)});
  service.start.push_back({"launchctl", "load", "-w", file.string()});
  service.restart.push_back({"launchctl", "start", service.name});
  service.stop.push_back({"launchctl", "unload", "-w", file.string()});
  service.is_running = {"launchctl", "list", service.name};
}

}  // namespace

std::string_view service_kind_name(ServiceKind kind) { return kind == ServiceKind::hive ? "hive" : "keeper"; }

Result<Service> describe_service(const ServiceWish& wish) {
  if (Result<void> good = check_program(wish); !good) return good.error();
  if (Result<void> good = check_plain("The address", wish.listen); !good) return good.error();
  std::string text = template_of(wish.system, wish.kind);
  replace_all(text, packaged_program, wish.program);
  if (!wish.listen.empty())
    replace_all(text, wish.kind == ServiceKind::hive ? packaged_hive : packaged_keeper, wish.listen);
  Service service;
  const bool mac = wish.system == ServiceSystem::launchd;
  service.name = cat("rbee", mac ? "." : "-", service_kind_name(wish.kind));
  if (mac) {
    add_launchd(service, wish, std::move(text));
  } else {
    add_systemd(service, wish, std::move(text));
  }
  return service;
}

}  // namespace rbee::cli
