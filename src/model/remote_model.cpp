#include "model/remote_model.h"

#include "model/model_parts.h"
#include "model/range_source.h"

#include <algorithm>
#include <utility>

namespace rbee::model {
namespace {

// The header of all parts of it, and how long its files are.
Result<std::pair<GgufHeader, std::uint64_t>> read_parts(const WantedModel& model, const WebSettings& settings,
                                                        const KeepOn& keep_on) {
  GgufHeader whole;
  std::uint64_t bytes = 0;
  for (const WantedFile& file : model.files) {
    const auto source = open_web_source(file.url, settings, keep_on);
    if (!source) return source.error();
    Result<GgufHeader> header = read_gguf(**source);
    if (!header) return header.error();
    bytes += (*source)->size();
    if (&file == &model.files.front())
      whole = std::move(*header);
    else
      append_part(whole, std::move(*header));
  }
  if (const Result<void> good = check_is_model(whole, model.files.front().url, model.files.size()); !good)
    return good.error();
  return std::pair(std::move(whole), bytes);
}

}  // namespace

GgufHeader with_size(const GgufHeader& header, std::uint64_t own_bytes, std::uint64_t bytes) {
  GgufHeader scaled = header;
  // What is not weights is metadata, which all quantizations share.
  const std::uint64_t metadata = own_bytes - std::min(own_bytes, header.tensor_bytes);
  const std::uint64_t weights = bytes - std::min(bytes, metadata);
  if (header.tensor_bytes == 0) return scaled;
  const double factor = static_cast<double>(weights) / static_cast<double>(header.tensor_bytes);
  scaled.tensor_bytes = weights;
  for (Tensor& tensor : scaled.tensors)
    tensor.bytes = static_cast<std::uint64_t>(static_cast<double>(tensor.bytes) * factor);
  return scaled;
}

Result<RemoteModel> read_remote_model(const Source& source, const WebSettings& settings,
                                      const KeepOn& keep_on) {
  const Result<std::vector<WantedModel>> found = find_quants(source, settings, keep_on);
  if (!found) return found.error();
  const auto recommended = std::ranges::find(*found, recommended_quant, &WantedModel::quant);
  const WantedModel& read = recommended == found->end() ? found->front() : *recommended;
  const auto parts = read_parts(read, settings, keep_on);
  if (!parts) return parts.error();
  const auto& [header, own_bytes] = *parts;
  RemoteModel model{.name = source.name, .quants = {}};
  for (const WantedModel& one : *found) {
    const bool exact = &one == &read;
    const std::uint64_t bytes = exact ? own_bytes : bytes_of(one);
    if (bytes == 0) continue;  // the hub does not say
    model.quants.push_back({.quant = one.quant.empty() ? header.quant : one.quant,
                            .bytes = bytes,
                            .exact = exact,
                            .header = exact ? header : with_size(header, own_bytes, bytes),
                            .projector_bytes = one.projector ? one.projector->bytes : 0});
  }
  return model;
}

}  // namespace rbee::model
