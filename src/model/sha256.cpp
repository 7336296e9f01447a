#include "model/sha256.h"

#include "base/text.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace rbee::model {

struct Sha256::Impl {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context{::EVP_MD_CTX_new(), ::EVP_MD_CTX_free};
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  ::EVP_DigestInit_ex(impl_->context.get(), ::EVP_sha256(), nullptr);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view bytes) {
  ::EVP_DigestUpdate(impl_->context.get(), bytes.data(), bytes.size());
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  ::EVP_DigestFinal_ex(impl_->context.get(), bytes.data(), &size);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += digits[bytes.at(i) >> 4];
    text += digits[bytes.at(i) & 15];
  }
  return text;
}

std::string sha256_of(std::string_view text) {
  Sha256 hash;
  hash.add(text);
  return hash.finish();
}

Result<std::string> sha256_of_file(const std::filesystem::path& path, const std::function<bool()>& keep_on,
                                   std::atomic<std::uint64_t>* done) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return io_error(cat("'", path.string(), "' cannot be opened"), errno);
  Sha256 hash;
  std::vector<char> buffer(1u << 20);
  while (true) {
    if (!keep_on()) {
      return Error{ErrorCode::cancelled,
                   cat("'", path.string(), "' was not read to its end: it was given up."), "Ask again."};
    }
    const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
    hash.add({buffer.data(), got});
    if (done != nullptr) *done += got;
    if (got < buffer.size()) break;
  }
  if (std::ferror(file.get()) != 0) return io_error(cat("'", path.string(), "' cannot be read"), errno);
  return hash.finish();
}

bool is_sha256(std::string_view text) {
  constexpr std::size_t digits = 64;
  return text.size() == digits &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace rbee::model
