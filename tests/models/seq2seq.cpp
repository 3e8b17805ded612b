// SPDX-License-Identifier: Apache-2.0
// Encoder-decoders against transformers (tests/reference/seq2seq.py): encoder states, logits, loss,
// generated ids; independence of batch and threads; saving, weight formats, gradients.
#include <doctest/doctest.h>

#include "golden.hpp"
#include "parlance/autograd/gradcheck.hpp"
#include "parlance/generation/config_json.hpp"
#include "parlance/models/auto_encoder.hpp"
#include "parlance/models/bart.hpp"
#include "parlance/models/t5.hpp"

using namespace parlance;
using namespace model_test;

namespace {

constexpr double tolerance = 1e-4;
const std::filesystem::path folders = std::filesystem::path(PARLANCE_TEST_DATA) / "seq2seq";
const std::vector<std::string> seq2seq_families{"t5",      "t5_gated",        "mt5",     "umt5",
                                                "bart",    "mbart",           "pegasus", "marian",
                                                "m2m_100", "marian_separate", "led"};

json golden_of(const std::string& family) {
  const auto file = folders / family / "golden.json";
  return parse_json(read_text(file), file.string());
}

std::unique_ptr<models::seq2seq_lm> load_model(const std::filesystem::path& folder,
                                               const io::load_options& options = {}) {
  return models::seq2seq_lm_from_pretrained(folder.string(), options);
}

// Unscaled scores make the logits of some tiny T5 large; errors are relative to them.
double scale_of(std::span<const float> logits) {
  double most = 1;
  for (const float x : logits) most = std::max(most, std::abs(double{x}));
  return most;
}

// Several sources and targets, one after another.
struct packed {
  ids source, target, labels;
  std::vector<std::int64_t> source_lengths, target_lengths;

  explicit packed(const json& sources) {
    for (const json& s : sources) add(s);
  }
  void add(const json& s) {
    const auto join = [](ids& to, const ids& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    join(source, to_ids(s["ids"]));
    join(target, to_ids(s["targets"]));
    join(labels, to_ids(s["labels"]));
    source_lengths.push_back(static_cast<std::int64_t>(s["ids"].size()));
    target_lengths.push_back(static_cast<std::int64_t>(s["targets"].size()));
  }
  models::encoder_input encoder() const {
    models::encoder_input in;
    in.ids = source;
    in.lengths = source_lengths;
    return in;
  }
  models::decoder_input decoder() const {
    models::decoder_input in;
    in.ids = target;
    in.lengths = target_lengths;
    return in;
  }
};

generation::resolved_config options_of(const models::seq2seq_lm& m, const json& given) {
  const json& file = m.generation_config();
  return generation::resolve(
      generation::config_from_json(given),
      generation::config_from_file_json(file.is_null() ? m.config() : file, "generation config"));
}

std::vector<ids> sources_of(const json& golden) {
  std::vector<ids> out;
  for (const json& s : golden["sources"]) out.push_back(to_ids(s["ids"]));
  return out;
}

// Gradients of the loss of a tiny model in double precision against differences.
template <template <class> class Model, class Config>
void check_gradients(const Config& config, const packed& in) {
  Model<double> m(config);
  nn::init<double>(m, 3, 0.4);
  std::vector<tensor<double>> inputs;
  const auto trained = [&](const auto& f) {
    nn::for_each_parameter<double>(m, [&](const std::string& name, nn::parameter<double>& p) {
      if (name != "final_logits_bias") f(p);
    });
  };
  trained([&](nn::parameter<double>& p) { inputs.push_back(*p.value.dense()); });
  const auto report = autograd::gradcheck(
      [&](const std::vector<tensor<double>>& values) {
        std::size_t i = 0;
        trained([&](nn::parameter<double>& p) { p.value = weight<double>(values[i++]); });
        const auto source = m.encode(in.encoder());
        return m.loss(m.hidden(in.decoder(), &source), in.labels);
      },
      inputs);
  CHECK_MESSAGE(report.error < 1e-6, report.to_string());
}

}  // namespace

TEST_CASE("encoder-decoders: states, logits and loss of transformers, packed and alone") {
  for (const std::string& family : seq2seq_families) {
    CAPTURE(family);
    const json golden = golden_of(family);
    const auto m = load_model(folders / family);
    const packed all(golden["sources"]);
    const tensor<float> states = m->encoder_states(all.encoder());
    const tensor<float> logits = m->logits(all.encoder(), all.decoder());
    std::int64_t source_end = 0, target_end = 0;
    for (const json& s : golden["sources"]) {
      source_end += static_cast<std::int64_t>(s["ids"].size());
      target_end += static_cast<std::int64_t>(s["targets"].size());
      const auto width = static_cast<std::size_t>(states.cols());
      CHECK(distance(states.row(source_end - 1), floats(s["states"]), width) < tolerance);
      for (std::int64_t r = 0; r < 2; ++r) {
        const auto expected = floats(s["logits"][static_cast<std::size_t>(r)]);
        CHECK(distance(logits.row(target_end - 2 + r), expected, expected.size()) <
              tolerance * scale_of(expected));
      }
      packed one{json::array({s})};
      CHECK(std::abs(m->loss(one.encoder(), one.decoder(), one.labels).item() -
                     s["loss"].get<float>()) < tolerance);
      const tensor<float> alone = m->logits(one.encoder(), one.decoder());
      CHECK(std::ranges::equal(
          alone.values(), std::span(logits.row(target_end - alone.rows()), alone.values().size())));
    }
  }
}

TEST_CASE("encoder-decoders: the ids of transformers, greedy, beams and sampled") {
  std::size_t runs = 0;
  for (const std::string& family : seq2seq_families) {
    const json golden = golden_of(family);
    const auto m = load_model(folders / family);
    const std::vector<ids> sources = sources_of(golden);
    for (const json& run : golden["runs"]) {
      CAPTURE(family + " " + run["options"].dump());
      const auto results = generation::generate(*m, sources, options_of(*m, run["options"]));
      REQUIRE(results.size() == run["ids"].size());
      for (std::size_t i = 0; i < results.size(); ++i) {
        CHECK(results[i].ids == to_ids(run["ids"][i]));
        if (run.contains("scores"))
          CHECK(results[i].score == doctest::Approx(run["scores"][i].get<double>()).epsilon(1e-4));
      }
      ++runs;
    }
  }
  CHECK(runs > 50);
}

TEST_CASE("encoder-decoders: a batch equals its sources alone to the bit, whatever the threads") {
  for (const std::string family : {"t5", "bart", "led"}) {
    CAPTURE(family);
    const json golden = golden_of(family);
    const auto m = load_model(folders / family);
    const std::vector<ids> sources = sources_of(golden);
    for (json run : golden["runs"]) {
      run["options"]["logprobs"] = 1;
      const auto options = options_of(*m, run["options"]);
      const auto together = generation::generate(*m, sources, options);
      const std::size_t each = together.size() / sources.size();
      for (const int threads : {1, 3}) {
        const use_pool pool(std::make_shared<thread_pool>(threads));
        for (std::size_t i = 0; i < sources.size(); ++i) {
          const auto alone = generation::generate(*m, {{sources[i]}}, options);
          for (std::size_t k = 0; k < each; ++k) {
            const generation::generated& other = together[i * each + k];
            CHECK(alone[k].ids == other.ids);
            CHECK(alone[k].score == other.score);
            for (std::size_t t = 0; t < alone[k].logprobs.size(); ++t)
              CHECK(alone[k].logprobs[t].chosen.logprob == other.logprobs[t].chosen.logprob);
          }
        }
      }
    }
  }
}

TEST_CASE("encoder-decoders: saved and loaded again the logits have the same bits") {
  for (const std::string& family : seq2seq_families) {
    CAPTURE(family);
    const auto m = load_model(folders / family);
    const packed in(golden_of(family)["sources"]);
    const temporary_folder folder;
    m->save_pretrained(folder.path());
    const auto again = load_model(folder.path());
    CHECK(same_bits(again->logits(in.encoder(), in.decoder()),
                    m->logits(in.encoder(), in.decoder())));
    CHECK(again->generation_config() == m->generation_config());
  }
}

TEST_CASE("encoder-decoders: int8 and bf16 weights stay close") {
  for (const std::string family : {"t5_gated", "bart"}) {
    CAPTURE(family);
    const packed in(golden_of(family)["sources"]);
    const tensor<float> exact = load_model(folders / family)->logits(in.encoder(), in.decoder());
    for (const format f : {format::bf16, format::q8_0}) {
      io::load_options options;
      options.weights = f;
      const auto m = load_model(folders / family, options);
      const auto rms = relative_rms(m->logits(in.encoder(), in.decoder()).values(), exact.values());
      CHECK(rms < 0.1);
      CHECK(rms > 0);
    }
  }
}

TEST_CASE("encoder-decoders: gradients of the loss in double precision") {
  const packed in(json::parse(R"([{"ids": [3, 4, 5], "targets": [0, 6], "labels": [6, 7]},
                                  {"ids": [8, 2], "targets": [0, 5, 5], "labels": [5, 5, 1]}])"));
  models::t5_config t;
  t.vocab_size = 9;
  t.d_model = 4;
  t.d_kv = 3;
  t.d_ff = 5;
  t.num_layers = t.num_decoder_layers = 1;
  t.num_heads = 2;
  t.relative_attention_num_buckets = 4;
  t.relative_attention_max_distance = 3;
  t.gated = true;
  t.activation = "gelu_new";
  check_gradients<models::t5>(t, in);
  models::bart_config b;
  b.vocab_size = 9;
  b.d_model = 4;
  b.encoder_layers = b.decoder_layers = 1;
  b.encoder_attention_heads = b.decoder_attention_heads = 2;
  b.encoder_ffn_dim = b.decoder_ffn_dim = 5;
  b.max_source_positions = b.max_target_positions = 4;
  check_gradients<models::bart>(b, in);
}

TEST_CASE("LED: rows of global attention see all rows and are seen by all, packed and alone") {
  const auto m = load_model(folders / "led");
  ids all;
  std::vector<std::uint8_t> mask;
  std::vector<std::int64_t> lengths;
  std::vector<float> expected;
  const json golden = golden_of("led");
  for (const json& s : golden["global"]) {
    const ids one = to_ids(s["ids"]);
    all.insert(all.end(), one.begin(), one.end());
    lengths.push_back(static_cast<std::int64_t>(one.size()));
    for (const json& each : s["mask"]) mask.push_back(each.get<std::uint8_t>());
    for (const json& row : s["states"])
      for (const float x : floats(row)) expected.push_back(x);
  }
  models::encoder_input in;
  in.ids = all;
  in.lengths = lengths;
  const tensor<float> local = m->encoder_states(in);
  CHECK(distance(local.values(), expected, expected.size()) > 0.1);
  in.global_attention_mask = mask;
  const tensor<float> states = m->encoder_states(in);
  CHECK(distance(states.values(), expected, expected.size()) < tolerance);
  for (const int threads : {1, 3}) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    CHECK(same_bits(m->encoder_states(in), states));
  }
  in.global_attention_mask = std::span(mask).first(5);
  CHECK(has(message_of([&] { m->encoder_states(in); }), "global_attention_mask of 5 elements"));
  CHECK(m->max_source_positions() == 64);
  CHECK(m->max_positions() == 40);
  json config = m->config();
  for (const json& wrong : {json(3), json::array({4}), json::array({4, 0}), json("x")}) {
    config["attention_window"] = wrong;
    CHECK(has(message_of([&] { models::make_seq2seq_lm(config); }), "'attention_window'"));
  }
}

TEST_CASE("BART as a classifier: the logits of transformers, packed and saved") {
  const auto opened = models::open_checkpoint(folders / "bart_classifier");
  const auto m = models::load_sequence_classifier(opened);
  CHECK(m->labels() == std::vector<std::string>{"contradiction", "neutral", "entailment"});
  const json golden = golden_of("bart_classifier");
  ids all;
  std::vector<std::int64_t> lengths;
  for (const json& s : golden["sequences"]) {
    const ids one = to_ids(s["ids"]);
    all.insert(all.end(), one.begin(), one.end());
    lengths.push_back(static_cast<std::int64_t>(one.size()));
  }
  models::encoder_input in;
  in.ids = all;
  in.lengths = lengths;
  const tensor<float> logits = m->logits(in);
  for (std::int64_t s = 0; s < logits.rows(); ++s)
    CHECK(distance(logits.row(s),
                   floats(golden["sequences"][static_cast<std::size_t>(s)]["logits"]),
                   3) < tolerance);
  const temporary_folder folder;
  m->save_pretrained(folder.path());
  const auto again = models::load_sequence_classifier(models::open_checkpoint(folder.path()));
  CHECK(same_bits(again->logits(in), logits));
  const ids no_end{0, 5, 6};
  in.ids = no_end;
  in.lengths = {};
  CHECK(has(message_of([&] { m->logits(in); }), "has no end-of-sequence id 2"));
  CHECK(has(message_of([&] { models::load_masked_lm(opened); }), "Bart as ForMaskedLM"));
}

TEST_CASE("encoder-decoders: what does not fit is refused by name") {
  const auto bart = load_model(folders / "bart");
  const auto options = options_of(*bart, {{"max_new_tokens", 4}});
  const auto refused = [&](const std::vector<ids>& sources) {
    return message_of([&] { generation::generate(*bart, sources, options); });
  };
  CHECK(has(refused({ids()}), "an empty source"));
  CHECK(has(refused({ids(65, 5)}), "position 64 is past the model's 64 positions"));
  CHECK(generation::generate(*bart, std::vector<ids>(), options).empty());
  auto none = options;
  none.decoder_start_token_id.reset();
  none.bos_token_id.reset();
  CHECK(
      has(message_of([&] { generation::decoder_start(none); }), "decoder_start_token_id: not set"));
  CHECK(has(message_of([&] { load_model(data / "gpt2"); }),
            "model_type 'gpt2' is not an encoder-decoder"));
  CHECK(has(message_of([&] { load(folders / "t5"); }), "model_type 't5' is not a decoder"));
}
