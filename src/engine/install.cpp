#include "engine/install.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/digest.h"
#include "engine/install_lock.h"
#include "engine/install_steps.h"
#include "engine/manifest.h"
#include "engine/tool_runner.h"
#include "engine/vendor_libraries.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <algorithm>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;

Result<PackInfo> ready_pack(const fs::path& engines, Backend backend, const fs::path& folder) {
  for (const PackInfo& pack : list_packs(engines)) {
    if (pack.backend == backend && pack.folder == folder && pack.state == PackState::ready) return pack;
  }
  return Error{ErrorCode::no_engine_pack, cat("'", folder.string(), "' is no engine pack.")};
}

Result<void> check_space(const fs::path& engines, std::uint64_t needed) {
  struct statvfs disk{};
  if (::statvfs(engines.c_str(), &disk) != 0) return {};  // a disk that does not say is tried
  const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free >= needed) return {};
  return Error{ErrorCode::no_space,
               cat("The engine pack needs ", bytes_text(needed), " in '", engines.string(), "', where ",
                   bytes_text(free), " are free."),
               "Free some space there, or set RBEE_ENGINES to a folder on another disk.",
               {}};
}

Result<std::vector<fs::path>> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failure;
  fs::recursive_directory_iterator walk(folder, failure);
  for (; !failure && walk != fs::recursive_directory_iterator(); walk.increment(failure)) {
    std::error_code unreadable;
    if (!walk->is_directory(unreadable)) files.push_back(walk->path());
  }
  if (failure) return io_error(cat("'", folder.string(), "' cannot be read"), failure.value());
  std::ranges::sort(files);
  return files;
}

// One installation, from the lock to the pack. Its work folder is removed by the caller.
class Installation {
 public:
  Installation(fs::path engines, fs::path work, Backend backend, const InstallOptions& options,
               const PackPlan& plan)
      : engines_(std::move(engines)),
        work_(std::move(work)),
        backend_(backend),
        options_(options),
        plan_(plan),
        tools_(engines_ / cat("install-", lower(backend_name(backend)), ".log"),
               tool_environment(options.environment), options.cancel),
        library_folders_(all_library_folders(options.environment, options.library_folders)) {}

  Result<void> build_core(const fs::path& core);
  Result<void> assemble(const fs::path& core, const fs::path& place);

 private:
  void tell(std::string_view message, int done = 0, int total = 0) const {
    if (options_.progress) options_.progress(message, done, total);
  }
  [[nodiscard]] std::string source_text() const { return cat("npm ", plan_.source.name, "@", plan_.version); }
  Result<fs::path> fetch(const PlannedPackage& package);
  Result<void> compile(const fs::path& source, const fs::path& build);
  Result<void> take_programs(const fs::path& bin, const fs::path& folder) const;
  Result<int> take_plugins(const PlannedPackage& package, const fs::path& folder);

  const fs::path engines_;
  const fs::path work_;
  const Backend backend_;
  const InstallOptions& options_;
  const PackPlan& plan_;
  ToolRunner tools_;
  const std::vector<std::string> library_folders_;
  int fetched_ = 0;
};

// The package's folder, unpacked. Nothing of it is looked at before its checksum is right.
Result<fs::path> Installation::fetch(const PlannedPackage& package) {
  const std::string name = cat(package.name, "@", plan_.version);
  const fs::path folder = work_ / cat("npm-", fetched_++);
  const Result<void> made = make_folder(folder);
  if (!made) return made.error();
  tell(cat("Fetching ", name));
  const Result<void> packed = tools_.run(
      {.what = cat("Fetching ", name),
       .arguments = {"npm", "pack", name, "--pack-destination", folder.string(), "--ignore-scripts"},
       .folder = work_,
       .failure = ErrorCode::unreachable,
       .hint = "Check the network and npm's registry (`npm config get registry`)."});
  if (!packed) return packed.error();
  const Result<std::vector<fs::path>> files = files_in(folder);
  if (!files) return files.error();
  if (files->size() != 1) return Error{ErrorCode::unreachable, cat("npm fetched no archive of ", name, ".")};
  const fs::path& archive = files->front();
  const Result<std::string> sum = sha512_base64_of_file(archive);
  if (!sum) return sum.error();
  if (*sum != package.sha512) {
    return Error{ErrorCode::pack_broken,
                 cat(name, " is not the package that rbee knows: its sha512 is ", *sum, ", not ",
                     package.sha512, ". Nothing of it was used."),
                 "Try again; if it stays, ask who runs your npm registry or proxy.",
                 {}};
  }
  const Result<void> unpacked =
      tools_.run({.what = cat("Unpacking ", name),
                  .arguments = {"tar", "-xzf", archive.string(), "-C", folder.string(), "--no-same-owner"},
                  .folder = work_});
  if (!unpacked) return unpacked.error();
  std::error_code failure;
  fs::remove(archive, failure);
  return folder / "package";
}

Result<void> Installation::compile(const fs::path& source, const fs::path& build) {
  std::vector<std::string> configure = {"cmake", "-S", source.string(), "-B", build.string(), "-G", "Ninja"};
  configure.insert(configure.end(), plan_.cmake_options.begin(), plan_.cmake_options.end());
  if (tools_.has("ccache")) {
    configure.insert(configure.end(),
                     {"-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"});
    tools_.add_environment(cat("CCACHE_BASEDIR=", source.string()));
  }
  tell("Configuring llama.cpp");
  const Result<void> configured =
      tools_.run({.what = "Configuring llama.cpp", .arguments = std::move(configure), .folder = source});
  if (!configured) return configured.error();

  std::vector<std::string> ninja = {"ninja", "-C", build.string()};
  if (options_.jobs > 0) ninja.insert(ninja.end(), {"-j", cat(options_.jobs)});
  ninja.insert(ninja.end(), pack_programs.begin(), pack_programs.end());
  tell("Building llama.cpp");
  return tools_.run({.what = "Building llama.cpp",
                     .arguments = std::move(ninja),
                     .folder = source,
                     .on_line = [this](std::string_view line) {
                       const NinjaStep step = parse_ninja_step(line);
                       if (step.total > 0) tell("Building llama.cpp", step.done, step.total);
                     }});
}

Result<void> Installation::take_programs(const fs::path& bin, const fs::path& folder) const {
  const Result<void> made = make_folder(folder);
  if (!made) return made.error();
  const Result<std::vector<fs::path>> files = files_in(bin);
  if (!files) return files.error();
  for (const fs::path& file : *files) {
    if (!belongs_in_pack(file.filename().string())) continue;
    const Result<void> taken = link_or_copy(file, folder / file.filename());
    if (!taken) return taken.error();
  }
  std::error_code failure;
  for (const std::string_view program : pack_programs) {
    if (!fs::exists(folder / program, failure)) {
      return Error{ErrorCode::engine_failed, cat("The build of llama.cpp made no ", program, ".")};
    }
  }
  return {};
}

Result<void> Installation::build_core(const fs::path& core) {
  const Result<fs::path> package = fetch(plan_.source);
  if (!package) return package.error();
  const fs::path source = work_ / "llama.cpp";
  const fs::path bundle = *package / "llama" / "gitRelease.bundle";
  tell("Unpacking the sources of llama.cpp");
  const Result<void> cloned = tools_.run({.what = "Unpacking the sources of llama.cpp",
                                          .arguments = {"git", "-c", "advice.detachedHead=false", "clone",
                                                        "--quiet", bundle.string(), source.string()},
                                          .folder = work_});
  if (!cloned) return cloned.error();
  const fs::path build = work_ / "build";
  const Result<void> compiled = compile(source, build);
  if (!compiled) return compiled.error();
  const fs::path folder = work_ / "core";
  const Result<void> taken = take_programs(build / "bin", folder);
  if (!taken) return taken.error();
  const Result<Manifest> sealed = seal(folder, {.version = plan_.version, .source = source_text()});
  if (!sealed) return sealed.error();
  return put_in_place(folder, core);
}

// How many files were taken. One that is there already is replaced.
Result<int> Installation::take_plugins(const PlannedPackage& package, const fs::path& folder) {
  const Result<fs::path> unpacked = fetch(package);
  if (!unpacked) return unpacked.error();
  const Result<std::vector<fs::path>> files = files_in(*unpacked);
  if (!files) return files.error();
  int taken = 0;
  for (const fs::path& file : *files) {
    const std::string name = file.filename().string();
    if (!takes_plugin(package, name)) continue;
    std::error_code failure;
    fs::remove(folder / name, failure);
    const Result<void> linked = link_or_copy(file, folder / name);
    if (!linked) return linked.error();
    // npm's archives do not carry it, and a pack's files are all alike.
    fs::permissions(folder / name, fs::perms::owner_all, fs::perm_options::replace, failure);
    ++taken;
  }
  if (taken == 0)
    return Error{ErrorCode::pack_broken, cat(package.name, "@", plan_.version, " has no plug-in.")};
  const Result<void> linked = link_libraries(find_libraries(package.needs, library_folders_), folder);
  if (!linked) return linked.error();
  return taken;
}

Result<void> Installation::assemble(const fs::path& core, const fs::path& place) {
  const fs::path folder = work_ / "pack";
  const Result<void> programs = take_programs(core, folder);
  if (!programs) return programs.error();
  // The variants choose themselves by the CPU; the plain one beside them would only be slower.
  std::error_code failure;
  fs::remove(folder / "libggml-cpu.so", failure);
  for (const PlannedPackage& package : plan_.plugins) {
    const Result<int> taken = take_plugins(package, folder);
    if (!taken) return taken.error();
  }
  tell("Writing the engine pack");
  const Result<Manifest> sealed =
      seal(folder, {.backend = backend_, .version = plan_.version, .source = source_text()});
  if (!sealed) return sealed.error();
  return put_in_place(folder, place);
}

Result<void> install_locked(const fs::path& engines, const fs::path& work, Backend backend,
                            const InstallOptions& options, const PackPlan& plan) {
  const fs::path core = engines / core_folder_name(plan);
  const bool core_is_there = read_manifest(core).has_value();
  const Result<void> space = check_space(engines, options.spare_bytes + needed_bytes(backend, core_is_there));
  if (!space) return space.error();
  Installation installation(engines, work, backend, options, plan);
  if (!core_is_there) {
    const Result<void> built = installation.build_core(core);
    if (!built) return built.error();
  }
  return installation.assemble(core, engines / pack_folder_name(plan, backend));
}

}  // namespace

Result<PackInfo> install_planned(const fs::path& engines, Backend backend, const InstallOptions& options,
                                 const PackPlan& plan) {
  const Result<void> made = make_folder(engines);
  if (!made) return made.error();
  const fs::path folder = fs::absolute(engines) / pack_folder_name(plan, backend);
  Result<PackInfo> there = ready_pack(fs::absolute(engines), backend, folder);
  if (there) return there;

  const auto waiting = [&options](const LockHolder& holder) {
    if (options.progress)
      options.progress(cat("Waiting for process ", holder.pid, ", which installs an engine pack"), 0, 0);
  };
  const Result<InstallLock> lock = InstallLock::take(engines, backend, options.cancel, waiting);
  if (!lock) return lock.error();
  there = ready_pack(fs::absolute(engines), backend, folder);
  if (there) return there;

  const Result<fs::path> work = make_work_folder(fs::absolute(engines));
  if (!work) return work.error();
  const Result<void> installed = install_locked(fs::absolute(engines), *work, backend, options, plan);
  std::error_code failure;
  fs::remove_all(*work, failure);
  if (!installed) return installed.error();
  return ready_pack(fs::absolute(engines), backend, folder);
}

Result<PackInfo> install_pack(const fs::path& engines, Backend backend, const InstallOptions& options) {
  utsname system{};
  ::uname(&system);
  CudaHere cuda = options.cuda;
  const std::vector<std::string> folders = all_library_folders(options.environment, options.library_folders);
  for (const fs::path& file : find_libraries(cuda_library_names(), folders).found)
    cuda.libraries.push_back(file.filename().string());
  const Result<PackPlan> plan =
      plan_pack(backend, system.sysname, system.machine, options.rocm_targets, cuda);
  if (!plan) return plan.error();
  return install_planned(engines, backend, options, *plan);
}

}  // namespace rbee::engine
