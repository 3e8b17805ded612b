// SPDX-License-Identifier: Apache-2.0
// Whole-model speed: a prompt of N tokens, then M greedy tokens. Prints one JSON line in the form
// of benchmarks/reference/llama_cpp.py, so that both can run in turn over the same file.
//   decode MODEL [threads] [prompt] [new] [batch] [runs] [weights] [native]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "parlance/generation/generate.hpp"
#include "parlance/models/auto.hpp"

using namespace parlance;

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) try {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  if (argc < 2)
    return std::puts("decode MODEL [threads] [prompt] [new] [batch] [runs] [weights] [native]"), 2;
  const int threads = number(2, 2), prompt = number(3, 512), fresh = number(4, 128);
  const int batch = number(5, 1), runs = number(6, 3);
  set_num_threads(threads);
  io::load_options options;
  if (argc > 7) options.weights = parse_format(argv[7]);
  if (argc > 8) options.compute = io::precision::native;
  const auto begin = std::chrono::steady_clock::now();
  const auto model = models::causal_lm_from_pretrained(argv[1], options);
  const double load = seconds_since(begin);

  std::vector<std::vector<std::int32_t>> prompts;
  for (int b = 0; b < batch; ++b) {
    prompts.emplace_back();
    for (int i = 0; i < prompt; ++i)
      prompts.back().push_back((i * 7919 + b * 104729 + 11) % 40000 + 100);
  }
  generation::generation_config call;
  call.max_new_tokens = fresh;
  const auto config = generation::resolve(call);
  std::vector<double> prompt_speed, decode_speed;
  std::vector<std::int32_t> first;
  double first_token = 0;
  for (int r = 0; r < runs; ++r) {
    generation::timing t;
    generation::generate_hooks hooks;
    hooks.measured = &t;
    const auto out = generation::generate(*model, prompts, config, hooks);
    if (r == 0) {
      first = out[0].ids;
      first_token = t.prompt_seconds;
    }
    if (out[0].ids != first) throw error("result", "two runs disagree");
    prompt_speed.push_back(t.prompt_tokens_per_second());
    decode_speed.push_back(t.decode_tokens_per_second());
  }
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  std::string ids;
  for (std::size_t i = 0; i < std::min<std::size_t>(first.size(), 16); ++i)
    ids += (i ? ", " : "") + std::to_string(first[i]);
  std::printf(
      "{\"engine\": \"parlance\", \"threads\": %d, \"prompt\": %d, \"new\": %d, \"batch\": %d, "
      "\"prompt_tokens_per_s\": %.1f, \"decode_tokens_per_s\": %.1f, \"load_s\": %.3f, "
      "\"first_token_s\": %.3f, \"peak_mb\": %.1f, \"ids\": [%s]}\n",
      threads, prompt, fresh, batch, median(prompt_speed), median(decode_speed), load,
      load + first_token, static_cast<double>(use.ru_maxrss) / 1024, ids.c_str());
  return 0;
} catch (const error& e) {
  std::fprintf(stderr, "error: %s: %s\n", e.kind().c_str(), e.what());
  return 1;
}
