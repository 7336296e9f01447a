#include "base/svg.h"

#include <gtest/gtest.h>

namespace rbee {
namespace {

TEST(Svg, WritesNamesAsTextAndNotAsMarkup) {
  SvgPage page(100, 50);
  page.label(1, 2, "<b> & \"c\"");
  EXPECT_NE(page.svg().find("&lt;b&gt; &amp; &quot;c&quot;"), std::string::npos);
  EXPECT_EQ(page.svg().find("<b>"), std::string::npos);
}

TEST(Svg, IsAWholeDocument) {
  SvgPage page(100, 50);
  page.box({.x = 1, .y = 2, .width = 3, .height = 4}, SvgPage::color(0));
  page.box({.x = 1, .y = 2, .width = 3, .height = 4}, SvgPage::color(10), true);
  const std::string svg = page.svg();
  EXPECT_TRUE(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"50\""));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("<rect x=\"1.0\" y=\"2.0\" width=\"3.0\" height=\"4.0\" fill=\"#4e79a7\"/>"),
            std::string::npos);
  EXPECT_NE(svg.find("fill=\"none\" stroke-dasharray=\"4 3\" stroke=\"#4e79a7\""), std::string::npos);
}

}  // namespace
}  // namespace rbee
