// GGUF headers: whatever comes, a header that agrees with the file's size or an error with a sentence;
// and from any header a memory estimate that is finite.
#include <cstdlib>
#include <utility>

#include "model/fit.h"
#include "model/gguf.h"
#include "model/memory.h"

using namespace rbee;

namespace {

class TextSource final : public model::ByteSource {
 public:
  explicit TextSource(std::string_view text) : text_(text) {}
  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t size() const override { return text_.size(); }
  [[nodiscard]] Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    if (offset > text_.size() || size > text_.size() - offset)
      std::abort();  // the reader asks within the file
    return std::string(text_.substr(offset, size));
  }

 private:
  std::string_view text_;
  std::string name_ = "fuzz.gguf";
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const TextSource source({reinterpret_cast<const char*>(data), size});
  const Result<model::GgufHeader> header = model::read_gguf(source);
  if (!header) {
    if (header.error().message.empty()) std::abort();
    return 0;
  }
  if (header->tensor_bytes > size) std::abort();
  for (const auto& [backend, layers] :
       {std::pair(Backend::cpu, 0u), {Backend::vulkan, 99'999u}, {Backend::cuda, 2u}}) {
    const model::MemoryPlan plan{.context = 4096, .slots = 4, .backend = backend, .gpu_layers = layers};
    const model::Need need = model::memory_need(*header, plan);
    constexpr std::uint64_t absurd = 1ull << 62;  // a sum that wrapped around would pass for a fit
    if (need.host.total() > absurd || need.device.total() > absurd) std::abort();
  }
  const model::Room room{.backend = Backend::cuda, .device = 1u << 30, .host = 1u << 30};
  const model::Fit fit = model::fit_model(*header, {}, room);
  if (fit.fits != model::Fits::no && fit.need.device.total() > room.device) std::abort();
  return 0;
}
