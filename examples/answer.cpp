// SPDX-License-Identifier: Apache-2.0
// answer MODEL QUESTION < context
#include <iostream>
#include <iterator>
#include <parlance/pipelines/question_answering.hpp>

int main(int argc, char** argv) try {
  if (argc < 3) return std::cerr << "answer MODEL QUESTION\n", 2;
  const auto answer = parlance::pipeline<"question-answering">(argv[1]);
  const std::string context{std::istreambuf_iterator<char>(std::cin), {}};
  std::cout << answer(argv[2], context).text << '\n';
} catch (const std::exception& e) {
  return std::cerr << "error: " << e.what() << '\n', 1;
}
