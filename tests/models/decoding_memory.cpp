// SPDX-License-Identifier: Apache-2.0
// Decoding allocates nothing: operator new is counted (counted_new.cpp) over steps with a cache,
// once the first steps have made their buffers.
#include <doctest/doctest.h>

#include <atomic>

#include "golden.hpp"

extern std::atomic<long> allocations;  // by this program so far

using namespace parlance;
using namespace model_test;

namespace {

// Heap allocations of 32 steps of two sequences, each with room in the cache.
std::int64_t allocations_of_decoding(const models::causal_lm& m, format element) {
  const autograd::no_grad off;
  auto cache = m.make_cache(2, element);
  cache.reserve(0, 80), cache.reserve(1, 80);
  ids next{5, 9};
  const models::segment parts[] = {{0, 0, 1}, {1, 1, 1}};
  std::int64_t before = 0;
  for (int step = 0; step < 40; ++step) {
    if (step == 8) before = allocations;
    models::decoder_input in;
    in.ids = next;
    in.cache = &cache;
    in.segments = parts;
    const tensor<float> logits = m.logits(in);
    for (std::size_t i = 0; i < next.size(); ++i)
      next[i] = generation::greedy(
          {logits.row(static_cast<std::int64_t>(i)), static_cast<std::size_t>(logits.cols())});
  }
  return allocations - before;
}

}  // namespace

TEST_CASE("the counter counts") {
  const std::int64_t before = allocations;
  const auto number = std::make_unique<int>(3);
  const tensor<float> values({1 << 20});
  CHECK(*number + values.size() > 0);
  CHECK(allocations - before >= 2);
}

TEST_CASE("a step of the model with a cache allocates nothing") {
  for (const char* family : {"llama_gqa", "gpt2", "gemma3", "qwen3", "mistral_sliding"})
    for (const int threads : {1, 2})
      for (const format element : {format::f32, format::f16}) {
        CAPTURE(family);
        CAPTURE(threads);
        const use_pool pool(std::make_shared<thread_pool>(threads));
        const auto m = load(data / family);
        CHECK(allocations_of_decoding(*m, element) == 0);
      }
}

TEST_CASE("a step of a quantised model with a cache allocates nothing") {
  for (const format type : {format::q8_0, format::q4_0, format::bf16, format::f16}) {
    io::load_options o;
    o.weights = type;
    const auto m = load(data / "llama_q8_0", o);
    CHECK(allocations_of_decoding(*m, m->cache_element()) == 0);
    o.compute = io::precision::exact;
    CHECK(allocations_of_decoding(*load(data / "llama_q8_0", o), format::f32) == 0);
  }
}

TEST_CASE("a step of the decoding loop allocates nothing") {
  const auto m = load(data / "llama_gqa");
  const std::vector<ids> prompts{{5, 6, 7}, {8, 9}};
  for (const bool sample : {false, true}) {
    CAPTURE(sample);
    generation::generation_config c{.max_new_tokens = 64,
                                    .do_sample = sample,
                                    .temperature = 0.8,
                                    .top_k = 20,
                                    .top_p = 0.9,
                                    .repetition_penalty = 1.2,
                                    .no_repeat_ngram_size = 3,
                                    .eos_token_id = generation::token_ids(),
                                    .seed = 4};
    const auto config = generation::resolve(c);
    generation::decoding_loop loop(*m, config, {});
    loop.start(prompts);
    for (int step = 0; step < 10; ++step) REQUIRE(loop.advance());
    const std::int64_t before = allocations;
    for (int step = 0; step < 32; ++step) REQUIRE(loop.advance());
    CHECK(allocations - before == 0);
  }
}
