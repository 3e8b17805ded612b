// SPDX-License-Identifier: Apache-2.0
// The tiny checkpoints of tests/data/models and what transformers computes with them.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../io/support.hpp"
#include "parlance/generation/generate.hpp"
#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/models/auto.hpp"
#include "parlance/models/gpt2.hpp"
#include "parlance/models/llama.hpp"

namespace model_test {

using io_test::has;
using io_test::message_of;
using io_test::temporary_folder;
using parlance::json;

inline const std::filesystem::path data = std::filesystem::path(PARLANCE_TEST_DATA) / "models";

inline const std::vector<std::string> families{
    "gpt2",          "llama_mha",       "llama_gqa", "llama_llama3",   "llama_linear",
    "llama_dynamic", "llama_yarn",      "qwen2",     "llama_longrope", "llama_sharded",
    "llama_q8_0",    "mistral_sliding", "qwen3",     "qwen2_sliding",  "smollm3",
    "gemma",         "gemma2",          "gemma3",    "gemma3_linear"};

inline json golden(const std::string& family) {
  const auto file = data / family / "golden.json";
  return parlance::parse_json(parlance::read_text(file), file.string());
}

using ids = std::vector<std::int32_t>;
inline ids to_ids(const json& list) { return list.get<ids>(); }
inline std::vector<float> floats(const json& list) { return list.get<std::vector<float>>(); }

inline std::unique_ptr<parlance::models::causal_lm> load(
    const std::filesystem::path& path, const parlance::io::load_options& options = {}) {
  return parlance::models::load_causal_lm(parlance::models::open_checkpoint(path), options);
}

// Logits of every position of one sequence, without a cache.
inline parlance::tensor<float> dense_logits(const parlance::models::causal_lm& m,
                                            const ids& sequence) {
  const parlance::autograd::no_grad off;
  parlance::models::decoder_input in;
  in.ids = sequence;
  return m.logits(in);
}

// The same through a cache, in pieces of the given sizes (the last takes the rest).
inline parlance::tensor<float> cached_logits(const parlance::models::causal_lm& m,
                                             const ids& sequence, std::vector<std::int64_t> sizes,
                                             parlance::format element = parlance::format::f32) {
  const parlance::autograd::no_grad off;
  auto cache = m.make_cache(1, element);
  const auto n = static_cast<std::int64_t>(sequence.size());
  parlance::tensor<float> all({n, m.vocab_size()});
  for (std::int64_t at = 0, piece = 0; at < n; ++piece) {
    const auto p = static_cast<std::size_t>(piece);
    const std::int64_t count = std::min(n - at, p < sizes.size() ? sizes[p] : n);
    const parlance::models::segment part{0, 0, count};
    parlance::models::decoder_input in;
    in.ids =
        std::span(sequence).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
    in.cache = &cache;
    in.segments = {&part, 1};
    const auto logits = m.logits(in);
    std::copy(logits.values().begin(), logits.values().end(), all.row(at));
    at += count;
  }
  return all;
}

// Greedy ids of several prompts in one batch; nothing but the length ends them.
inline std::vector<ids> greedy(const parlance::models::causal_lm& m,
                               const std::vector<ids>& prompts, std::int64_t count = 64) {
  const auto config =
      parlance::generation::resolve({.max_new_tokens = count,
                                     .do_sample = false,
                                     .eos_token_id = parlance::generation::token_ids()});
  std::vector<ids> out;
  for (auto& each : parlance::generation::generate(m, prompts, config))
    out.push_back(std::move(each.ids));
  return out;
}

// Greatest absolute difference; infinite where one is not a number.
template <class A, class B>
double distance(const A& got, const B& expected, std::size_t count) {
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double d = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    worst = d <= worst ? worst : (d == d ? d : HUGE_VAL);
  }
  return worst;
}

// Root mean square of a - b over that of b.
inline double relative_rms(std::span<const float> a, std::span<const float> b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    size += double{b[i]} * b[i];
  }
  return std::sqrt(difference / size);
}

inline bool same_bits(const parlance::tensor<float>& a, const parlance::tensor<float>& b) {
  return a.dims() == b.dims() &&
         std::equal(a.values().begin(), a.values().end(), b.values().begin());
}

}  // namespace model_test
