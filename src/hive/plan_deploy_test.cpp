#include "hive/plan_deploy.h"

#include "base/text.h"
#include "domain/model_name.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

Device device(std::string id, std::string name, DeviceKind kind, DeviceMemory memory,
              std::vector<Backend> backends) {
  Device made;
  made.id = std::move(id);
  made.name = std::move(name);
  made.kind = kind;
  made.memory = memory;
  for (const Backend backend : backends) made.backends.push_back({.backend = backend, .usable = true});
  return made;
}
Device cpu() { return device("cpu", "AMD Ryzen 9", DeviceKind::cpu, DeviceMemory::system, {Backend::cpu}); }
Device llvmpipe() {
  return device("vulkan-llvmpipe", "llvmpipe", DeviceKind::software, DeviceMemory::system, {Backend::vulkan});
}
Device card(std::string id, std::vector<Backend> backends = {Backend::cuda, Backend::vulkan}) {
  return device(std::move(id), "NVIDIA RTX 4090", DeviceKind::discrete, DeviceMemory::dedicated,
                std::move(backends));
}
Machine machine(std::vector<Device> devices) {
  Machine made;
  made.devices = std::move(devices);
  made.unusable = {
      {.backend = Backend::rocm, .reason = "no AMD GPU (nothing under /sys/class/kfd)", .cure = "Add one."}};
  return made;
}

// "worker-pc cuda GPU-1; worker-pc-2 ...", or the name of the error.
std::string planned(const Machine& on, const DeployRequest& request,
                    const std::vector<WorkerSpec>& workers = {}) {
  const Result<DeployPlan> plan = plan_deploy(on, "pc", workers, request);
  if (!plan) return std::string(info(plan.error().code).name);
  std::string text;
  for (const WorkerSpec& worker : plan->create) {
    text += cat(text.empty() ? "" : "; ", worker.name, " ", lower(backend_name(worker.backend)), " ",
                worker.device_id);
  }
  for (const WorkerSpec& worker : plan->take_over) {
    text += cat(text.empty() ? "" : "; ", worker.name, " over to ", lower(backend_name(worker.backend)));
  }
  for (const std::string& name : plan->in_service) text += cat(text.empty() ? "" : "; ", "(", name, ")");
  return text;
}

TEST(PlanDeploy, TakesTheCpuWhereThereIsNoAccelerator) {
  EXPECT_EQ(planned(machine({cpu()}), {}), "worker-pc cpu cpu");
}

TEST(PlanDeploy, ASoftwareDeviceIsNeverChosenByItself) {
  EXPECT_EQ(planned(machine({llvmpipe(), cpu()}), {}), "worker-pc cpu cpu");
}

TEST(PlanDeploy, ASoftwareDeviceIsTakenWhenItsBackendHasNoOther) {
  EXPECT_EQ(planned(machine({llvmpipe(), cpu()}), {.backend = Backend::vulkan}),
            "worker-pc vulkan vulkan-llvmpipe");
  EXPECT_EQ(planned(machine({llvmpipe(), card("GPU-1"), cpu()}), {.backend = Backend::vulkan}),
            "worker-pc vulkan GPU-1");
}

TEST(PlanDeploy, ASoftwareDeviceNeverStandsInForACardThatHasAReason) {
  Device broken = card("GPU-1", {Backend::cuda});
  broken.backends.push_back(
      {.backend = Backend::vulkan, .reason = "no Vulkan driver lists this GPU", .cure = "Install one."});
  const Machine pc = machine({broken, llvmpipe(), cpu()});
  EXPECT_EQ(planned(pc, {.backend = Backend::vulkan}), "backend_unusable");
  EXPECT_EQ(planned(pc, {.backend = Backend::vulkan, .device = "llvmpipe"}),
            "worker-pc vulkan vulkan-llvmpipe");
}

TEST(PlanDeploy, ASoftwareDeviceIsTakenByName) {
  EXPECT_EQ(planned(machine({llvmpipe(), card("GPU-1")}), {.device = "vulkan-llvmpipe"}),
            "worker-pc vulkan vulkan-llvmpipe");
  EXPECT_EQ(planned(machine({llvmpipe()}), {.device = "LLVMPIPE"}), "worker-pc vulkan vulkan-llvmpipe");
}

TEST(PlanDeploy, TakesEveryAcceleratorThroughItsVendorsBackend) {
  EXPECT_EQ(planned(machine({card("GPU-1"), card("GPU-2", {Backend::vulkan}), cpu()}), {}),
            "worker-pc cuda GPU-1; worker-pc-2 vulkan GPU-2");
}

TEST(PlanDeploy, ABackendThatItsPackDoesNotKnowGivesWayToTheNext) {
  Device old = card("GPU-1");
  old.backends.front().engine = "unsupported";
  EXPECT_EQ(planned(machine({old, cpu()}), {}), "worker-pc vulkan GPU-1");
  EXPECT_EQ(planned(machine({old, cpu()}), {.backend = Backend::cuda}), "backend_unusable");
}

TEST(PlanDeploy, WhatIsInServiceIsLeftAlone) {
  const std::vector<WorkerSpec> there = {{.name = "mine", .backend = Backend::cuda, .device_id = "GPU-1"}};
  EXPECT_EQ(planned(machine({card("GPU-1"), card("GPU-2")}), {}, there), "worker-pc cuda GPU-2; (mine)");
}

TEST(PlanDeploy, AnotherBackendIsTakenOverOnlyWhenItIsNamed) {
  const std::vector<WorkerSpec> vulkan = {
      {.name = "worker-pc", .backend = Backend::vulkan, .device_id = "GPU-1"}};
  const Machine on = machine({card("GPU-1"), cpu()});
  EXPECT_EQ(planned(on, {}, vulkan), "(worker-pc)");
  EXPECT_EQ(planned(on, {.device = "GPU-1"}, vulkan), "(worker-pc)");
  EXPECT_EQ(planned(on, {.backend = Backend::vulkan}, vulkan), "(worker-pc)");
  EXPECT_EQ(planned(on, {.backend = Backend::cuda}, vulkan), "worker-pc over to cuda");
  EXPECT_EQ(planned(on, {.backend = Backend::cuda, .name = "worker-pc"}, vulkan), "worker-pc over to cuda");
  EXPECT_EQ(planned(on, {.backend = Backend::cuda, .name = "other"}, vulkan), "name_taken");
  EXPECT_EQ(planned(on, {.backend = Backend::rocm}, vulkan), "backend_unusable");
  const Machine two = machine({card("GPU-1"), card("GPU-2"), cpu()});
  EXPECT_EQ(planned(two, {.backend = Backend::cuda}, vulkan),
            "worker-pc-2 cuda GPU-2; worker-pc over to cuda");
}

TEST(PlanDeploy, NamesGoOnWhereTheyAreTaken) {
  const std::vector<WorkerSpec> there = {{.name = "worker-pc", .backend = Backend::cpu, .device_id = "cpu"}};
  EXPECT_EQ(planned(machine({cpu(), llvmpipe()}), {.backend = Backend::vulkan}, there),
            "worker-pc-2 vulkan vulkan-llvmpipe");
}

TEST(PlanDeploy, TheNameOfAWorkerIsOneWhateverItsHiveIsCalled) {
  const Machine two = machine({card("GPU-1"), card("GPU-2")});
  const Result<DeployPlan> plan = plan_deploy(two, std::string(128, 'h'), {}, {});
  ASSERT_TRUE(plan) << plan.error().message;
  for (const WorkerSpec& worker : plan->create) EXPECT_TRUE(check_name(worker.name)) << worker.name;
  EXPECT_NE(plan->create.at(0).name, plan->create.at(1).name);
  EXPECT_FALSE(plan_deploy(two, "a b", {}, {}));
  // Also where no worker is made.
  const WorkerSpec there{.name = "worker-pc", .backend = Backend::cpu, .device_id = "cpu"};
  EXPECT_EQ(planned(machine({cpu()}), {.name = "a b"}, {there}), "bad_request");
  // It is one, but for the second worker's number.
  EXPECT_EQ(planned(two, {.name = std::string(128, 'n')}), "bad_request");
}

TEST(PlanDeploy, AGivenNameThatIsTakenIsAnError) {
  const std::vector<WorkerSpec> there = {{.name = "a", .backend = Backend::cpu, .device_id = "cpu"}};
  EXPECT_EQ(planned(machine({cpu(), llvmpipe()}), {.backend = Backend::vulkan, .name = "a"}, there),
            "name_taken");
  EXPECT_EQ(planned(machine({cpu(), llvmpipe()}), {.backend = Backend::vulkan, .name = "b"}, there),
            "b vulkan vulkan-llvmpipe");
}

TEST(PlanDeploy, AnUnusableBackendIsRefusedWithReasonAndCure) {
  const Result<DeployPlan> plan = plan_deploy(machine({cpu()}), "pc", {}, {.backend = Backend::rocm});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::backend_unusable);
  EXPECT_EQ(plan.error().message, "ROCm is not usable here: no AMD GPU (nothing under /sys/class/kfd).");
  EXPECT_EQ(plan.error().hint, "Add one.");
}

TEST(PlanDeploy, AnUnknownDeviceIsRefusedWithNearNames) {
  const Result<DeployPlan> plan = plan_deploy(machine({llvmpipe()}), "pc", {}, {.device = "vulkan-llvmpip"});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::unknown_name);
  EXPECT_NE(plan.error().hint.find("vulkan-llvmpipe"), std::string::npos);
}

TEST(PlanDeploy, ANameOfTwoDevicesIsRefused) {
  EXPECT_EQ(planned(machine({card("GPU-1"), card("GPU-2")}), {.device = "NVIDIA RTX 4090"}), "bad_request");
}

TEST(PlanDeploy, ADeviceIsNotDrivenThroughABackendItDoesNotHave) {
  EXPECT_EQ(planned(machine({cpu()}), {.backend = Backend::cuda, .device = "cpu"}), "backend_unusable");
}

TEST(PlanDeploy, OnlyCardsHaveMemoryOfTheirOwn) {
  EXPECT_EQ(pool_of(card("GPU-1")), "device GPU-1");
  EXPECT_EQ(pool_of(cpu()), "ram");
  EXPECT_EQ(pool_of(llvmpipe()), "ram");
  EXPECT_EQ(pool_of(device("x", "M2", DeviceKind::integrated, DeviceMemory::unified, {Backend::metal})),
            "ram");
}

TEST(PlanDeploy, SlotsAndContextAreTheWorkers) {
  const Result<DeployPlan> plan = plan_deploy(machine({cpu()}), "pc", {}, {.slots = 2, .context = 4096});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->create.at(0).slots, 2);
  EXPECT_EQ(plan->create.at(0).context, 4096U);
}

TEST(PlanDeploy, SeveralDevicesThatAreNamedTogetherAreOneWorker) {
  const Machine on = machine({card("GPU-1"), card("GPU-2"), llvmpipe(), cpu()});
  for (const char* named : {"GPU-2, GPU-1", "all"}) {
    const Result<DeployPlan> plan = plan_deploy(on, "pc", {}, {.device = named});
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_EQ(plan->create.size(), 1U);
    const WorkerSpec& worker = plan->create.front();
    EXPECT_EQ(worker.backend, Backend::cuda);
    ASSERT_EQ(worker.others.size(), 1U);
    EXPECT_NE(worker.device_id, worker.others.front().id);
    EXPECT_EQ(worker.others.front().pool, cat("device ", worker.others.front().id));
    // The same again is what is there already; one of them alone is another worker.
    const std::vector<WorkerSpec> there = plan->create;
    EXPECT_EQ(planned(on, {.device = named}, there), "(worker-pc)");
    EXPECT_EQ(planned(on, {.device = "GPU-1"}, there), "worker-pc-2 cuda GPU-1");
  }
}

TEST(PlanDeploy, WhatCannotShareAWorkerIsRefused) {
  const Machine on = machine({card("GPU-1"), card("GPU-2", {Backend::vulkan}), cpu()});
  EXPECT_EQ(planned(on, {.device = "GPU-1,GPU-2"}), "backend_unusable");
  EXPECT_EQ(planned(on, {.backend = Backend::vulkan, .device = "GPU-1,GPU-2"}), "worker-pc vulkan GPU-1");
  EXPECT_EQ(planned(on, {.device = "GPU-1,GPU-1"}), "bad_request");
  EXPECT_EQ(planned(on, {.device = "GPU-1,GPU-9"}), "unknown_name");
  EXPECT_EQ(planned(on, {.backend = Backend::vulkan, .device = "GPU-1,GPU-2", .memory_limit = 1}),
            "bad_request");
  EXPECT_EQ(planned(machine({cpu()}), {.device = "all"}), "backend_unusable");
}

}  // namespace
}  // namespace rbee::hive
