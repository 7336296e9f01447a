// Models that nobody has fetched yet: what their headers say, read over the web by ranges, for a plan of
// what would fit before a byte of their weights comes.
#pragma once

#include "model/gguf.h"
#include "model/hub.h"

#include <cstdint>
#include <string>
#include <vector>

namespace rbee::model {

struct RemoteQuant {
  std::string quant;
  std::uint64_t bytes = 0;  // of its files
  // False: the header is that of another quantization of the model, with its weights at this one's size.
  // Shapes, and with them cache and compute, are the same.
  bool exact = true;
  GgufHeader header;
  std::uint64_t projector_bytes = 0;  // of the file beside a vision model
};
struct RemoteModel {
  std::string name;
  std::vector<RemoteQuant> quants;  // the smallest first
};

// Reads one header, some 10 MB at most: of the quantization that the source names, else of the recommended
// one's file, and the others' sizes from the hub's list. Blocks. Fails as find_files(), get_range() and
// read_gguf().
[[nodiscard]] Result<RemoteModel> read_remote_model(const Source& source, const WebSettings& settings,
                                                    const KeepOn& keep_on);

// The header with its weights scaled to files of `bytes`, where its own take `own_bytes`. Pure.
[[nodiscard]] GgufHeader with_size(const GgufHeader& header, std::uint64_t own_bytes, std::uint64_t bytes);

}  // namespace rbee::model
