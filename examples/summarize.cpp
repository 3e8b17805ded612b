// SPDX-License-Identifier: Apache-2.0
// Summarizes what it reads: summarize MODEL < text
#include <iostream>
#include <iterator>

#include "parlance/pipelines/summarization.hpp"

int main(int argc, char** argv) try {
  const auto summarize = parlance::pipeline<"summarization">(argc > 1 ? argv[1] : "");
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  std::cout << summarize(text, {.num_beams = 4}, {.long_input = true}).summary_text << "\n";
} catch (const std::exception& e) {
  std::cerr << "error: " << e.what() << "\n";
  return 1;
}
