// SPDX-License-Identifier: Apache-2.0
// Forward passes of encoders: encoder FOLDER (a BERT such as all-MiniLM-L6-v2) and a BERT of base
// size with random weights. benchmarks/reference/encoders.py times the same ids in PyTorch and
// ONNX Runtime and prints the same numbers of the first vector.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench.hpp"
#include "parlance/models/sentence_encoder.hpp"

using namespace parlance;

namespace {

struct batch {
  std::string name;
  std::vector<std::int32_t> ids;
  std::vector<std::int64_t> lengths;

  models::encoder_input input() const { return {ids, {}, lengths, {}, {}}; }
};

batch make(const std::string& name, const std::vector<std::int64_t>& lengths) {
  batch b{name, {}, lengths};
  for (const std::int64_t n : lengths)
    for (std::int64_t i = 0; i < n; ++i)
      b.ids.push_back(static_cast<std::int32_t>(
          1000 + (static_cast<std::int64_t>(b.ids.size()) * 7919) % 20000));
  return b;
}

// Lengths as texts have them: many short, few long.
std::vector<std::int64_t> mixed() {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < 32; ++i) lengths.push_back(6 + (i * i * 37) % 23 + (i % 8 ? 0 : 90));
  return lengths;
}
batch padded(const batch& b) {
  const std::int64_t longest = *std::max_element(b.lengths.begin(), b.lengths.end());
  return make(b.name + ", padded", std::vector<std::int64_t>(b.lengths.size(), longest));
}

tensor<float> means(const models::encoder& m, const batch& b) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t n : b.lengths) offsets.push_back(offsets.back() + n);
  return ops::segment_mean(m.hidden(b.input()), offsets);
}

// Stops the program when the narrow model is not near the wide one or a batch differs from singles.
void verify(const models::encoder& wide, const models::encoder& narrow, const batch& b) {
  const tensor<float> expected = means(wide, b), got = means(narrow, b);
  double worst = 1;
  for (std::int64_t i = 0; i < got.rows(); ++i)
    worst = std::min(worst, models::cosine_similarity(got.row(i), expected.row(i), got.cols()));
  batch one{"", {}, {b.lengths[0]}};
  one.ids.assign(b.ids.begin(), b.ids.begin() + b.lengths[0]);
  const tensor<float> alone = means(wide, one);
  const bool same = std::memcmp(alone.data(), expected.data(),
                                sizeof(float) * static_cast<std::size_t>(alone.size())) == 0;
  std::printf("first vector %.6f %.6f %.6f; q8_0 against f32: lowest cosine %.6f%s\n",
              double{expected.data()[0]}, double{expected.data()[1]}, double{expected.data()[2]},
              worst, same ? "" : "; a batch DIFFERS from its sequences");
  if (worst < 0.999 || !same) std::exit(1);
}

void run(const models::encoder& m, const char* label, const batch& b) {
  for (const int threads : {1, 2}) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    const bench::timing t = bench::measure([&] { bench::keep(m.hidden(b.input())); }, 9, 0.1);
    std::printf("%-34s %-5s %d threads  %9.3f ms  (%.0f%% spread)  %8.0f rows/s\n", b.name.c_str(),
                label, threads, 1e3 * t.median, 100 * t.spread(),
                static_cast<double>(b.ids.size()) / t.median);
    std::fflush(stdout);
  }
}

void compare(const std::string& name, const models::opened_checkpoint& from, bool only_full) {
  models::encoder_load_options q8;
  q8.weights = format::q8_0;
  const auto wide = models::load_encoder(from), narrow = models::load_encoder(from, q8);
  const batch full = make(name + " 32 x 128", std::vector<std::int64_t>(32, 128));
  verify(*wide, *narrow, full);
  run(*wide, "f32", full), run(*narrow, "q8_0", full);
  if (only_full) return;
  const batch small = make(name + " 1 x 16", {16}), mix = make(name + " 32 mixed", mixed());
  run(*wide, "f32", small), run(*narrow, "q8_0", small);
  run(*wide, "f32", mix), run(*wide, "f32", padded(mix));
}

}  // namespace

int main(int argc, char** argv) {
  const autograd::no_grad off;
  if (argc > 1) compare("MiniLM-L6", models::open_checkpoint(argv[1]), false);
  const json config = {{"model_type", "bert"}};
  auto base = models::encoder_families().at("bert").make_encoder(config, false);
  nn::init<float>(*base, 1);
  const auto folder = std::filesystem::temp_directory_path() / "parlance_bench_bert_base";
  models::encoder_task_access::set(*base, config, {});
  base->save_pretrained(folder);
  compare("BERT-base", models::open_checkpoint(folder), true);
  std::filesystem::remove_all(folder);
}
