#include "base/svg.h"

#include "base/text.h"

#include <array>

namespace rbee {
namespace {

constexpr std::array<std::string_view, 10> colors = {"#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f",
                                                     "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#79706e"};

std::string at(std::string_view x_name, double x, std::string_view y_name, double y) {
  return cat(x_name, "=\"", fixed(x, 1), "\" ", y_name, "=\"", fixed(y, 1), "\"");
}

}  // namespace

std::string xml_text(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      default: safe += c;
    }
  }
  return safe;
}

SvgPage::SvgPage(double width, double height)
    : text_(cat("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", fixed(width, 0), "\" height=\"",
                fixed(height, 0), "\" font-family=\"sans-serif\" font-size=\"12\">\n",
                "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n")) {}

void SvgPage::label(double x, double y, std::string_view text) {
  text_ += cat("<text ", at("x", x, "y", y), ">", xml_text(text), "</text>\n");
}

void SvgPage::label_before(double x, double y, std::string_view text) {
  text_ += cat("<text ", at("x", x, "y", y), " text-anchor=\"end\">", xml_text(text), "</text>\n");
}

void SvgPage::line(std::pair<double, double> from, std::pair<double, double> to, std::string_view color) {
  text_ += cat("<line ", at("x1", from.first, "y1", from.second), " ", at("x2", to.first, "y2", to.second),
               " stroke=\"", color, "\"/>\n");
}

void SvgPage::box(const Box& box, std::string_view color, bool hollow) {
  const std::string look = hollow ? cat("fill=\"none\" stroke-dasharray=\"4 3\" stroke=\"", color, "\"")
                                  : cat("fill=\"", color, "\"");
  text_ += cat("<rect ", at("x", box.x, "y", box.y), " ", at("width", box.width, "height", box.height), " ",
               look, "/>\n");
}

void SvgPage::polyline(std::span<const std::pair<double, double>> points, std::string_view color) {
  text_ += cat("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"", color, "\" points=\"");
  for (const auto& [x, y] : points) text_ += cat(fixed(x, 1), ",", fixed(y, 1), " ");
  text_ += "\"/>\n";
}

std::string SvgPage::svg() const { return cat(text_, "</svg>\n"); }

std::string_view SvgPage::color(std::size_t n) { return colors[n % colors.size()]; }

}  // namespace rbee
