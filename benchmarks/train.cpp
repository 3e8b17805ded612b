// SPDX-License-Identifier: Apache-2.0
// Fine-tuning speed: AdamW on all weights in f32, random ids, as benchmarks/reference/pytorch.py
// --mode train. Prints one JSON line.
//   train MODEL_DIR [threads] [batch] [length] [steps]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "parlance/core/random.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/training/adamw.hpp"

using namespace parlance;

int main(int argc, char** argv) try {
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  if (argc < 2) return std::puts("train MODEL_DIR [threads] [batch] [length] [steps]"), 2;
  const int threads = number(2, 2), batch = number(3, 4), length = number(4, 256);
  const int steps = number(5, 5);
  set_num_threads(threads);
  io::load_options options;
  options.weights = format::f32;
  const auto model = models::causal_lm_from_pretrained(argv[1], options);
  nn::unfreeze<float>(*model);
  training::adamw optimizer(*model, {.learning_rate = 1e-5});

  rng draw(1, 1);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(batch * length)), labels(ids.size());
  for (auto& id : ids) id = static_cast<std::int32_t>(draw.below(40000)) + 100;
  for (std::size_t i = 0; i < ids.size(); ++i)
    labels[i] = (i + 1) % static_cast<std::size_t>(length) ? ids[i + 1] : ops::ignore_index;
  std::vector<double> seconds;
  float first = 0, last = 0;
  for (int step = 0; step <= steps; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    models::decoder_input in;
    in.ids = ids;
    in.batch = batch;
    tensor<float> loss = model->loss(in, labels);
    last = loss.item();
    if (step == 0) first = last;
    autograd::backward(loss);
    optimizer.step(training::clip_grad_norm(*model, 1.0).scale);
    optimizer.zero_grad();
    if (step)
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  if (!(last < first)) throw error("result", "the loss did not fall on a repeated batch");
  std::sort(seconds.begin(), seconds.end());
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  std::printf(
      "{\"engine\": \"parlance\", \"threads\": %d, \"batch\": %d, \"length\": %d, "
      "\"tokens_per_s\": %.1f, \"loss\": [%.4f, %.4f], \"peak_mb\": %.1f}\n",
      threads, batch, length, batch * length / seconds[seconds.size() / 2],
      static_cast<double>(first), static_cast<double>(last),
      static_cast<double>(use.ru_maxrss) / 1024);
  return 0;
} catch (const error& e) {
  std::fprintf(stderr, "error: %s: %s\n", e.kind().c_str(), e.what());
  return 1;
}
