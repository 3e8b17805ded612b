// SPDX-License-Identifier: Apache-2.0
// Tokenizing speed over a text file: ids only, with offsets, decoding, loading. Prints one JSON line
// in the form of benchmarks/reference/tokenizing.py, with a sum over the ids, so that results can be
// compared before speeds are.
//   tokenizer_speed TOKENIZER_FOLDER TEXT [threads] [runs]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "parlance/core/file.hpp"
#include "parlance/core/thread_pool.hpp"
#include "parlance/tokenizers/tokenizer.hpp"

using namespace parlance;

namespace {

// Median seconds of `runs` calls.
template <class F>
double seconds(int runs, F f) {
  std::vector<double> all;
  for (int i = 0; i < runs; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    all.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

// Lines gathered into documents of about 10,000 bytes.
std::vector<std::string> documents(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.size(), begin + 10000);
    while (end < text.size() && text[end - 1] != '\n') ++end;
    out.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return std::puts("tokenizer_speed TOKENIZER_FOLDER TEXT [threads] [runs]"), 2;
  const int threads = argc > 3 ? std::atoi(argv[3]) : 1, runs = argc > 4 ? std::atoi(argv[4]) : 5;
  set_num_threads(threads);
  const double load = seconds(runs, [&] { tokenizers::tokenizer::from_pretrained(argv[1]); });
  const tokenizers::tokenizer tok = tokenizers::tokenizer::from_pretrained(argv[1]);
  const std::string text = read_text(argv[2]);
  const auto texts = documents(text);
  const double megabytes = static_cast<double>(text.size()) * 1e-6;
  const tokenizers::encode_options plain{.add_special_tokens = false};

  std::vector<std::vector<std::int32_t>> ids(texts.size());
  const double encode = seconds(runs, [&] { ids = tok.encode_ids_batch(texts, plain); });
  const double offsets = seconds(runs, [&] { tok.encode_batch(texts, plain); });
  const double decode = seconds(runs, [&] {
    for (const auto& one : ids) tok.decode(one);
  });
  std::uint64_t count = 0, sum = 0;
  for (const auto& one : ids)
    for (const std::int32_t id : one) sum += ++count % 1000 * static_cast<std::uint64_t>(id);
  std::printf(
      "{\"engine\": \"parlance\", \"threads\": %d, \"load_ms\": %.1f, \"ids_mb_s\": %.2f, "
      "\"offsets_mb_s\": %.2f, \"decode_mb_s\": %.2f, \"tokens\": %llu, \"sum\": %llu}\n",
      threads, load * 1e3, megabytes / encode, megabytes / offsets, megabytes / decode,
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(sum));
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
