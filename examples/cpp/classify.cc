// Classifies a picture with an exported .tflite file: labels and preprocessing come from the file itself.
//
//   classify mobilenetv4_conv_small_fp32.tflite photo.ppm
//
// prints every label with its probability, the best first. LiteRT runs the network, float32 or int8.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "card.h"
#include "litert.h"
#include "picture.h"

namespace {

void check(LiteRtStatus status, const char* what) {
  if (status != 0) throw std::runtime_error(std::string(what) + " failed with LiteRT's status " + std::to_string(status));
}

size_t count(const LiteRtTensorType& type) {
  size_t numbers = 1;
  for (uint32_t i = 0; i < (type.rank & 127); i++) numbers *= type.sides[i];
  return numbers;
}

// A buffer for a tensor of the network, of float32 or, for pixels, of bytes.
struct Buffer {
  LiteRtTensorBuffer handle = nullptr;
  size_t size = 0;
  bool bytes = false;

  Buffer(LiteRtEnvironment environment, LiteRtTensor tensor) {
    LiteRtTensorType type{};
    check(LiteRtGetRankedTensorType(tensor, &type), "reading a shape");
    bytes = type.element == kBytes;
    if (!bytes && type.element != kFloat32) throw std::runtime_error("the file takes or gives neither float32 nor bytes");
    size = count(type);
    const size_t room = size * (bytes ? 1 : sizeof(float));
    check(LiteRtCreateManagedTensorBuffer(environment, kInHostMemory, &type, room, &handle), "a buffer");
  }
  ~Buffer() { LiteRtDestroyTensorBuffer(handle); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void write(const std::vector<float>& values) {
    if (values.size() != size) throw std::runtime_error("the picture has another size than the network");
    void* memory = nullptr;
    check(LiteRtLockTensorBuffer(handle, &memory, kToWrite), "writing");
    if (bytes)
      std::copy(values.begin(), values.end(), static_cast<uint8_t*>(memory));
    else
      std::memcpy(memory, values.data(), size * sizeof(float));
    check(LiteRtUnlockTensorBuffer(handle), "writing");
  }

  std::vector<float> read() {
    void* memory = nullptr;
    std::vector<float> values(size);
    check(LiteRtLockTensorBuffer(handle, &memory, kToRead), "reading");
    std::memcpy(values.data(), memory, size * sizeof(float));
    check(LiteRtUnlockTensorBuffer(handle), "reading");
    return values;
  }
};

std::vector<float> scores(const char* file, const std::vector<float>& picture) {
  LiteRtEnvironment environment = nullptr;
  LiteRtModel model = nullptr;
  LiteRtOptions options = nullptr;
  LiteRtCompiledModel compiled = nullptr;
  LiteRtSubgraph graph = nullptr;
  LiteRtTensor image = nullptr, output = nullptr;
  check(LiteRtCreateEnvironment(0, nullptr, &environment), "starting LiteRT");
  check(LiteRtCreateModelFromFile(environment, file, &model), "opening the file");
  check(LiteRtCreateOptions(&options), "options");
  check(LiteRtSetOptionsHardwareAccelerators(options, kOnCpu), "choosing the processor");
  check(LiteRtCreateCompiledModel(environment, model, options, &compiled), "preparing the network");
  check(LiteRtGetModelSubgraph(model, 0, &graph), "finding the network");
  check(LiteRtGetSubgraphInput(graph, 0, &image), "finding the input");
  check(LiteRtGetSubgraphOutput(graph, 0, &output), "finding the output");
  std::vector<float> found;
  {
    Buffer in(environment, image), out(environment, output);
    in.write(picture);
    check(LiteRtRunCompiledModel(compiled, 0, 1, &in.handle, 1, &out.handle), "running");
    found = out.read();
  }
  LiteRtDestroyCompiledModel(compiled);
  LiteRtDestroyOptions(options);
  LiteRtDestroyModel(model);
  LiteRtDestroyEnvironment(environment);
  return found;
}

std::vector<double> softmax(const std::vector<float>& scores) {
  const double most = *std::max_element(scores.begin(), scores.end());
  std::vector<double> shares;
  for (float score : scores) shares.push_back(std::exp(score - most));
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s FILE.tflite PICTURE.ppm\n", arguments[0]);
    return 2;
  }
  try {
    const Card card = read_card(arguments[1]);
    const auto picture = prepared(read_ppm(arguments[2]), card.preprocessing, card.pixels);
    const auto given = scores(arguments[1], picture);
    const auto shares = card.probabilities ? std::vector<double>(given.begin(), given.end()) : softmax(given);
    if (shares.size() != card.labels.size()) throw std::runtime_error("it gives another number of scores than it has labels");
    std::vector<size_t> order(shares.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return shares[a] > shares[b]; });
    for (size_t place : order) std::printf("%.6f %s\n", shares[place], card.labels[place].c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s: %s\n", arguments[1], error.what());
    return 1;
  }
}
