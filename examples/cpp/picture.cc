#include "picture.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <stdexcept>

namespace {

double bilinear(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

double bicubic(double x) {  // Keys' kernel with a = -0.5, which Pillow takes too
  x = std::abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return 0;
}

// One axis resized to `to` pixels, rounded to 8 bits as Pillow does between its two passes.
Picture resized_along(const Picture& in, bool across, int to, bool cubic) {
  const int from = across ? in.width : in.height;
  const double scale = double(from) / to, wide = std::max(scale, 1.0), reach = (cubic ? 2 : 1) * wide;
  Picture out;
  out.width = across ? to : in.width;
  out.height = across ? in.height : to;
  out.pixels.resize(size_t(out.width) * out.height * 3);
  for (int place = 0; place < to; place++) {
    const double center = (place + 0.5) * scale;
    const int first = std::max(0, int(center - reach + 0.5)), end = std::min(from, int(center + reach + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int i = first; i < end; i++) {
      weights.push_back(cubic ? bicubic((i + 0.5 - center) / wide) : bilinear((i + 0.5 - center) / wide));
      sum += weights.back();
    }
    const int lines = across ? in.height : in.width;
    for (int line = 0; line < lines; line++) {
      for (int color = 0; color < 3; color++) {
        double value = 0;
        for (int i = first; i < end; i++) {
          const int x = across ? i : line, y = across ? line : i;
          value += weights[i - first] * in.pixels[(size_t(y) * in.width + x) * 3 + color];
        }
        const int x = across ? place : line, y = across ? line : place;
        out.pixels[(size_t(y) * out.width + x) * 3 + color] = std::clamp(std::lround(value / sum), 0L, 255L);
      }
    }
  }
  return out;
}

}  // namespace

Picture read_ppm(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string kind;
  int most = 0;
  Picture picture;
  in >> kind >> picture.width >> picture.height >> most;
  in.get();  // the one white space before the pixels
  if (!in || kind != "P6" || most != 255 || picture.width < 1 || picture.height < 1)
    throw std::runtime_error(file + " is not a binary PPM file with 8 bits a color");
  picture.pixels.resize(size_t(picture.width) * picture.height * 3);
  if (!in.read(reinterpret_cast<char*>(picture.pixels.data()), picture.pixels.size()))
    throw std::runtime_error(file + " is cut short");
  return picture;
}

std::vector<float> prepared(const Picture& picture, const Preprocessing& how, bool pixels) {
  // The picture keeps its proportions and covers height and width, with the margin that the crop takes off.
  const int tall = std::nearbyint(how.height / how.crop), wide = std::nearbyint(how.width / how.crop);
  int height = tall, width = int(int64_t(tall) * picture.width / picture.height);
  if (int64_t(picture.width) * tall <= int64_t(picture.height) * wide) {
    height = int(int64_t(wide) * picture.height / picture.width);
    width = wide;
  }
  const Picture fit = resized_along(resized_along(picture, true, width, how.bicubic), false, height, how.bicubic);
  const int top = std::nearbyint((height - how.height) / 2.0), left = std::nearbyint((width - how.width) / 2.0);
  std::vector<float> values;
  values.reserve(size_t(how.height) * how.width * 3);
  for (int y = 0; y < how.height; y++)
    for (int x = 0; x < how.width; x++)
      for (int color = 0; color < 3; color++) {
        const float pixel = fit.pixels[(size_t(top + y) * width + left + x) * 3 + color];
        values.push_back(pixels ? pixel : (pixel / 255.0f - how.mean[color]) / how.std[color]);
      }
  return values;
}
