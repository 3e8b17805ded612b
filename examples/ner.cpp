// SPDX-License-Identifier: Apache-2.0
// ner MODEL < lines of text
#include <iostream>
#include <parlance/pipelines/token_classification.hpp>

int main(int argc, char** argv) try {
  if (argc < 2) return std::cerr << "ner MODEL\n", 2;
  const auto tag = parlance::pipeline<"ner">(argv[1]);
  const auto simple = parlance::pipelines::aggregation_strategy::simple;
  for (std::string line; std::getline(std::cin, line);)
    for (const auto& e : tag(line, {.aggregation_strategy = simple}))
      std::cout << e.label << '\t' << e.word << '\n';
} catch (const std::exception& e) {
  return std::cerr << "error: " << e.what() << '\n', 1;
}
