// SPDX-License-Identifier: Apache-2.0
// Storage formats, saving, threads, cancelling and training: what must not change the numbers, and
// by how much formats may.
#include <doctest/doctest.h>

#include <atomic>

#include "golden.hpp"
#include "parlance/ops/loss.hpp"
#include "parlance/training/adamw.hpp"

using namespace parlance;
using namespace model_test;

namespace {

const json wide_config = {{"model_type", "llama"},       {"vocab_size", 300},
                          {"hidden_size", 256},          {"intermediate_size", 512},
                          {"num_hidden_layers", 2},      {"num_attention_heads", 4},
                          {"num_key_value_heads", 2},    {"max_position_embeddings", 128},
                          {"tie_word_embeddings", false}};

// A checkpoint wide enough for every block format.
void write_wide(const std::filesystem::path& folder) {
  auto m = models::make_causal_lm(wide_config);
  nn::init<float>(*m, 5, 0.02);
  models::token_decoder_access::set(*m, wide_config, nullptr, format::f32);
  m->save_pretrained(folder);
}

io::load_options stored_as(format f, io::precision compute = io::precision::automatic) {
  io::load_options o;
  o.weights = f;
  o.compute = compute;
  return o;
}

ids numbers(std::int32_t count, std::int32_t step) {
  ids out;
  for (std::int32_t i = 0; i < count; ++i) out.push_back(3 + (i * step) % 120);
  return out;
}

std::string some_weight(models::causal_lm& m, const std::string& name) {
  std::string type = "no such parameter";
  nn::for_each_parameter<float>(m, [&](const std::string& n, nn::parameter<float>& p) {
    if (n == name) type = std::string(parlance::name(p.value.type()));
  });
  return type;
}

}  // namespace

TEST_CASE("weights loaded in a narrower format stay near the float ones") {
  const temporary_folder folder;
  write_wide(folder.path());
  const auto reference = load(folder.path());
  const ids prompt = numbers(40, 17);
  const auto expected = dense_logits(*reference, prompt);
  // Each product adds its format's rounding: 0.2 and 0.03 % (bf16, f16), 0.5 % and 9 % in blocks of
  // 8 and of 4 bits, over two layers and the head.
  const std::vector<std::tuple<format, double, double>> bounds{{format::bf16, 1e-3, 0.01},
                                                               {format::f16, 1e-4, 0.01},
                                                               {format::q8_0, 1e-3, 0.02},
                                                               {format::q4_0, 0.02, 0.4},
                                                               {format::q4_k, 0.02, 0.4}};
  for (const auto& [type, least, most] : bounds) {
    const std::string type_name(name(type));
    CAPTURE(type_name);
    for (const auto compute : {io::precision::exact, io::precision::native}) {
      const auto m = load(folder.path(), stored_as(type, compute));
      CHECK(some_weight(*m, "model.layers.1.mlp.down_proj.weight") == type_name);
      CHECK(some_weight(*m, "model.norm.weight") == "f32");
      const double difference = relative_rms(dense_logits(*m, prompt).values(), expected.values());
      CHECK(difference < most);
      CHECK(difference > least / 10);  // the format is really in use
    }
  }
}

TEST_CASE("bf16 holds the bf16 values of the tiny models: same logits, same ids") {
  for (const char* family : {"llama_gqa", "gpt2", "gemma2"}) {
    CAPTURE(family);
    const auto m = load(data / family, stored_as(format::bf16));
    const json g = golden(family);
    for (const json& prompt : g["prompts"]) {
      const ids sequence = to_ids(prompt["ids"]);
      const auto logits = dense_logits(*m, sequence);
      const auto expected = floats(prompt["last_logits"]);
      CHECK(distance(logits.row(logits.rows() - 1), expected, expected.size()) < 1e-4);
      CHECK(greedy(*m, {sequence}).front() == to_ids(prompt["greedy"]));
    }
  }
}

TEST_CASE("narrow rows fall back to float, q4_k to q4_0") {
  const auto m = load(data / "llama_q8_0", stored_as(format::q4_k));
  CHECK(some_weight(*m, "model.layers.0.mlp.down_proj.weight") == "q4_0");
  const auto odd = load(data / "llama_mha", stored_as(format::q8_0));
  CHECK(some_weight(*odd, "model.layers.0.mlp.down_proj.weight") == "f32");
}

TEST_CASE("the same bits for 1, 2 and 3 threads, alone and in a batch") {
  const temporary_folder folder;
  write_wide(folder.path());
  for (const std::optional<format> type :
       {std::optional<format>(), std::optional(format::bf16), std::optional(format::q8_0),
        std::optional(format::q4_k)}) {
    io::load_options o;
    o.weights = type;
    const auto m = load(folder.path(), o);
    const std::vector<ids> prompts{numbers(33, 7), numbers(5, 31), numbers(64, 11)};
    tensor<float> dense, cached;
    std::vector<ids> alone;
    for (const int threads : {1, 2, 3}) {
      CAPTURE(threads);
      const use_pool pool(std::make_shared<thread_pool>(threads));
      const auto a = dense_logits(*m, prompts[2]), b = cached_logits(*m, prompts[2], {10, 1, 1});
      if (threads == 1) {
        dense = a, cached = b;
        for (const ids& p : prompts) alone.push_back(greedy(*m, {p}, 12).front());
      }
      CHECK(same_bits(a, dense));
      CHECK(same_bits(b, cached));
      CHECK(greedy(*m, prompts, 12) == alone);
    }
  }
}

TEST_CASE("save_pretrained and load give the same bits") {
  for (const char* family : {"gpt2", "llama_gqa", "llama_sharded", "gemma3", "smollm3", "qwen2"}) {
    CAPTURE(family);
    const temporary_folder folder;
    const auto first = load(data / family);
    first->save_pretrained(folder.path());
    const auto second = load(folder.path());
    CHECK(second->config() == first->config());
    CHECK(second->generation_config() == first->generation_config());
    const ids prompt = to_ids(golden(family)["prompts"][2]["ids"]);
    CHECK(same_bits(dense_logits(*second, prompt), dense_logits(*first, prompt)));
  }
  const temporary_folder folder;
  const auto half = load(data / "llama_gqa", stored_as(format::bf16));
  half->save_pretrained(folder.path());
  const auto again = load(folder.path());
  CHECK(some_weight(*again, "lm_head.weight") == "bf16");
}

TEST_CASE("a stop request inside the prompt ends the forward pass within one layer") {
  const auto m = load(data / "gemma3");
  const ids prompt = to_ids(golden("gemma3")["prompts"][2]["ids"]);
  for (const bool with_cache : {false, true}) {
    std::stop_source source;
    int after = 0;
    auto cache = m->make_cache(1, format::f32);
    const models::segment part{0, 0, static_cast<std::int64_t>(prompt.size())};
    models::decoder_input in;
    in.ids = prompt;
    if (with_cache) in.cache = &cache, in.segments = {&part, 1};
    in.stop = source.get_token();
    in.observe = [&](int layer, const void*) {
      after += source.stop_requested();
      if (layer == 2) source.request_stop();
    };
    CHECK_THROWS_AS(m->logits(in), cancelled_error);
    CHECK(after == 0);  // of the seven layers, none after the second
    CHECK(cache.length(0) == 0);
  }
}

TEST_CASE("the loss is the cross entropy of the logits") {
  for (const char* family : {"llama_gqa", "gpt2", "gemma2"}) {
    CAPTURE(family);
    const auto m = load(data / family);
    const json prompt = golden(family)["prompts"][2];
    const ids sequence = to_ids(prompt["ids"]);
    ids labels(sequence.begin() + 1, sequence.end());
    labels.push_back(ops::ignore_index);
    labels[3] = ops::ignore_index;
    models::decoder_input in;
    in.ids = sequence;
    const auto logits = dense_logits(*m, sequence);
    double expected = 0;
    int counted = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] == ops::ignore_index) continue;
      expected += prompt["logsumexp"][i].get<double>() -
                  logits.row(static_cast<std::int64_t>(i))[labels[i]];
      ++counted;
    }
    CHECK(m->loss(in, labels).item() == doctest::Approx(expected / counted).epsilon(1e-5));
  }
}

TEST_CASE("training on a frozen quantised base reaches only what was unfrozen") {
  const temporary_folder folder;
  write_wide(folder.path());
  const auto m = load(folder.path(), stored_as(format::q4_0));
  nn::unfreeze<float>(*m, "*norm.weight");
  nn::unfreeze<float>(*m, "*q_proj.weight");  // quantised: stays frozen
  const ids sequence = numbers(24, 13);
  ids labels(sequence.begin() + 1, sequence.end());
  labels.push_back(ops::ignore_index);
  models::decoder_input in;
  in.ids = sequence;
  training::adamw optimizer(*m, {.learning_rate = 0.05});
  const auto before = dense_logits(*m, sequence);
  float first = 0, last = 0;
  for (int step = 0; step < 20; ++step) {
    const tensor<float> loss = m->loss(in, labels);
    (step ? last : first) = loss.item();
    autograd::backward(loss);
    std::set<std::string> reached;
    training::for_each_gradient<float>(
        *m, [&](const std::string& name, tensor<float>&, tensor<float>& g) {
          reached.insert(name);
          CHECK(kernels::sum_of_squares(g.size(), g.data()) > 0);
        });
    CHECK(reached == std::set<std::string>{"model.layers.0.input_layernorm.weight",
                                           "model.layers.0.post_attention_layernorm.weight",
                                           "model.layers.1.input_layernorm.weight",
                                           "model.layers.1.post_attention_layernorm.weight",
                                           "model.norm.weight"});
    optimizer.step();
    optimizer.zero_grad();
  }
  CHECK(last < 0.7f * first);
  CHECK(some_weight(*m, "model.layers.0.self_attn.q_proj.weight") == "q4_0");
  CHECK_FALSE(same_bits(before, dense_logits(*m, sequence)));
}
