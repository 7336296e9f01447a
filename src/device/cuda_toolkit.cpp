#include "device/cuda_toolkit.h"

#include "base/text.h"
#include "device/library.h"

namespace rbee::device {
namespace {

void push_folders_of(const RootedFiles& files, std::string_view parent, std::string_view prefix,
                     std::string_view below, std::vector<std::string>& folders) {
  for (const std::string& name : files.list(parent)) {
    if (name.starts_with(prefix)) folders.push_back(cat(parent, "/", name, below));
  }
}

}  // namespace

std::vector<std::string> cuda_library_folders(const RootedFiles& files) {
  std::vector<std::string> folders = usual_library_folders(files);
  for (const std::string& name : files.list("/etc/ld.so.conf.d")) {
    const std::string text = files.text(cat("/etc/ld.so.conf.d/", name));
    for (const std::string_view line : split(text, '\n')) {
      if (line.starts_with('/')) folders.emplace_back(trim(line));
    }
  }
  push_folders_of(files, "/usr/local", "cuda", "/lib64", folders);
  push_folders_of(files, "/opt", "cuda", "/lib64", folders);
  push_folders_of(files, "/usr/local/cuda/targets", "", "/lib", folders);
  for (const char* prefix : {"/usr/lib", "/usr/local/lib"}) {
    for (const std::string& python : files.list(prefix)) {
      if (!python.starts_with("python3")) continue;
      for (const char* packages : {"/dist-packages/nvidia", "/site-packages/nvidia"})
        push_folders_of(files, cat(prefix, "/", python, packages), "", "/lib", folders);
    }
  }
  return folders;
}

std::vector<std::string> toolkits_of(const RootedFiles& files) {
  bool cublas = false;
  bool cudnn = false;
  for (const std::string& folder : cuda_library_folders(files)) {
    for (const std::string& name : files.list(folder)) {
      cublas = cublas || name.starts_with("libcublas.so.");
      cudnn = cudnn || name.starts_with("libcudnn.so.");
    }
  }
  std::vector<std::string> found;
  if (cublas) found.emplace_back("cuBLAS");
  if (cudnn) found.emplace_back("cuDNN");
  return found;
}

}  // namespace rbee::device
