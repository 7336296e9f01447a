#include "device/nvml_watch.h"

#include "base/text.h"
#include "device/nvml_calls.h"

#include <algorithm>
#include <utility>

namespace rbee::device {
namespace {

constexpr std::uint32_t most_cards = 256;
constexpr std::uint32_t most_partitions = 64;

// The card itself is the trouble, and nothing computes on it any more.
bool is_gone(int code) { return code == nvml::lost || code == nvml::reset_required; }

bool is_busy(const GpuFigures& seen) {
  return seen.load_percent.value_or(0) > 0 || seen.vram_used.value_or(0) > most_idle_bytes;
}

}  // namespace

NvmlWatch::NvmlWatch(LibraryPlaces places) : places_(std::move(places)) { find_cards(); }
NvmlWatch::~NvmlWatch() { close(); }

// By the kernel's files alone: to ask NVML for them would wake those that sleep.
void NvmlWatch::find_cards() {
  const std::string folder = "/sys/bus/pci/devices";
  for (const std::string& name : places_.files.list(folder)) {
    const std::string path = cat(folder, "/", name);
    if (places_.files.word(cat(path, "/vendor")) != "0x10de") continue;
    if (!places_.files.word(cat(path, "/class")).value_or("").starts_with("0x03")) continue;
    if (places_.files.link_name(cat(path, "/driver")) != "nvidia") continue;
    cards_.push_back({.pci = name, .folder = path});
  }
  on_pci_ = !cards_.empty();
}

Asking NvmlWatch::asking(Card& card, Instant now) const {
  if (!on_pci_) return Asking::ask;
  const RootedFiles& files = places_.files;
  return card.rest.at(now, files.word(cat(card.folder, "/power/control")).value_or(""),
                      files.word(cat(card.folder, "/power/runtime_status")).value_or(""));
}

bool NvmlWatch::open() {
  failure_ = "libnvidia-ml.so.1 is not there";
  for (const std::string& path : library_candidates(places_, "libnvidia-ml.so.1")) {
    auto library = std::make_unique<Library>(path);
    if (!library->is_open()) continue;
    any_loaded_ = true;
    const int code = Nvml(*library).call<nvml::Init>("nvmlInit_v2");
    if (code != nvml::ok) {
      failure_ = nvml_code_text(code);
      continue;
    }
    library_ = std::move(library);
    failure_.clear();
    break;
  }
  if (!library_) return false;
  if (on_pci_) return true;
  std::uint32_t count = 0;
  (void)Nvml(*library_).call<nvml::Count>("nvmlDeviceGetCount_v2", &count);
  cards_.resize(std::min(count, most_cards));
  return true;
}

void NvmlWatch::close() {
  if (!library_) return;
  (void)Nvml(*library_).call<nvml::Shutdown>("nvmlShutdown");
  library_.reset();
  for (Card& card : cards_) {
    card.handle = nullptr;
    card.parts.clear();
  }
}

// By address only that card is woken; by number NVML may look at others too.
int NvmlWatch::take_handle(Card& card) const {
  const Nvml api(*library_);
  if (on_pci_)
    return api.call<nvml::HandleByPci>("nvmlDeviceGetHandleByPciBusId_v2", card.pci.c_str(), &card.handle);
  const auto index = static_cast<std::uint32_t>(&card - cards_.data());
  const int code = api.call<nvml::HandleByIndex>("nvmlDeviceGetHandleByIndex_v2", index, &card.handle);
  if (code == nvml::ok) card.pci = pci_of(api, card.handle);
  return code;
}

void NvmlWatch::find_parts(Card& card) const {
  const Nvml api(*library_);
  std::uint32_t now = 0;
  std::uint32_t later = 0;
  const bool cut =
      api.call<nvml::GetMigMode>("nvmlDeviceGetMigMode", card.handle, &now, &later) == nvml::ok && now == 1;
  const std::uint32_t slots =
      cut ? api.device_number("nvmlDeviceGetMaxMigDeviceCount", card.handle).value_or(0) : 0;
  for (std::uint32_t slot = 0; slot < std::min(slots, most_partitions); ++slot) {
    Part part;
    const int code =
        api.call<nvml::GetMigHandle>("nvmlDeviceGetMigDeviceHandleByIndex", card.handle, slot, &part.handle);
    if (code != nvml::ok) continue;  // slots have holes
    part.uuid = api.device_text("nvmlDeviceGetUUID", part.handle);
    card.parts.push_back(std::move(part));
  }
  if (!card.parts.empty()) return;
  card.parts.push_back({.handle = card.handle, .uuid = api.device_text("nvmlDeviceGetUUID", card.handle)});
}

int NvmlWatch::ask_part(const Part& part, const Card& card, GpuFigures& seen) const {
  const Nvml api(*library_);
  NvmlDevice found;
  seen.uuid = part.uuid;
  seen.pci = card.pci;
  const int code = read_memory(api, part.handle, found);
  if (is_gone(code)) return code;
  // Partitions have no sensors of their own.
  read_sensors(api, card.handle, found);
  if (found.total && found.free) {
    seen.vram_total = *found.total;
    seen.vram_used = *found.total - *found.free;
  }
  if (found.load_percent && part.handle == card.handle) seen.load_percent = *found.load_percent;
  if (found.temperature_c) seen.temperature_c = *found.temperature_c;
  if (found.power_mw && part.handle == card.handle)
    seen.power_w = static_cast<double>(*found.power_mw) / 1000;
  // That it has no memory of its own to tell of is an answer.
  return code == nvml::ok || code == nvml::not_supported || found.temperature_c ? nvml::ok : code;
}

void NvmlWatch::ask(Card& card, Instant now) {
  int code = card.handle == nullptr ? take_handle(card) : nvml::ok;
  if (code == nvml::ok && card.parts.empty()) find_parts(card);
  std::vector<GpuFigures> seen;
  bool busy = false;
  for (const Part& part : card.parts) {
    if (code != nvml::ok) break;
    code = ask_part(part, card, seen.emplace_back());
    busy = busy || is_busy(seen.back());
  }
  if (code != nvml::ok) {
    // Of each part that was known: who it was is what the figures are about.
    if (card.last.empty()) card.last.push_back({.uuid = {}, .pci = card.pci});
    for (GpuFigures& last : card.last) {
      GpuFigures nothing{.uuid = last.uuid, .pci = last.pci};
      (is_gone(code) ? nothing.gone : nothing.trouble) = nvml_code_text(code);
      last = std::move(nothing);
    }
    card.handle = nullptr;
    card.parts.clear();
    return;
  }
  card.last = std::move(seen);
  card.rest.saw(now, busy);
}

void NvmlWatch::look(Instant now, Figures& figures) {
  std::vector<Asking> wishes;
  bool any = false;
  bool lets_go = false;  // of a card that is to fall asleep
  for (Card& card : cards_) {
    wishes.push_back(asking(card, now));
    any = any || wishes.back() == Asking::ask;
    lets_go = lets_go || (wishes.back() != Asking::ask && card.handle != nullptr);
  }
  if (lets_go) close();
  if (!library_ && (any || !on_pci_)) {
    const bool tries = !failed_at_ || now - *failed_at_ >= between_tries;
    if (tries) failed_at_ = open() ? std::nullopt : std::optional(now);
    wishes.resize(cards_.size(), Asking::ask);  // of those that only NVML lists
  }
  // A machine without NVIDIA's library has nothing that fails.
  if (failed_at_ && (on_pci_ || any_loaded_)) figures.nvml_failure = failure_;
  for (std::size_t i = 0; i < cards_.size(); ++i) {
    Card& card = cards_[i];
    if (on_pci_ && !places_.files.exists(card.folder)) {
      for (GpuFigures& last : card.last)
        last = {.uuid = last.uuid, .pci = last.pci, .gone = "it is not on its PCI bus any more"};
    } else if (wishes[i] == Asking::asleep) {
      for (GpuFigures& last : card.last) last = {.uuid = last.uuid, .pci = last.pci, .asleep = true};
      if (card.last.empty()) card.last.push_back({.pci = card.pci, .asleep = true});
    } else if (wishes[i] == Asking::ask && library_) {
      ask(card, now);
    }
    figures.gpus.insert(figures.gpus.end(), card.last.begin(), card.last.end());
  }
}

}  // namespace rbee::device
