#include "model/abilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rbee::model {
namespace {

using testing::ElementsAre;

std::vector<std::string> abilities_by(std::string template_text) {
  GgufHeader header;
  header.architecture = "llama";
  header.metadata["tokenizer.chat_template"] = std::move(template_text);
  return abilities_of(header);
}

TEST(Abilities, AreWhatTheChatTemplateHasAPlaceFor) {
  EXPECT_THAT(abilities_by("{{ m.content }}"), ElementsAre("completion"));
  EXPECT_THAT(abilities_by("{% if tools %}"), ElementsAre("completion", "tools"));
  EXPECT_THAT(abilities_by("{% if message.tool_calls %}"), ElementsAre("completion", "tools"));
  EXPECT_THAT(abilities_by("{% if enable_thinking %}"), ElementsAre("completion", "thinking"));
  EXPECT_THAT(abilities_by("{{ tools }}<think>"), ElementsAre("completion", "tools", "thinking"));
}

TEST(Abilities, OfAModelForVectorsAreThose) {
  GgufHeader header;
  header.architecture = "bert";
  EXPECT_THAT(abilities_of(header), ElementsAre("completion"));
  header.metadata["bert.pooling_type"] = std::int64_t{1};
  EXPECT_THAT(abilities_of(header), ElementsAre("embedding"));
  header.metadata["bert.pooling_type"] = std::int64_t{4};
  EXPECT_THAT(abilities_of(header), ElementsAre("rerank"));
}

TEST(Abilities, OfAProjectorAreWhatItHasEncodersFor) {
  GgufHeader header;
  header.architecture = "clip";
  EXPECT_THAT(abilities_of_projector(header), ElementsAre("vision"));
  header.metadata["clip.has_vision_encoder"] = true;
  EXPECT_THAT(abilities_of_projector(header), ElementsAre("vision"));
  header.metadata["clip.has_audio_encoder"] = true;
  EXPECT_THAT(abilities_of_projector(header), ElementsAre("vision", "audio"));
  header.metadata["clip.has_vision_encoder"] = false;
  EXPECT_THAT(abilities_of_projector(header), ElementsAre("audio"));
  header.metadata.erase("clip.has_vision_encoder");
  EXPECT_THAT(abilities_of_projector(header), ElementsAre("audio"));
}

}  // namespace
}  // namespace rbee::model
