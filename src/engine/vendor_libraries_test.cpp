#include "engine/vendor_libraries.h"

#include "base/text.h"
#include "engine/test_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> cuda_13 = {"libcudart.so.13", "libcublas.so.13"};

TEST(VendorLibraries, AFolderThatHasThemAllComesBeforeOneThatHasSome) {
  TestFolder folder;
  put_file(folder / "half/libcudart.so.13", "");
  put_file(folder / "whole/libcudart.so.13", "");
  put_file(folder / "whole/libcublas.so.13", "");
  const VendorLibraries libraries =
      find_libraries(cuda_13, {(folder / "half").string(), (folder / "whole").string()});
  EXPECT_THAT(libraries.found,
              ElementsAre(folder / "whole/libcudart.so.13", folder / "whole/libcublas.so.13"));
  EXPECT_THAT(libraries.missing, IsEmpty());
}

TEST(VendorLibraries, PythonPackagesHaveEachInAFolderOfItsOwn) {
  TestFolder folder;
  put_file(folder / "cuda_runtime/lib/libcudart.so.13", "");
  put_file(folder / "cublas/lib/libcublas.so.13", "");
  const VendorLibraries libraries = find_libraries(
      cuda_13, {(folder / "cuda_runtime/lib").string(), "/none", (folder / "cublas/lib").string()});
  EXPECT_EQ(libraries.found.size(), 2u);
  EXPECT_THAT(libraries.missing, IsEmpty());
}

TEST(VendorLibraries, AnotherVersionIsNotIt) {
  TestFolder folder;
  put_file(folder / "libcudart.so.12", "");
  put_file(folder / "libcublas.so.12", "");
  EXPECT_THAT(find_libraries(cuda_13, {folder.path().string()}).missing,
              ElementsAre("libcudart.so.13", "libcublas.so.13"));
}

TEST(VendorLibraries, EnvironmentNamesFoldersBeforeTheUsualOnesAndRelativeOnesCountForNothing) {
  EXPECT_THAT(all_library_folders({"PATH=/bin", "LD_LIBRARY_PATH=/a::here:/b", "CUDA_HOME=/opt/cuda"},
                                  {"/usr/lib", "/b"}),
              ElementsAre("/a", "/b", "/opt/cuda/lib64", "/usr/lib"));
}

TEST(VendorLibraries, WhatIsLinkedStaysALinkToThisMachinesFile) {
  TestFolder folder;
  put_file(folder / "cuda/libcudart.so.13", "runtime");
  fs::create_directories(folder / "pack");
  put_file(folder / "pack/libcudart.so.13", "of a pack before");
  const VendorLibraries libraries = find_libraries({"libcudart.so.13"}, {(folder / "cuda").string()});
  ASSERT_TRUE(link_libraries(libraries, folder / "pack"));
  EXPECT_EQ(fs::read_symlink(folder / "pack/libcudart.so.13"), folder / "cuda/libcudart.so.13");
}

}  // namespace
}  // namespace rbee::engine
