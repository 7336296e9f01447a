#include "hive/state_files.h"

#include "base/file.h"
#include "hive/test_folder.h"

#include <gtest/gtest.h>

namespace rbee::hive {
namespace {

Machine machine_with(std::string id, bool usable) {
  Device device;
  device.id = std::move(id);
  device.name = "NVIDIA RTX 4090";
  device.vram = 24;
  DeviceBackend backend;
  backend.backend = Backend::cuda;
  backend.usable = usable;
  backend.reason = "the driver is too old";
  device.backends = {backend};
  Machine machine;
  machine.devices = {device};
  return machine;
}

TEST(StateFiles, WorkersComeBackAsTheyWere) {
  WorkerSpec worker;
  worker.name = "worker-pc";
  worker.backend = Backend::vulkan;
  worker.device_id = "vulkan-llvmpipe";
  worker.device = "llvmpipe (LLVM 15)";
  worker.slots = 2;
  worker.context = 4096;
  worker.stopped = true;
  const auto read = parse_workers(workers_text(std::vector<WorkerSpec>{worker}));
  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 1U);
  const WorkerSpec& back = read->front();
  EXPECT_EQ(back.name, worker.name);
  EXPECT_EQ(back.backend, worker.backend);
  EXPECT_EQ(back.device_id, worker.device_id);
  EXPECT_EQ(back.device, worker.device);
  EXPECT_EQ(back.slots, 2);
  EXPECT_EQ(back.context, 4096U);
  EXPECT_TRUE(back.stopped);
}

TEST(StateFiles, AWorkersFileThatIsNoneIsAnError) {
  for (const char* text :
       {"", "{", R"({"workers": [{"name": "a"}]})",
        R"({"workers": [{"name": "../a", "backend": "CPU", "device_id": "cpu"}]})",
        R"({"workers": [{"name": "a", "backend": "Abacus", "device_id": "cpu"}]})",
        R"({"workers": [{"name": "a", "backend": "CPU", "device_id": "cpu", "slots": -1}]})"}) {
    EXPECT_FALSE(parse_workers(text)) << text;
  }
}

TEST(StateFiles, AFileThatCannotBeReadIsNamedWithTheWayOut) {
  const TestFolder folder;
  const std::filesystem::path file = folder.path() / workers_file;
  ASSERT_TRUE(read_workers(file)) << "there is none yet";
  ASSERT_TRUE(write_file(file, R"({"workers": [{"name": "a b", "backend": "CPU", "device_id": "cpu"}]})"));
  const Result<KeptWorkers> read = read_workers(file);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::bad_config);
  EXPECT_NE(read.error().message.find(file.string()), std::string::npos) << read.error().message;
  EXPECT_FALSE(read.error().hint.empty());
  ASSERT_TRUE(write_file(file, workers_text({}, true)));
  EXPECT_TRUE(read_workers(file)->all_drained);
}

TEST(StateFiles, AWorkerFindsItsDevice) {
  WorkerSpec worker;
  worker.backend = Backend::cuda;
  worker.device_id = "GPU-1";
  settle_worker(worker, machine_with("GPU-1", true));
  EXPECT_EQ(worker.gone_reason, "");
  EXPECT_EQ(worker.device, "NVIDIA RTX 4090");
  EXPECT_EQ(worker.vram, 24);
  EXPECT_EQ(worker.pool, "device GPU-1");
}

TEST(StateFiles, AWorkerWhoseDeviceIsGoneSaysSo) {
  WorkerSpec worker;
  worker.backend = Backend::cuda;
  worker.device_id = "GPU-2";
  settle_worker(worker, machine_with("GPU-1", true));
  EXPECT_EQ(worker.gone_reason, "this machine has no device 'GPU-2' now.");
  worker.device_id = "GPU-1";
  settle_worker(worker, machine_with("GPU-1", false));
  EXPECT_EQ(worker.gone_reason, "the driver is too old.");
  worker.backend = Backend::rocm;
  settle_worker(worker, machine_with("GPU-1", true));
  EXPECT_NE(worker.gone_reason, "");
}

TEST(StateFiles, AWorkerOfSeveralDevicesIsGoneWithAnyOfThem) {
  Machine machine = machine_with("GPU-1", true);
  machine.devices.push_back(machine_with("GPU-2", true).devices.front());
  WorkerSpec worker;
  worker.backend = Backend::cuda;
  worker.device_id = "GPU-1";
  worker.others = {{.id = "GPU-2"}};
  EXPECT_TRUE(has_device(worker, "GPU-2"));
  EXPECT_FALSE(has_device(worker, "GPU-3"));
  for (const std::string lost : {"GPU-1", "GPU-2"}) {
    settle_worker(worker, machine, {{lost, "it is on its bus no more"}});
    EXPECT_EQ(worker.gone_reason, "'NVIDIA RTX 4090' is gone: it is on its bus no more.");
  }
  settle_worker(worker, machine, {{"GPU-3", "it is on its bus no more"}});
  EXPECT_EQ(worker.gone_reason, "");
}

TEST(StateFiles, RecordsComeBackAsTheyWere) {
  const std::vector<EngineRecord> records = {{{4711, 123456}, "/s/run/a.sock"}, {{4712, 1}, "/s/run/b.sock"}};
  const std::vector<EngineRecord> back = parse_records(records_text(records));
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back.at(0).process, records.at(0).process);
  EXPECT_EQ(back.at(1).socket, "/s/run/b.sock");
}

TEST(StateFiles, ARecordThatIsDamagedNamesNoProcess) {
  for (const char* text : {"", "[]", R"({"engines": [{"pid": 1, "start_time": 5, "socket": "/a"}]})",
                           R"({"engines": [{"pid": -1, "start_time": 5, "socket": "/a"}]})",
                           R"({"engines": [{"pid": 77, "socket": "/a"}]})",
                           R"({"engines": [{"pid": 77, "start_time": 5, "socket": ""}]})"}) {
    EXPECT_TRUE(parse_records(text).empty()) << text;
  }
}

}  // namespace
}  // namespace rbee::hive
