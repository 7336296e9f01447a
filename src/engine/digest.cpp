#include "engine/digest.h"

#include "base/text.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

namespace rbee::engine {
namespace {

using Bytes = std::vector<unsigned char>;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
using Context = std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)>;

class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free) {
    ::EVP_DigestInit_ex(context_.get(), kind, nullptr);
  }
  void add(const void* data, std::size_t size) { ::EVP_DigestUpdate(context_.get(), data, size); }
  [[nodiscard]] Bytes finish() {
    Bytes bytes(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    ::EVP_DigestFinal_ex(context_.get(), bytes.data(), &size);
    bytes.resize(size);
    return bytes;
  }

 private:
  Context context_;
};

std::string hex(const Bytes& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string base64(const Bytes& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes.data(),
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Result<Bytes> digest_of_file(const std::filesystem::path& path, const EVP_MD* kind) {
  const File file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return io_error(cat("'", path.string(), "' cannot be opened"), errno);
  Digest digest(kind);
  std::vector<char> buffer(1u << 18);
  while (true) {
    const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
    digest.add(buffer.data(), got);
    if (got < buffer.size()) break;
  }
  if (std::ferror(file.get()) != 0) return io_error(cat("'", path.string(), "' cannot be read"), errno);
  return digest.finish();
}

}  // namespace

Result<std::string> sha256_of_file(const std::filesystem::path& file) {
  const Result<Bytes> digest = digest_of_file(file, ::EVP_sha256());
  if (!digest) return digest.error();
  return hex(*digest);
}

Result<std::string> sha512_base64_of_file(const std::filesystem::path& file) {
  const Result<Bytes> digest = digest_of_file(file, ::EVP_sha512());
  if (!digest) return digest.error();
  return base64(*digest);
}

std::string short_hash(std::string_view text) {
  Digest digest(::EVP_sha256());
  digest.add(text.data(), text.size());
  return hex(digest.finish()).substr(0, 8);
}

}  // namespace rbee::engine
