// SPDX-License-Identifier: Apache-2.0
// Speed of encoder-decoders: a batch of sources, a forced number of target tokens, beams. Prints
// one JSON line in the form of benchmarks/reference/seq2seq.py, whose models, ids and order of
// sources it shares, so that results are compared before times are.
//   seq2seq MODEL [threads] [beams] [batch] [source] [new] [runs] [weights]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "parlance/generation/config_json.hpp"
#include "parlance/generation/generate.hpp"
#include "parlance/models/auto.hpp"

using namespace parlance;

int main(int argc, char** argv) try {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  if (argc < 2)
    return std::puts("seq2seq MODEL [threads] [beams] [batch] [source] [new] [runs] [weights]"), 2;
  const int threads = number(2, 2), beams = number(3, 1), batch = number(4, 1);
  const int length = number(5, 64), fresh = number(6, 64), runs = number(7, 5);
  set_num_threads(threads);
  io::load_options options;
  if (argc > 8) options.weights = parse_format(argv[8]);
  const auto model = models::seq2seq_lm_from_pretrained(argv[1], options);

  std::vector<std::vector<std::int32_t>> sources(static_cast<std::size_t>(batch));
  for (int b = 0; b < batch; ++b)
    for (int i = 0; i < length; ++i)
      sources[static_cast<std::size_t>(b)].push_back((i * 7919 + b * 104729 + 11) % 20000 + 100);
  generation::generation_config call;
  call.max_new_tokens = call.min_new_tokens = fresh;
  call.num_beams = beams;
  const auto config = generation::resolve(
      call,
      generation::config_from_file_json(model->generation_config(), "generation_config.json"));
  std::vector<double> seconds;
  generation::timing t;
  generation::generate_hooks hooks;
  hooks.measured = &t;
  std::vector<std::int32_t> first;
  for (int r = 0; r <= runs; ++r) {
    const auto begin = std::chrono::steady_clock::now();
    const auto out = generation::generate(*model, sources, config, hooks);
    if (r > 0)  // the first warms up
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (r == 0) first = out[0].ids;
    if (out[0].ids != first) throw error("result", "two runs disagree");
  }
  std::sort(seconds.begin(), seconds.end());
  std::string ids;
  for (std::size_t i = 0; i < std::min<std::size_t>(first.size(), 12); ++i)
    ids += (i ? ", " : "") + std::to_string(first[i]);
  std::printf(
      "{\"engine\": \"parlance\", \"weights\": \"%s\", \"threads\": %d, \"beams\": %d, \"batch\": "
      "%d, "
      "\"seconds\": %.4f, \"least\": %.4f, \"decode\": %.4f, \"ids\": [%s]}\n",
      argc > 8 ? argv[8] : "f32", threads, beams, batch, seconds[seconds.size() / 2], seconds[0],
      t.decode_seconds, ids.c_str());
  return 0;
} catch (const error& e) {
  std::fprintf(stderr, "error: %s: %s\n", e.kind().c_str(), e.what());
  return 1;
}
