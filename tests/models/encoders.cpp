// SPDX-License-Identifier: Apache-2.0
// Encoders of every family with every head against transformers; batches; names of old checkpoints;
// storage formats; saving; gradients.
#include "encoders.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "parlance/autograd/gradcheck.hpp"
#include "parlance/models/bert.hpp"
#include "parlance/models/deberta.hpp"
#include "parlance/models/encoder_heads.hpp"
#include "parlance/models/modernbert.hpp"

using namespace encoder_test;
using io_test::has;
using io_test::message_of;

namespace {

constexpr double tolerance = 2e-5;

// Rows [first, first + n) of a matrix.
std::span<const float> rows_of(const tensor<float>& x, std::int64_t first, std::int64_t n) {
  return {x.row(first), static_cast<std::size_t>(n * x.cols())};
}

// f(index, first row, rows) of each sequence.
template <class F>
void for_each_sequence(const sequences& s, const F& f) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < s.lengths.size(); at += s.lengths[i++]) f(i, at, s.lengths[i]);
}

bool has_head(const json& g, const char* head) { return g["heads"].contains(head); }

sequences training_pair(const json& training) {
  sequences s;
  for (const json& row : training["ids"]) s.add(row.get<ids_of>());
  return s;
}

ids_of joined(const json& rows) {
  ids_of out;
  for (const json& row : rows)
    for (const json& x : row) out.push_back(x.get<std::int32_t>());
  return out;
}

bool same_bits(const tensor<float>& a, const tensor<float>& b) {
  return a.dims() == b.dims() &&
         std::equal(a.values().begin(), a.values().end(), b.values().begin());
}

json class_of(const models::encoder_task& m) { return m.config()["architectures"][0]; }

}  // namespace

TEST_CASE("hidden states and poolers") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family), &head = g["heads"]["encoder"];
    const auto m = models::load_encoder(open(family, "encoder"));
    CHECK(class_of(*m) == head["class"]);
    const sequences all = packed(g["sequences"]);
    std::vector<tensor<float>> seen;
    models::encoder_input in = all.input();
    in.observe = [&](int, const void* x) { seen.push_back(*static_cast<const tensor<float>*>(x)); };
    const tensor<float> hidden = m->hidden(in);
    CHECK(hidden.cols() == m->hidden_size());
    for_each_sequence(all, [&](std::size_t i, std::int64_t at, std::int64_t n) {
      const json& expected = head["outputs"][i];
      CHECK(distance(rows_of(hidden, at, n), flat(expected["hidden"])) < tolerance);
      REQUIRE(expected["states"].size() == seen.size());
      // The last one of ModernBERT comes after the final norm, ours before it.
      const std::size_t states = seen.size() - family.starts_with("modernbert");
      for (std::size_t s = 0; s < states; ++s)
        CHECK(distance(rows_of(seen[s], at + n - 1, 1), flat(expected["states"][s])) < tolerance);
      if (expected.contains("pooled"))
        CHECK(distance(rows_of(m->pooled(hidden, in), static_cast<std::int64_t>(i), 1),
                       flat(expected["pooled"])) < tolerance);
      else
        CHECK_THROWS_AS(m->pooled(hidden, in), option_error);
    });
  }
}

TEST_CASE("masked language models") {
  for (const std::string& family : families) {
    const json g = golden(family);
    if (!has_head(g, "masked_lm")) continue;
    CAPTURE(family);
    const json& head = g["heads"]["masked_lm"];
    const auto m = models::load_masked_lm(open(family, "masked_lm"));
    CHECK(class_of(*m) == head["class"]);
    const sequences all = packed(g["sequences"]);
    const tensor<float> full = m->logits(all.input());
    for_each_sequence(all, [&](std::size_t i, std::int64_t at, std::int64_t n) {
      const std::int64_t rows[] = {at, at + n - 1};
      const tensor<float> logits = m->logits(all.input(), rows);
      CHECK(distance(logits.values(), flat(head["outputs"][i]["logits"])) < tolerance);
      CHECK(distance(rows_of(full, at, 1), flat(head["outputs"][i]["logits"][0])) < tolerance);
    });
    const json& training = head["training"];
    CHECK(m->loss(training_pair(training).input(), joined(training["labels"])).item() ==
          doctest::Approx(training["loss"].get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("sequence classification of one label, of many, and regression") {
  for (const std::string& family : families) {
    const json g = golden(family);
    CAPTURE(family);
    const json& head = g["heads"]["sequence"];
    models::opened_checkpoint from = open(family, "sequence");
    for (const char* kind :
         {"single_label_classification", "multi_label_classification", "regression"}) {
      from.config["problem_type"] = kind;
      const auto m = models::load_sequence_classifier(from);
      CHECK(class_of(*m) == head["class"]);
      CHECK(m->labels() == std::vector<std::string>{"LABEL_0", "LABEL_1", "LABEL_2"});
      CHECK(m->problem_type() == kind);
      const sequences all = packed(g["sequences"]);
      const tensor<float> logits = m->logits(all.input());
      for (std::int64_t i = 0; i < 3; ++i)
        CHECK(distance(rows_of(logits, i, 1),
                       flat(head["outputs"][static_cast<std::size_t>(i)]["logits"])) < tolerance);
      const json& training = head["training"];
      const sequences pair = training_pair(training);
      const json& labels = training[kind]["labels"];
      const float loss =
          labels[0].is_array()
              ? m->loss(pair.input(), tensor<float>::from({2, 3}, flat(labels))).item()
              : m->loss(pair.input(), labels.get<ids_of>()).item();
      CHECK(loss == doctest::Approx(training[kind]["loss"].get<double>()).epsilon(1e-4));
    }
  }
}

TEST_CASE("token classification") {
  for (const std::string& family : families) {
    const json g = golden(family);
    CAPTURE(family);
    const json& head = g["heads"]["token"];
    const auto m = models::load_token_classifier(open(family, "token"));
    CHECK(class_of(*m) == head["class"]);
    const sequences all = packed(g["sequences"]);
    const tensor<float> logits = m->logits(all.input());
    for_each_sequence(all, [&](std::size_t i, std::int64_t at, std::int64_t n) {
      CHECK(distance(rows_of(logits, at, n), flat(head["outputs"][i]["logits"])) < tolerance);
    });
    const json& training = head["training"];
    CHECK(m->loss(training_pair(training).input(), joined(training["labels"])).item() ==
          doctest::Approx(training["loss"].get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("question answering") {
  for (const std::string& family : families) {
    const json g = golden(family);
    CAPTURE(family);
    const json& head = g["heads"]["question"];
    const auto m = models::load_question_answerer(open(family, "question"));
    CHECK(class_of(*m) == head["class"]);
    const sequences all = packed(g["sequences"]);
    const tensor<float> logits = m->logits(all.input());
    for_each_sequence(all, [&](std::size_t i, std::int64_t at, std::int64_t n) {
      CHECK(distance(rows_of(logits, at, n), flat(head["outputs"][i]["logits"])) < tolerance);
    });
    const json& training = head["training"];
    CHECK(m->loss(training_pair(training).input(), training["first"].get<ids_of>(),
                  training["last"].get<ids_of>())
              .item() == doctest::Approx(training["loss"].get<double>()).epsilon(1e-4));
  }
}

TEST_CASE("multiple choice") {
  for (const std::string& family : families) {
    const json g = golden(family);
    if (!has_head(g, "choice")) continue;
    CAPTURE(family);
    const json& head = g["heads"]["choice"];
    const auto m = models::load_multiple_choice(open(family, "choice"));
    CHECK(class_of(*m) == head["class"]);
    const sequences all = packed(g["sequences"]);
    const tensor<float> logits = m->logits(all.input());
    for (std::int64_t i = 0; i < 3; ++i)
      CHECK(distance(rows_of(logits, i, 1),
                     flat(head["outputs"][static_cast<std::size_t>(i)]["logits"])) < tolerance);
    const json& training = head["training"];
    const ids_of label{training["label"].get<std::int32_t>()};
    CHECK(m->loss(training_pair(training).input(), 2, label).item() ==
          doctest::Approx(training["loss"].get<double>()).epsilon(1e-4));
    CHECK_THROWS_AS(m->loss(all.input(), 2, label), shape_error);
  }
}

TEST_CASE("a batch, its sequences alone and any number of threads give the same bits") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family);
    const auto m = models::load_encoder(open(family, "encoder"));
    sequences all = packed(g["sequences"]);
    // Products of many rows have kernels of their own.
    for (int copies = 0; copies < 4; ++copies)
      all.add(ids_of(all.ids.begin(), all.ids.begin() + 23),
              ids_of(all.type_ids.begin(), all.type_ids.begin() + 23));
    const tensor<float> together = m->hidden(all.input());
    for_each_sequence(all, [&](std::size_t i, std::int64_t at, std::int64_t n) {
      static_cast<void>(i);
      sequences one;
      one.add(ids_of(all.ids.begin() + at, all.ids.begin() + at + n),
              ids_of(all.type_ids.begin() + at, all.type_ids.begin() + at + n));
      const tensor<float> alone = m->hidden(one.input());
      const auto part = rows_of(together, at, n);
      CHECK(std::equal(part.begin(), part.end(), alone.values().begin()));
    });
    const auto classifier = models::load_sequence_classifier(open(family, "sequence"));
    const tensor<float> scores = classifier->logits(all.input());
    sequences first;
    first.add({all.ids[0]}, {all.type_ids[0]});
    const auto row = rows_of(scores, 0, 1);
    CHECK(std::equal(row.begin(), row.end(), classifier->logits(first.input()).values().begin()));
    for (const int threads : {1, 3}) {
      const use_pool pool(std::make_shared<thread_pool>(threads));
      CHECK(same_bits(m->hidden(all.input()), together));
    }
  }
}

TEST_CASE("names of checkpoints: without prefix, TensorFlow's norms, buffers, other heads") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const json g = golden(family);
    const sequences all = packed(g["sequences"]);
    const std::string prefix = family.starts_with("deberta")                      ? "deberta."
                               : family.starts_with("modernbert")                 ? "model."
                               : family.starts_with("bert")                       ? "bert."
                               : family == "xlm_roberta" || family == "camembert" ? "roberta."
                                                                                  : family + ".";
    const auto old = [&](const std::string& name) {
      std::string n = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
      const auto replace = [&n](std::string_view from, const char* to) {
        if (n.ends_with(from)) n = n.substr(0, n.size() - from.size()) + to;
      };
      replace("LayerNorm.weight", "LayerNorm.gamma");
      replace("LayerNorm.bias", "LayerNorm.beta");
      return n;
    };
    const auto expected = models::load_sequence_classifier(open(family, "sequence"));
    models::opened_checkpoint from = open(family, "sequence", old);
    std::vector<io::stored_tensor> list(from.tensors->tensors().begin(),
                                        from.tensors->tensors().end());
    for (const char* extra : {"embeddings.position_ids", "another_head.weight"}) {
      list.push_back(list.front());
      list.back().name = extra;
    }
    from.tensors = std::make_shared<io::tensor_table>("old", list);
    const auto m = models::load_sequence_classifier(from);
    CHECK(same_bits(m->logits(all.input()), expected->logits(all.input())));
    // The backbone serves without its head, too.
    CHECK_NOTHROW(models::load_encoder(from));
    // But nothing of the backbone is left over in silence.
    list.push_back(list.front());
    list.back().name = prefix + "embeddings.surprise.weight";
    from.tensors = std::make_shared<io::tensor_table>("old", std::move(list));
    CHECK(has(message_of([&] { models::load_encoder(from); }), "surprise"));
  }
}

TEST_CASE("a head that is missing is an error that lists it, or made anew on request") {
  models::opened_checkpoint from = open("bert", "encoder");
  const std::string message = message_of([&] { models::load_sequence_classifier(from); });
  CHECK(has(message, "classifier.weight"));
  CHECK(has(message, "classifier.bias"));
  models::encoder_load_options fresh;
  fresh.fresh_head = true;
  fresh.seed = 3;
  from.config["id2label"] = {{"0", "no"}, {"1", "yes"}};
  const auto m = models::load_sequence_classifier(from, fresh);
  CHECK(m->labels() == std::vector<std::string>{"no", "yes"});
  const sequences all = packed(golden("bert")["sequences"]);
  CHECK(m->logits(all.input()).cols() == 2);
  CHECK(same_bits(models::load_sequence_classifier(from, fresh)->logits(all.input()),
                  m->logits(all.input())));
  // The pooler was in the file and is not made anew.
  const auto plain = models::load_encoder(open("bert", "encoder"));
  CHECK_NOTHROW(plain->pooled(plain->hidden(all.input()), all.input()));
}

TEST_CASE("saved and loaded: the same bits") {
  for (const std::string& family : families) {
    CAPTURE(family);
    const io_test::temporary_folder folder;
    const sequences all = packed(golden(family)["sequences"]);
    const auto m = models::load_sequence_classifier(open(family, "sequence"));
    m->save_pretrained(folder.path());
    const auto again = models::load_sequence_classifier(models::open_checkpoint(folder.path()));
    CHECK(same_bits(again->logits(all.input()), m->logits(all.input())));
    CHECK(again->config() == m->config());
    const auto bare = models::load_encoder(open(family, "encoder"));
    bare->save_pretrained(folder / "bare");
    CHECK(same_bits(
        models::load_encoder(models::open_checkpoint(folder / "bare"))->hidden(all.input()),
        bare->hidden(all.input())));
  }
}

TEST_CASE("narrow weights stay near") {
  // Random weights of bf16 values: bf16 storage is exact, q8_0 rounds to 8 bits.
  models::encoder_load_options bf16, q8;
  bf16.weights = format::bf16;
  q8.weights = format::q8_0;
  const json config = {
      {"model_type", "bert"},         {"vocab_size", 90},       {"hidden_size", 64},
      {"intermediate_size", 128},     {"num_hidden_layers", 2}, {"num_attention_heads", 2},
      {"max_position_embeddings", 64}};
  auto wide = models::encoder_families().at("bert").make_encoder(config, false);
  nn::init<float>(*wide, 7, 0.1);
  models::encoder_task_access::set(*wide, config, {});
  const io_test::temporary_folder folder;
  wide->save_pretrained(folder.path());
  sequences s;
  s.add({3, 4, 5, 6, 7, 8, 9, 10, 11}), s.add({50, 40, 30});
  s.type_ids.clear();
  const tensor<float> expected = wide->hidden(s.input());
  for (const auto& [options, least, most] :
       {std::tuple(bf16, 1e-4, 0.01), std::tuple(q8, 1e-4, 0.02)}) {
    const auto m = models::load_encoder(models::open_checkpoint(folder.path()), options);
    const tensor<float> got = m->hidden(s.input());
    double difference = 0, size = 0;
    for (std::int64_t i = 0; i < got.size(); ++i) {
      difference += std::pow(double{got.data()[i]} - double{expected.data()[i]}, 2);
      size += std::pow(double{expected.data()[i]}, 2);
    }
    CHECK(std::sqrt(difference / size) < most);
    CHECK(std::sqrt(difference / size) > least);
  }
}

TEST_CASE("what is refused") {
  const auto m = models::load_encoder(open("bert", "encoder"));
  sequences s;
  s.add(ids_of(41, 5));
  s.type_ids.clear();
  CHECK(has(message_of([&] { m->hidden(s.input()); }), "41 rows is longer than the model's 40"));
  s.ids.resize(5);
  CHECK(has(message_of([&] { m->hidden(s.input()); }), "sequence 0 of 41 rows"));
  s.lengths = {2, 2};
  CHECK(has(message_of([&] { m->hidden(s.input()); }), "5 ids for sequences of 4 rows"));
  s.lengths = {2, 0, 3};
  CHECK_THROWS_AS(m->hidden(s.input()), shape_error);
  s.lengths.clear();
  CHECK_NOTHROW(m->hidden(s.input()));
  s.type_ids = {0, 0};
  CHECK(has(message_of([&] { m->hidden(s.input()); }), "2 type ids for 5 ids"));
  s.type_ids = {0, 1, 2, 0, 0};
  CHECK_THROWS_AS(m->hidden(s.input()), shape_error);
  s.type_ids.clear();
  s.ids[2] = 71;
  CHECK(has(message_of([&] { m->hidden(s.input()); }), "id 71 is outside the vocabulary of 71"));
  std::stop_source stop;
  stop.request_stop();
  s.ids[2] = 7;
  models::encoder_input in = s.input();
  in.stop = stop.get_token();
  CHECK_THROWS_AS(m->hidden(in), cancelled_error);
  for (const auto& [key, value] : {std::pair<const char*, json>("model_type", "llama"),
                                   {"num_attention_heads", 5},
                                   {"hidden_size", "wide"},
                                   {"position_embedding_type", "relative_key"},
                                   {"hidden_size", 48}}) {
    models::opened_checkpoint from = open("bert", "encoder");
    from.config[key] = value;
    CHECK_THROWS_AS(models::load_encoder(from), error);
  }
}

namespace {

// Gradients of a tiny model in double: for every parameter that is trained, at some elements.
template <class Backbone>
void check_model(const json& config, typename Backbone::config_type (*read)(const json&)) {
  auto c = read(config);
  c.labels = {"a", "b"};
  models::encoder_with_head<Backbone> m(c, c.sequence, 2);
  nn::init<double>(m, 3, 0.3);
  const std::vector<std::int32_t> ids{3, 5, 7, 4, 9, 9}, labels{1, 0, 1};
  const std::vector<std::int64_t> lengths{3, 1, 2};
  models::encoder_input in;
  in.ids = ids;
  in.lengths = lengths;
  const auto loss = [&] { return ops::cross_entropy<double>(m.of_sequences(in), labels); };
  nn::unfreeze<double>(m);
  autograd::backward(loss());
  nn::for_each_parameter<double>(m, [&](const std::string& name, nn::parameter<double>& p) {
    CAPTURE(name);
    tensor<double>& value = *p.value.dense();
    const tensor<double> slope = autograd::grad(value);
    const autograd::no_grad off;
    for (std::int64_t i = 0; i < value.size(); i += 1 + value.size() / 5) {
      double& x = value.data()[i];
      const double kept = x, step = 1e-4;
      x = kept + step;
      const double up = loss().item();
      x = kept - step;
      const double down = loss().item();
      x = kept;
      const double got = slope.defined() ? slope.data()[i] : 0;
      CHECK(got == doctest::Approx((up - down) / (2 * step)).epsilon(1e-5).scale(1e-2));
    }
  });
}

json tiny(const char* type, json more = json::object()) {
  json c = {{"model_type", type},           {"vocab_size", 12},         {"hidden_size", 8},
            {"num_hidden_layers", 2},       {"num_attention_heads", 2}, {"intermediate_size", 6},
            {"max_position_embeddings", 10}};
  c.update(more);
  return c;
}

}  // namespace

TEST_CASE("gradients of tiny classifiers in double") {
  check_model<models::bert<double>>(tiny("bert"), models::read_bert_config);
  check_model<models::bert<double>>(tiny("mpnet"), models::read_bert_config);
  check_model<models::bert<double>>(
      tiny("albert", {{"embedding_size", 4}, {"num_hidden_groups", 1}}), models::read_bert_config);
  const json relative = {{"relative_attention", true}, {"pos_att_type", {"c2p", "p2c"}}};
  check_model<models::deberta<double>>(tiny("deberta", relative), models::read_deberta_config);
  json shared = relative;
  shared.update({{"share_att_key", true}, {"position_buckets", 4}, {"norm_rel_ebd", "layer_norm"}});
  shared.update({{"conv_kernel_size", 3}});
  check_model<models::deberta<double>>(tiny("deberta-v2", shared), models::read_deberta_config);
  for (const json& wrong : {json{{"conv_kernel_size", 4}}, json{{"conv_groups", 2}}})
    CHECK_THROWS_AS(models::read_deberta_config(tiny("deberta-v2", wrong)), error);
  check_model<models::modernbert<double>>(
      tiny("modernbert", {{"local_attention", 2}, {"classifier_pooling", "mean"}}),
      models::read_modernbert_config);
}
