// SPDX-License-Identifier: Apache-2.0
// Every model family against what transformers computes: logits, hidden states, greedy ids; with
// and without a cache, alone and in batches, from safetensors and from GGUF, in float and double.
#include "golden.hpp"

#include <doctest/doctest.h>

#include "parlance/models/gpt2.hpp"
#include "parlance/models/llama.hpp"

using namespace parlance;
using namespace model_test;

namespace {

constexpr double tolerance = 1e-4;

void check_logits(const tensor<float>& logits, const json& prompt) {
  const auto width = static_cast<std::size_t>(logits.cols());
  const std::int64_t rows = logits.rows();
  REQUIRE(rows == static_cast<std::int64_t>(prompt["ids"].size()));
  CHECK(distance(logits.row(rows - 1), floats(prompt["last_logits"]), width) < tolerance);
  for (std::size_t i = 0; i < prompt["positions"].size(); ++i)
    CHECK(distance(logits.row(prompt["positions"][i]), floats(prompt["logits"][i]), width) <
          tolerance);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::span<const float> row{logits.row(r), width};
    const auto at = static_cast<std::size_t>(r);
    CHECK(std::abs(kernels::logsumexp(row) - prompt["logsumexp"][at].get<double>()) < tolerance);
    CHECK(generation::greedy(row) == prompt["argmax"][at].get<int>());
  }
}

// Rows seen by the hook, and the output of the final norm, of the position that golden.json names.
void check_hidden_states(const models::causal_lm& m, const json& prompt) {
  const ids sequence = to_ids(prompt["ids"]);
  const std::int64_t position = prompt["hidden_position"];
  std::vector<std::vector<float>> seen;
  models::decoder_input in;
  in.ids = sequence;
  in.observe = [&](int layer, const void* x) {
    REQUIRE(layer == static_cast<int>(seen.size()));
    const auto& t = *static_cast<const tensor<float>*>(x);
    seen.emplace_back(t.row(position), t.row(position) + t.cols());
  };
  tensor<float> last;
  if (const auto* l = dynamic_cast<const models::causal_lm_of<models::llama<>>*>(&m))
    last = l->model.hidden(in);
  else
    last = dynamic_cast<const models::causal_lm_of<models::gpt2<>>&>(m).model.hidden(in);
  const auto width = static_cast<std::size_t>(last.cols());
  REQUIRE(seen.size() == prompt["hidden_states"].size() + 1);
  CHECK(distance(seen[0], floats(prompt["embedding"]), width) < tolerance);
  for (std::size_t i = 1; i < seen.size(); ++i)
    CHECK(distance(seen[i], floats(prompt["hidden_states"][i - 1]), width) < tolerance);
  CHECK(distance(last.row(position), floats(prompt["final_norm"]), width) < tolerance);
}

bool stateful(const std::string& family) {
  return family == "llama_dynamic" || family == "llama_longrope";
}

template <class Model, class Config>
void check_double(const std::filesystem::path& folder, const Config& config, const json& g) {
  Model m(config);
  const auto opened = models::open_checkpoint(folder);
  const auto same_name = [](const std::string& name) {
    io::tensor_rule rule;
    rule.name = name;
    return rule;
  };
  io::load_parameters<double>(m, *opened.tensors, same_name, {},
                              [](const std::string&) { return true; });
  for (const json& prompt : g["prompts"]) {
    const ids sequence = to_ids(prompt["ids"]);
    models::decoder_input in;
    in.ids = sequence;
    const tensor<double> logits = m.logits(m.hidden(in));
    const auto expected = floats(prompt["last_logits"]);
    CHECK(distance(logits.row(logits.rows() - 1), expected, expected.size()) < tolerance);
  }
}

}  // namespace

TEST_CASE("every family: logits, hidden states and greedy ids of transformers") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family);
    const auto m = load(data / family);
    CHECK(m->vocab_size() == g["vocab_size"].get<std::int64_t>());
    for (const json& prompt : g["prompts"]) {
      const ids sequence = to_ids(prompt["ids"]);
      check_logits(dense_logits(*m, sequence), prompt);
      check_hidden_states(*m, prompt);
      CHECK(greedy(*m, {sequence}).front() == to_ids(prompt["greedy"]));
      if (stateful(family)) continue;  // cached keys keep an older rotation there
      check_logits(cached_logits(*m, sequence, {1, 3, 1}), prompt);
      check_logits(cached_logits(*m, sequence, {}), prompt);
    }
  }
}

TEST_CASE("every family: decoding without a cache chooses the same ids") {
  for (const std::string& family : families) {
    if (stateful(family)) continue;
    CAPTURE(family);
    const auto m = load(data / family);
    const json prompt = golden(family)["prompts"][1];
    ids sequence = to_ids(prompt["ids"]);
    for (std::size_t i = 0; i < 20; ++i) {
      const auto logits = dense_logits(*m, sequence);
      sequence.push_back(generation::greedy(
          {logits.row(logits.rows() - 1), static_cast<std::size_t>(logits.cols())}));
      REQUIRE(sequence.back() == prompt["greedy"][i].get<int>());
    }
  }
}

TEST_CASE("every family: a batch of prompts of different lengths equals the prompts alone") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family);
    const auto m = load(data / family);
    std::vector<ids> prompts, expected;
    for (const json& p : g["prompts"]) {
      prompts.push_back(to_ids(p["ids"]));
      expected.push_back(to_ids(p["greedy"]));
    }
    CHECK(greedy(*m, prompts) == expected);
    if (g["batch"]["equals_singles"]) CHECK(g["batch"]["greedy"] == json(expected));
  }
}

TEST_CASE("every family: a left-padded dense batch equals the prompts alone") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family);
    const auto m = load(data / family);
    const json& rows = g["batch"]["input_ids"];
    ids flat;
    models::decoder_input in;
    for (std::size_t b = 0; b < rows.size(); ++b) {
      for (const json& id : rows[b]) flat.push_back(id);
      const json& mask = g["batch"]["attention_mask"][b];
      in.ranges.start.push_back(static_cast<std::int32_t>(std::count(mask.begin(), mask.end(), 0)));
      in.ranges.end.push_back(static_cast<std::int32_t>(mask.size()));
    }
    in.ids = flat;
    in.batch = static_cast<std::int64_t>(rows.size());
    const tensor<float> logits = m->logits(in);
    for (std::size_t b = 0; b < rows.size(); ++b) {
      const auto expected = floats(g["prompts"][b]["last_logits"]);
      const auto last = static_cast<std::int64_t>((b + 1) * rows[b].size() - 1);
      CHECK(distance(logits.row(last), expected, expected.size()) < tolerance);
    }
  }
}

TEST_CASE("GGUF twins compute the same") {
  const std::vector<std::pair<std::string, std::string>> twins{
      {"llama_gqa", "f32"},     {"gpt2", "f32"},        {"qwen2", "f32"},
      {"qwen3", "f32"},         {"gemma3", "f32"},      {"llama_llama3", "bf16"},
      {"llama_linear", "bf16"}, {"llama_yarn", "bf16"}, {"llama_q8_0", "q8_0"}};
  for (const auto& twin : twins) {
    const std::string family = twin.first, type = twin.second;
    CAPTURE(family);
    const json g = golden(family);
    // Exact arithmetic on the stored values; by default GGUF models round inputs and cache too.
    io::load_options exact;
    exact.compute = io::precision::exact;
    const auto m = load(data / family / ("model." + type + ".gguf"), exact);
    const auto plain = load(data / family / ("model." + type + ".gguf"));
    for (const json& prompt : g["prompts"]) {
      const ids sequence = to_ids(prompt["ids"]);
      check_logits(dense_logits(*m, sequence), prompt);
      CHECK(greedy(*m, {sequence}).front() == to_ids(prompt["greedy"]));
      const auto rounded = dense_logits(*plain, sequence), true_logits = dense_logits(*m, sequence);
      CHECK(relative_rms(rounded.values(), true_logits.values()) < (type == "f32" ? 1e-5 : 0.06));
    }
  }
}

TEST_CASE("double precision agrees") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family);
    const json config = models::open_checkpoint(data / family).config;
    if (family == "gpt2")
      check_double<models::gpt2<double>>(data / family, models::read_gpt2_config(config), g);
    else
      check_double<models::llama<double>>(data / family, models::read_llama_config(config), g);
  }
}
