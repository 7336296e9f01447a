#include "cli/demo_model.h"

#include "base/file.h"

// Made by rbee_embed() in CMakeLists.txt.
extern "C" const char rbee_embedded_demo_model[];
extern "C" const char rbee_embedded_demo_model_end[];

namespace rbee::cli {

std::string_view demo_model_bytes() {
  return {rbee_embedded_demo_model,
          static_cast<std::size_t>(rbee_embedded_demo_model_end - rbee_embedded_demo_model)};
}

Result<std::string> write_demo_model(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "rbee-demo-q8_0.gguf";
  const std::string_view bytes = demo_model_bytes();
  const Result<std::string> there = read_file(file, bytes.size());
  if (there && *there == bytes) return file.string();
  const Result<void> made = make_folder(folder);
  if (!made) return made.error();
  const Result<void> written = write_file(file, bytes);
  if (!written) return written.error();
  return file.string();
}

}  // namespace rbee::cli
