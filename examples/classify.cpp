// SPDX-License-Identifier: Apache-2.0
// classify MODEL < lines of text
#include <iostream>
#include <parlance/pipelines/text_classification.hpp>

int main(int argc, char** argv) try {
  if (argc < 2) return std::cerr << "classify MODEL\n", 2;
  const auto classify = parlance::pipeline<"text-classification">(argv[1]);
  for (std::string line; std::getline(std::cin, line);)
    for (const auto& [label, score] : classify(line)) std::cout << label << ' ' << score << '\n';
} catch (const std::exception& e) {
  return std::cerr << "error: " << e.what() << '\n', 1;
}
