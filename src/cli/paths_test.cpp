#include "cli/paths.h"

#include <gtest/gtest.h>

namespace rbee::cli {
namespace {

Environment with(std::vector<std::string> variables) {
  return Environment{.variables = std::move(variables)};
}

TEST(Paths, WithoutRbeeHomeTheXdgDefaultsHold) {
  const Result<Paths> got = find_paths(with({"HOME=/home/ann"}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->config_file, "/home/ann/.config/rbee/rbee.toml");
  EXPECT_EQ(got->script_file, "/home/ann/.config/rbee/routing.rhai");
  EXPECT_EQ(got->state, "/home/ann/.local/share/rbee");
  EXPECT_EQ(got->models, "/home/ann/.local/share/rbee/models");
  EXPECT_EQ(got->engines, "/home/ann/.cache/rbee/engines");
}

TEST(Paths, XdgVariablesAreRespectedWhereTheyAreAbsolute) {
  const Result<Paths> got = find_paths(
      with({"HOME=/home/ann", "XDG_CONFIG_HOME=/c", "XDG_DATA_HOME=/d", "XDG_CACHE_HOME=relative"}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->config_file, "/c/rbee/rbee.toml");
  EXPECT_EQ(got->lock, "/d/rbee/up.lock");
  EXPECT_EQ(got->engines, "/home/ann/.cache/rbee/engines");
}

TEST(Paths, RbeeHomeHoldsAllButTheEnginePacks) {
  const Result<Paths> got = find_paths(with({"HOME=/home/ann", "RBEE_HOME=/r/x/../h"}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->config_file, "/r/h/rbee.toml");
  EXPECT_EQ(got->hive_socket, "/r/h/hive/hive.sock");
  EXPECT_EQ(got->keeper_json, "/r/h/keeper.json");
  EXPECT_EQ(got->engines, "/home/ann/.cache/rbee/engines");
}

TEST(Paths, RbeeEnginesNamesThePacksFolderItself) {
  EXPECT_EQ(find_paths(with({"HOME=/home/ann", "RBEE_ENGINES=/e"}))->engines, "/e");
}

TEST(Paths, WithoutAnyHomeTheErrorSaysWhatToSet) {
  const Result<Paths> got = find_paths(with({"RBEE_HOME=/r", "HOME="}));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::bad_config);
  EXPECT_TRUE(find_paths(with({"RBEE_HOME=/r", "RBEE_ENGINES=/e"})));
}

TEST(Environment, AnEmptyVariableIsNone) {
  const Environment environment = with({"A=", "B=x=y", "BC=z"});
  EXPECT_EQ(environment.find("A"), std::nullopt);
  EXPECT_EQ(environment.find("B"), "x=y");
  EXPECT_EQ(environment.find("C"), std::nullopt);
}

TEST(Environment, AProgramIsFoundInThePathsAbsoluteFoldersOnly) {
  EXPECT_EQ(find_program(with({"PATH=bin:/nonexistent:/bin"}), "sh"), "/bin/sh");
  EXPECT_EQ(find_program(with({"PATH=/bin"}), "no-such-program-here"), std::nullopt);
  EXPECT_EQ(find_program(with({}), "sh"), std::nullopt);
}

}  // namespace
}  // namespace rbee::cli
