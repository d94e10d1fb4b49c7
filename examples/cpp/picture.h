// A picture, and the steps that turn it into what the network saw while it was trained.
#pragma once

#include <string>
#include <vector>

struct Picture {
  int width = 0, height = 0;
  std::vector<unsigned char> pixels;  // red, green, blue; row by row
};

// The numbers that stand in the file's card under "preprocessing"; see mobilevision.data.preprocessing.
struct Preprocessing {
  int height = 0, width = 0;
  std::vector<float> mean, std;
  double crop = 1.0;       // share of the resized short side that the crop keeps
  bool bicubic = false;    // else bilinear; both antialiased
};

// A binary PPM file (P6, 8 bits a color). Throws std::runtime_error if it is not one.
Picture read_ppm(const std::string& file);

// Resized, cropped in the middle, scaled to 0..1 and normalized. Shape: height x width x 3, as LiteRT files take it.
std::vector<float> prepared(const Picture& picture, const Preprocessing& how, bool pixels);
