// Whether a model's files still are what they were.
#pragma once

#include "domain/report.h"

#include <atomic>
#include <functional>

namespace rbee::model {

// Reads all of it; `done` counts the bytes. The file with its checksum, or bad_model_file where that is
// another than the one that is known, or io_failed, or cancelled once `keep_on` says no.
[[nodiscard]] Result<ModelFile> verify(const ModelFile& file, const std::function<bool()>& keep_on,
                                       std::atomic<std::uint64_t>& done);

}  // namespace rbee::model
