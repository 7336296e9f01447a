#include "domain/model_name.h"

#include <gtest/gtest.h>

#include "domain/backend.h"

namespace rbee {
namespace {

ModelFile llama_file() {
  ModelFile file;
  file.id = "llama-3.1-8b-q4_k_m";
  file.name = "llama-3.1-8b";
  file.quant = "Q4_K_M";
  return file;
}

TEST(ModelName, AFileAnswersToItsIdItsNameAndNameAtQuant) {
  for (const char* asked :
       {"llama-3.1-8b-q4_k_m", "llama-3.1-8b", "llama-3.1-8b@Q4_K_M", "LLAMA-3.1-8B@q4_k_m"}) {
    EXPECT_TRUE(answers_to(llama_file(), asked)) << asked;
  }
  for (const char* asked :
       {"", "llama", "llama-3.1-8b-q8_0", "llama-3.1-8b@Q8_0", "@Q4_K_M", "llama-3.1-8b@"}) {
    EXPECT_FALSE(answers_to(llama_file(), asked)) << asked;
  }
}

TEST(ModelName, ANameIsSafeInAPathAndInAUrl) {
  for (const std::string& good : {std::string("llama-3.1-8b"), std::string("a"), std::string("7b"),
                                  std::string("Owner.Model_1:tag@q8"), std::string(128, 'x')}) {
    EXPECT_TRUE(check_name(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("../x"), std::string("a..b"), std::string(".hidden"), std::string("-x"),
        std::string("a/b"), std::string("a b"), std::string("ä"), std::string("a\n"),
        std::string(129, 'x')}) {
    const Result<void> checked = check_name(bad);
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::bad_request);
    EXPECT_LT(checked.error().message.size(), 120u) << bad;
  }
}

TEST(BackendName, IsReadInAnyCaseAndOthersAreRefused) {
  for (const Backend backend : all_backends) EXPECT_EQ(*parse_backend(backend_name(backend)), backend);
  EXPECT_EQ(*parse_backend("CUDA"), Backend::cuda);
  EXPECT_EQ(*parse_backend("vulkan"), Backend::vulkan);
  const Result<Backend> other = parse_backend("tpu");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::bad_usage);
}

}  // namespace
}  // namespace rbee
