#include "engine/cuda_choice.h"

#include "engine/install_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::engine {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

const std::vector<std::string> of_13 = {"libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13"};
const std::vector<std::string> of_12 = {"libcudart.so.12", "libcublas.so.12", "libcublasLt.so.12"};

// "CUDA 13.1", "CUDA 12.4", "built", or the error's words.
std::string chosen(const CudaHere& here) {
  const Result<const CudaPlugin*> choice = choose_cuda(cuda_plugins, here);
  if (!choice) return choice.error().message;
  if (*choice == nullptr) return "built";
  return (*choice)->made_with == 13010 ? "CUDA 13.1" : "CUDA 12.4";
}

TEST(CudaChoice, CardsOfTheLastGenerationsNeedNoNewerDriverThanTheRuntime) {
  for (const int card : {86, 89, 120, 121})
    EXPECT_EQ(chosen({.capabilities = {card}, .driver = 13000, .libraries = of_13}), "CUDA 13.1") << card;
}

// Seen on an H100 (sm_90) with driver 580.159.04: the plug-in lists the card, and its first kernel fails.
TEST(CudaChoice, PtxThatIsNewerThanTheDriverIsNotTaken) {
  for (const int card : {75, 80, 90, 100}) {
    const CudaHere here{.capabilities = {card}, .driver = 13000, .libraries = of_13};
    EXPECT_THAT(chosen(here), HasSubstr("needs a driver of CUDA 13.1, and this one has 13.0")) << card;
    CudaHere newer = here;
    newer.driver = 13010;
    EXPECT_EQ(chosen(newer), "CUDA 13.1") << card;
  }
}

TEST(CudaChoice, OlderLibrariesBringOlderCardsAndDrivers) {
  EXPECT_EQ(chosen({.capabilities = {75}, .driver = 12080, .libraries = of_12}), "CUDA 12.4");
  EXPECT_EQ(chosen({.capabilities = {61}, .driver = 12080, .libraries = of_12}), "CUDA 12.4");
  EXPECT_EQ(chosen({.capabilities = {86}, .driver = 12020, .libraries = of_12}), "CUDA 12.4");
  EXPECT_THAT(chosen({.capabilities = {75}, .driver = 12020, .libraries = of_12}),
              HasSubstr("for sm_75 it needs a driver of CUDA 12.4, and this one has 12.2"));
  EXPECT_THAT(chosen({.capabilities = {86}, .driver = 11080, .libraries = of_12}),
              HasSubstr("the driver has CUDA 11.8, older than 12.0"));
}

TEST(CudaChoice, AnH100IsServedByThePtxOfItsElders) {
  CudaHere here{.capabilities = {90}, .driver = 13000, .libraries = of_12};
  here.libraries.insert(here.libraries.end(), of_13.begin(), of_13.end());
  EXPECT_EQ(chosen(here), "CUDA 12.4");
}

TEST(CudaChoice, EachCardOfTheMachineCounts) {
  EXPECT_THAT(chosen({.capabilities = {89, 75}, .driver = 13000, .libraries = of_13}),
              HasSubstr("for sm_75"));
}

TEST(CudaChoice, ACompilerMakesWhatIsNotReadyMade) {
  EXPECT_EQ(chosen({.capabilities = {90}, .driver = 13000, .libraries = of_13, .compiler = "/x/nvcc"}),
            "built");
  EXPECT_EQ(chosen({.capabilities = {89}, .driver = 13000, .libraries = of_13, .compiler = "/x/nvcc"}),
            "CUDA 13.1");
}

TEST(CudaChoice, DriverAloneIsToldWhatIsMissingAndTheWaysOut) {
  const Result<const CudaPlugin*> choice = choose_cuda(cuda_plugins, {.capabilities = {89}, .driver = 13000});
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, ErrorCode::unsupported);
  EXPECT_THAT(choice.error().message,
              HasSubstr("libcudart.so.13, libcublas.so.13, libcublasLt.so.13 is not"));
  EXPECT_THAT(choice.error().hint, HasSubstr("--backend vulkan"));
}

TEST(CudaChoice, WhereNothingIsKnownOfTheCardsTheLibrariesDecide) {
  EXPECT_EQ(chosen({.libraries = of_13}), "CUDA 13.1");
  EXPECT_EQ(chosen({.libraries = of_12}), "CUDA 12.4");
}

TEST(CudaChoice, WhatIsBuiltIsBuiltForTheCardsThatAreHere) {
  const CudaHere here{.capabilities = {90, 75, 90}, .driver = 13000, .compiler = "/opt/cuda/bin/nvcc"};
  const Result<PackPlan> plan = plan_pack(Backend::cuda, "Linux", "x86_64", {}, here);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->cmake_options, Contains("-DGGML_CUDA=ON"));
  EXPECT_THAT(plan->cmake_options, Contains("-DCMAKE_CUDA_ARCHITECTURES=75-real;90-real"));
  EXPECT_THAT(plan->cmake_options, Contains("-DCMAKE_CUDA_COMPILER=/opt/cuda/bin/nvcc"));
  EXPECT_NE(core_folder_name(*plan), core_folder_name(*plan_pack(Backend::cpu, "Linux", "x86_64")));
}

}  // namespace
}  // namespace rbee::engine
