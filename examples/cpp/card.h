// What an exported .tflite file says of itself: a zip archive behind the network holds labels.txt and metadata.json.
#pragma once

#include <string>
#include <vector>

#include "picture.h"

struct Card {
  std::vector<std::string> labels;
  Preprocessing preprocessing;
  bool pixels = false;         // it takes colors from 0 to 255, and normalizes them itself
  bool probabilities = false;  // it gives them, not scores
};

// The card of an exported file. Throws std::runtime_error if there is none.
Card read_card(const std::string& file);
