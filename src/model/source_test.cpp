#include "model/source.h"

#include "base/text.h"
#include "domain/model_name.h"

#include <gtest/gtest.h>

#include <random>

namespace rbee::model {
namespace {

// "canonical name=..." or the error's code.
std::string read(std::string_view asked, std::string_view quant = {}) {
  const Result<Source> source = parse_source(asked, quant, catalog());
  if (!source) return std::string(info(source.error().code).name);
  return cat(canonical(*source), " name=", source->name);
}

TEST(Source, ARepositoryOfTheHubHasOneNameHoweverItIsWritten) {
  const std::string one = "hf:bartowski/Phi-4-GGUF:Q4_K_M name=phi-4";
  for (const char* asked :
       {"hf:bartowski/Phi-4-GGUF", "hf.co/bartowski/Phi-4-GGUF:q4_k_m", "hf:bartowski/Phi-4-GGUF@Q4",
        "https://huggingface.co/bartowski/Phi-4-GGUF",
        "https://huggingface.co/bartowski/Phi-4-GGUF/tree/main", "huggingface.co/bartowski/Phi-4-GGUF/"}) {
    EXPECT_EQ(read(asked), one) << asked;
  }
  EXPECT_EQ(read("hf:o/r", "q8"), "hf:o/r:Q8_0 name=r");
  EXPECT_EQ(read("hf:o/r:Q5_K_M", "auto"), "hf:o/r:Q5_K_M name=r");
}

TEST(Source, AFileOfTheHubIsThatFile) {
  const std::string one = "hf:o/r/Tiny-Q8_0.gguf name=tiny";
  EXPECT_EQ(read("https://huggingface.co/o/r/resolve/main/Tiny-Q8_0.gguf?download=true"), one);
  EXPECT_EQ(read("https://hf.co/o/r/blob/main/Tiny-Q8_0.gguf"), one);
  EXPECT_EQ(read("hf:o/r/Tiny-Q8_0.gguf"), one);
  EXPECT_EQ(read("hf:o/r/sub/m-00001-of-00003.gguf"), "hf:o/r/sub/m-00001-of-00003.gguf name=m");
}

TEST(Source, TheCatalogLeadsToTheHub) {
  EXPECT_EQ(read("llama-3.1-70b-q4"),
            "hf:bartowski/Meta-Llama-3.1-70B-Instruct-GGUF:Q4_K_M name=llama-3.1-70b");
  EXPECT_EQ(read("mistral-7b@q8"), "hf:bartowski/Mistral-7B-Instruct-v0.3-GGUF:Q8_0 name=mistral-7b");
  EXPECT_EQ(read("gpt-oss"), "hf:ggml-org/gpt-oss-20b-GGUF:MXFP4 name=gpt-oss-20b");
  EXPECT_EQ(read("lama"), "unknown_model");
}

TEST(Source, ModelsOfOllamaHaveARegistryANamespaceAndATag) {
  EXPECT_EQ(read("ollama:llama3"), "ollama:library/llama3:latest name=llama3");
  EXPECT_EQ(read("ollama:library/llama3:8b"), "ollama:library/llama3:8b name=llama3-8b");
  EXPECT_EQ(read("ollama:me/my:x"), "ollama:me/my:x name=my-x");
  EXPECT_EQ(read("ollama:127.0.0.1:99/me/my:x"), "ollama:127.0.0.1:99/me/my:x name=my-x");
  EXPECT_EQ(read("ollama:a/b/c:x"), "bad_request");
}

TEST(Source, AUrlLosesWhatMakesNoDifference) {
  EXPECT_EQ(read("HTTPS://Example.COM:443/a/M-Q4_0.gguf#x"), "https://example.com/a/M-Q4_0.gguf name=m");
  EXPECT_EQ(read("http://127.0.0.1:8080/x.gguf"), "http://127.0.0.1:8080/x.gguf name=x");
  EXPECT_EQ(read("https://user:secret@example.com/x.gguf"), "bad_request");
  EXPECT_EQ(read("ftp://example.com/x.gguf"), "bad_request");
  EXPECT_EQ(read("file:///etc/passwd"), "bad_request");
}

TEST(Source, APathIsKnownByItsLook) {
  EXPECT_EQ(read("./m.gguf"), "./m.gguf name=m");
  EXPECT_EQ(read("/x/Tiny-Q4_K_M.gguf"), "/x/Tiny-Q4_K_M.gguf name=tiny");
  EXPECT_EQ(read("tiny-q8_0.gguf"), "tiny-q8_0.gguf name=tiny");
}

TEST(Source, WhatNamesNothingIsRefused) {
  using namespace std::string_literals;
  for (const std::string& asked :
       {""s, " "s, "hf:"s, "hf:o"s, "hf:../../etc"s, "hf:o/.."s, "hf:o/r/../x.gguf"s,
        "hf:o/r/resolve/../x.gguf"s, "hf:o/r\0x"s, "ollama:"s, "ollama:..:x"s, "ollama:a:../b"s, "https://"s,
        "hf:o/r:Q9_X"s, "hf:" + std::string(300, 'a') + "/r", std::string(3000, 'a')}) {
    EXPECT_EQ(read(asked), "bad_request") << asked;
  }
  EXPECT_EQ(read("a:b@c"), "unknown_model");
  EXPECT_EQ(read("\xF0\x9F\x90\x9D"), "unknown_model");
  EXPECT_EQ(read("hf:o/r", "q99"), "bad_request");
}

TEST(Source, AnyTextBecomesANameThatMayBeUsed) {
  std::mt19937 random(7);
  const std::string_view characters = "abcXYZ019._-:@/ \\%\xF0\x9F";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (std::size_t length = random() % 200; length > 0; --length)
      text += characters[random() % characters.size()];
    const std::string name = naming_of_file(text).name;
    const Result<void> good = check_name(name);
    EXPECT_TRUE(good) << text << " -> " << name;
  }
}

}  // namespace
}  // namespace rbee::model
