#include "card.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace {

uint32_t number(const std::string& bytes, size_t at, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; i++) value |= uint32_t(uint8_t(bytes.at(at + i))) << (8 * i);
  return value;
}

// A member of the zip archive at the end of `bytes`. Ours are stored as they are, so nothing has to be unpacked.
std::string member(const std::string& bytes, const std::string& name) {
  const size_t end = bytes.rfind("PK\x05\x06");
  if (end == std::string::npos) throw std::runtime_error("no card in it: it was not exported by mobilevision");
  const uint32_t size = number(bytes, end + 12, 4), offset = number(bytes, end + 16, 4);
  const size_t start = end - size - offset;  // offsets may count from the archive or from the file
  size_t at = end - size;
  for (uint32_t left = number(bytes, end + 10, 2); left > 0; left--) {
    const uint32_t method = number(bytes, at + 10, 2), length = number(bytes, at + 20, 4);
    const uint32_t named = number(bytes, at + 28, 2);
    const size_t extra = number(bytes, at + 30, 2) + number(bytes, at + 32, 2);
    const size_t local = start + number(bytes, at + 42, 4);
    if (bytes.compare(at + 46, named, name) == 0) {
      if (method != 0) throw std::runtime_error(name + " is compressed");
      return bytes.substr(local + 30 + number(bytes, local + 26, 2) + number(bytes, local + 28, 2), length);
    }
    at += 46 + named + extra;
  }
  throw std::runtime_error("no " + name + " in it");
}

// Where the value of a key stands in JSON, behind its colon.
size_t value(const std::string& json, const std::string& key, size_t from = 0) {
  const size_t at = json.find('"' + key + '"', from);
  if (at == std::string::npos) throw std::runtime_error("its card does not tell " + key);
  return json.find(':', at) + 1;
}

std::vector<double> numbers(const std::string& json, const std::string& key, size_t from) {
  const size_t start = json.find('[', value(json, key, from)) + 1;
  std::string inside = json.substr(start, json.find(']', start) - start);
  for (char& each : inside)
    if (each == ',') each = ' ';
  std::istringstream words(inside);
  return {std::istream_iterator<double>(words), {}};
}

}  // namespace

Card read_card(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  Card card;
  std::istringstream lines(member(bytes, "labels.txt"));
  for (std::string line; std::getline(lines, line);) card.labels.push_back(line);

  const std::string json = member(bytes, "metadata.json");
  const size_t from = value(json, "preprocessing");
  const auto sides = numbers(json, "size", from), mean = numbers(json, "mean", from), std = numbers(json, "std", from);
  if (sides.size() != 2 || mean.size() != 3 || std.size() != 3)
    throw std::runtime_error("its preprocessing is not of color pictures");
  Preprocessing& how = card.preprocessing;
  how.height = int(sides[0]);
  how.width = int(sides[1]);
  how.mean.assign(mean.begin(), mean.end());
  how.std.assign(std.begin(), std.end());
  card.pixels = json.find("\"takes\": \"pixels\"") != std::string::npos;
  card.probabilities = json.find("\"gives\": \"probabilities\"") != std::string::npos;
  how.crop = std::strtod(json.c_str() + value(json, "crop", from), nullptr);
  how.bicubic = json.compare(json.find('"', value(json, "interpolation", from)), 9, "\"bicubic\"") == 0;
  return card;
}
