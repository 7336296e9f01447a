// A drawing of a few lines, boxes and words, for plots: what `--plot` writes. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace rbee {

class SvgPage {
 public:
  SvgPage(double width, double height);
  // Its left end on the base line; or its right end.
  void label(double x, double y, std::string_view text);
  void label_before(double x, double y, std::string_view text);
  void line(std::pair<double, double> from, std::pair<double, double> to, std::string_view color);
  struct Box {
    double x = 0, y = 0, width = 0, height = 0;
  };
  // `hollow`: only its edge, dashed: what was not measured.
  void box(const Box& box, std::string_view color, bool hollow = false);
  void polyline(std::span<const std::pair<double, double>> points, std::string_view color);
  [[nodiscard]] std::string svg() const;

  // The n-th of ten that can be told apart, again and again.
  [[nodiscard]] static std::string_view color(std::size_t n);

 private:
  std::string text_;
};

// With what XML means by &, <, > and quotes written as text.
[[nodiscard]] std::string xml_text(std::string_view text);

}  // namespace rbee
