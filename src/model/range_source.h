// A file that lies elsewhere, read in ranges: of a model of 40 GB its header costs some 10 MB.
#pragma once

#include "model/gguf.h"
#include "model/web.h"

#include <functional>
#include <memory>
#include <string>

namespace rbee::model {

// `size` bytes from `offset` on, or fewer where the answerer gives no more at once, never none.
using FetchRange = std::function<Result<std::string>(std::uint64_t offset, std::size_t size)>;

class RangeSource final : public ByteSource {
 public:
  // The first range is small; each next one is twice as large, since a header that goes on is a large one.
  static constexpr std::size_t first_range_bytes = 256u << 10;
  static constexpr std::size_t largest_range_bytes = 4u << 20;

  RangeSource(std::string name, std::uint64_t size, FetchRange fetch)
      : name_(std::move(name)), size_(size), fetch_(std::move(fetch)) {}

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Result<std::string> read(std::uint64_t offset, std::size_t size) const override;
  [[nodiscard]] std::uint64_t fetched_bytes() const { return fetched_bytes_; }

 private:
  [[nodiscard]] bool holds(std::uint64_t offset, std::size_t size) const;

  std::string name_;
  std::uint64_t size_;
  FetchRange fetch_;
  // What was fetched last. One reader at a time: a ByteSource is no one else's.
  mutable std::string window_;
  mutable std::uint64_t window_begin_ = 0;
  mutable std::size_t next_range_bytes_ = first_range_bytes;
  mutable std::uint64_t fetched_bytes_ = 0;
};

// Over the web, by the rules of downloads. Fails as get_range(); reads fail with bad_model_file where the
// file becomes another one meanwhile.
[[nodiscard]] Result<std::unique_ptr<ByteSource>> open_web_source(const std::string& url,
                                                                  const WebSettings& settings,
                                                                  const KeepOn& keep_on);

}  // namespace rbee::model
