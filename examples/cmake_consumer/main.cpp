// SPDX-License-Identifier: Apache-2.0
// A project of its own that uses the installed library: consumer MODEL PROMPT
#include <cstdio>

#include "parlance/pipelines/text_generation.hpp"

int main(int argc, char** argv) {
  if (argc < 3) return std::puts("consumer MODEL PROMPT"), 2;
  auto generate = parlance::pipeline<"text-generation">(argv[1]);
  std::puts(generate(argv[2], {.max_new_tokens = 16, .do_sample = false}).generated_text.c_str());
}
