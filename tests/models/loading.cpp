// SPDX-License-Identifier: Apache-2.0
// What goes wrong when a model is loaded, and how it is said: tensors that do not fit, unknown
// model types, broken configurations.
#include <doctest/doctest.h>

#include "golden.hpp"

using namespace parlance;
using namespace model_test;

namespace {

// llama_mha's tensors under a changed name or shape.
struct edited_checkpoint {
  json config;
  std::vector<std::pair<std::string, tensor<float>>> tensors;

  edited_checkpoint() {
    const auto opened = models::open_checkpoint(data / "llama_mha");
    config = opened.config;
    for (const io::stored_tensor& t : opened.tensors->tensors()) {
      tensor<float> values(t.dims);
      io::read_floats(t, values.data());
      tensors.emplace_back(t.name, std::move(values));
    }
  }
  tensor<float>& at(const std::string& name) {
    for (auto& [n, values] : tensors)
      if (n == name) return values;
    throw option_error("no tensor " + name);
  }
  void erase(const std::string& name) {
    std::erase_if(tensors, [&](const auto& t) { return t.first == name; });
  }
  void write(const std::filesystem::path& folder) const {
    std::vector<io::tensor_to_write> list;
    for (const auto& [name, values] : tensors)
      list.push_back({name, format::f32, values.dims(), std::as_bytes(values.values())});
    io::write_safetensors(folder / "model.safetensors", list);
    write_atomic(folder / "config.json", config.dump());
  }
};

std::string config_message(json changes, const char* family = "llama_mha") {
  json config = models::open_checkpoint(data / family).config;
  for (const auto& [key, value] : changes.items()) config[key] = value;
  return message_of([&] { models::make_causal_lm(config); });
}

}  // namespace

TEST_CASE("a checkpoint that does not fit: every tensor is named at once") {
  const temporary_folder folder;
  edited_checkpoint c;
  c.erase("model.norm.weight");
  c.erase("model.layers.1.mlp.up_proj.weight");
  c.tensors.emplace_back("model.layers.7.extra", tensor<float>::zeros({2}));
  c.tensors.emplace_back("score.weight", tensor<float>::zeros({2, 3}));
  c.at("lm_head.weight") = tensor<float>::zeros({130, 30});
  c.at("model.layers.0.input_layernorm.weight") = tensor<float>::zeros({1, 30});
  c.write(folder.path());
  try {
    load(folder.path());
    FAIL("no error");
  } catch (const load_error& e) {
    CHECK(std::set(e.missing.begin(), e.missing.end()) ==
          std::set<std::string>{"model.norm.weight", "model.layers.1.mlp.up_proj.weight"});
    CHECK(std::set(e.unexpected.begin(), e.unexpected.end()) ==
          std::set<std::string>{"model.layers.7.extra", "score.weight"});
    REQUIRE(e.mismatched.size() == 2);
    const std::string message = e.what();
    for (const char* part :
         {"model.norm.weight", "model.layers.1.mlp.up_proj.weight", "model.layers.7.extra",
          "score.weight", "lm_head.weight (file [130, 30], model [131, 30])",
          "model.layers.0.input_layernorm.weight (file [1, 30], model [30])", "model.safetensors"})
      CHECK_MESSAGE(has(message, part), message);
    CHECK(e.kind() == "load");
  }
}

TEST_CASE("buffers of old checkpoints and a bare model's names are accepted") {
  const temporary_folder folder;
  edited_checkpoint c;
  c.tensors.emplace_back("model.layers.0.self_attn.rotary_emb.inv_freq", tensor<float>::zeros({4}));
  for (auto& [name, values] : c.tensors)
    if (name.starts_with("model.")) name = name.substr(6);
  c.write(folder.path());
  const json prompt = golden("llama_mha")["prompts"][0];
  CHECK(same_bits(dense_logits(*load(folder.path()), to_ids(prompt["ids"])),
                  dense_logits(*load(data / "llama_mha"), to_ids(prompt["ids"]))));
}

TEST_CASE("tied embeddings: a stored copy of the head is no fault, a missing head is") {
  edited_checkpoint c;
  const temporary_folder tied, untied;
  c.config["tie_word_embeddings"] = true;
  c.write(tied.path());
  CHECK_NOTHROW(load(tied.path()));
  c.config["tie_word_embeddings"] = false;
  c.erase("lm_head.weight");
  c.write(untied.path());
  CHECK(has(message_of([&] { load(untied.path()); }), "missing 1: lm_head.weight"));
}

TEST_CASE("loading reports progress and can be stopped") {
  std::uint64_t last = 0, total = 0;
  io::load_options o;
  o.on_progress = [&](const progress& p) {
    CHECK(p.done == last + 1);
    last = p.done, total = p.total;
  };
  load(data / "llama_mha", o);
  CHECK(total == 27);  // 12 a layer (the MLP has biases), embeddings, last norm, head
  CHECK(last == total);
  o.on_progress = [](const progress&) { return flow::stop; };
  CHECK_THROWS_AS(load(data / "llama_mha", o), cancelled_error);
  std::stop_source source;
  source.request_stop();
  io::load_options stopped;
  stopped.stop = source.get_token();
  CHECK_THROWS_AS(load(data / "llama_mha", stopped), cancelled_error);
}

TEST_CASE("an unknown model_type names those that are known") {
  const std::string message = config_message({{"model_type", "lama"}});
  CHECK(has(message, "model_type 'lama'"));
  for (const auto& [name, factory] : models::causal_lm_families()) CHECK(has(message, name));
  CHECK(has(config_message({{"model_type", nullptr}}), "model_type ''"));
  CHECK(has(config_message({{"model_type", 3}}), "'model_type': expected a string, got 3"));
}

TEST_CASE("a family of one's own is a row of the table") {
  models::causal_lm_registry mine = models::causal_lm_families();
  mine["my_llama"] = [](const json& config) {
    json known = config;
    known["model_type"] = "llama";
    return models::make_causal_lm(known);
  };
  models::opened_checkpoint opened = models::open_checkpoint(data / "llama_mha");
  opened.config["model_type"] = "my_llama";
  CHECK_THROWS_AS(models::load_causal_lm(opened), unsupported_error);
  const auto m = models::load_causal_lm(opened, {}, mine);
  const json prompt = golden("llama_mha")["prompts"][0];
  CHECK(greedy(*m, {to_ids(prompt["ids"])}).front() == to_ids(prompt["greedy"]));
}

TEST_CASE("configuration errors name the field, what was expected and what was found") {
  CHECK(has(config_message({{"hidden_size", nullptr}}), "'hidden_size': expected a value"));
  CHECK(has(config_message({{"hidden_size", "24"}}),
            "'hidden_size': expected an integer, got \"24\""));
  CHECK(
      has(config_message({{"hidden_size", 0}}), "'hidden_size': expected a positive size, got 0"));
  CHECK(has(config_message({{"num_hidden_layers", 1e300}}), "'num_hidden_layers'"));
  CHECK(has(config_message({{"num_key_value_heads", 2}}),
            "'num_key_value_heads': expected a divisor of num_attention_heads, got 2"));
  CHECK(has(config_message({{"head_dim", 7}}), "'head_dim': expected an even size"));
  CHECK(has(config_message({{"rms_norm_eps", "small"}}), "'rms_norm_eps': expected a number"));
  CHECK(has(config_message({{"tie_word_embeddings", 1}}),
            "'tie_word_embeddings': expected true or false"));
  CHECK(has(config_message({{"rope_scaling", {{"rope_type", "spiral"}}}}), "rope type 'spiral'"));
  CHECK(has(config_message({{"rope_scaling", {{"rope_type", "linear"}, {"factor", "x"}}}}),
            "rope_scaling: 'factor': expected a number"));
  CHECK(has(config_message(
                {{"rope_scaling",
                  {{"rope_type", "longrope"}, {"short_factor", {1.0}}, {"long_factor", {1.0}}}}}),
            "longrope wants 5 factors, got 1"));
  CHECK(has(config_message({{"layer_types", {"full_attention"}}}, "gemma3_linear"),
            "'layer_types': expected 3 entries"));
  CHECK(has(config_message({{"n_head", 5}}, "gpt2"), "'n_head': expected a divisor of n_embd"));
  CHECK(config_message({}) == "no error");
}

TEST_CASE("ids and positions that the model does not have are errors") {
  const auto m = load(data / "gpt2");
  CHECK(has(message_of([&] {
              dense_logits(*m, {5, 275});
            }),
            "id 275 is outside the vocabulary of 275"));
  CHECK(has(message_of([&] { dense_logits(*m, {-1}); }), "id -1"));
  CHECK(has(message_of([&] { dense_logits(*m, ids(129, 1)); }), "past the model's 128 positions"));
  models::decoder_input in;
  const ids five(5, 1);
  in.ids = five;
  in.batch = 2;
  CHECK(has(message_of([&] { m->logits(in); }), "5 ids do not make 2 equal sequences"));
}
