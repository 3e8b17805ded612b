// SPDX-License-Identifier: Apache-2.0
// Translates line by line: translate MODEL TASK < lines, e.g. TASK translation_en_to_fr
#include <iostream>

#include "parlance/pipelines/translation.hpp"

int main(int argc, char** argv) try {
  const parlance::pipelines::translation translate(argc > 1 ? argv[1] : "", {},
                                                   argc > 2 ? argv[2] : "translation");
  for (std::string line; std::getline(std::cin, line);)
    std::cout << translate(line, {}, {.long_input = true}).translation_text << std::endl;
} catch (const std::exception& e) {
  std::cerr << "error: " << e.what() << "\n";
  return 1;
}
