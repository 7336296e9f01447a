// A model that a keeper brings piece by piece (uploads.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rbee::hive {

struct Upload {
  struct File {
    std::string sha256;
    std::uint64_t bytes = 0;
    std::filesystem::path part;
    std::filesystem::path blob;  // where it lies when it is whole and right
    std::uint64_t have = 0;
    bool writing = false;
  };
  std::string model;  // the id that it will have
  bool has_projector = false;
  std::vector<File> files;  // the projector last
};

}  // namespace rbee::hive
