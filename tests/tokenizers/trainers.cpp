// SPDX-License-Identifier: Apache-2.0
// Trainers against what the original learns from the same texts. Where the original's runs differ
// among themselves (hash order), what all of its runs share has to be there, and nothing that no
// run has.
#include "parlance/tokenizers/trainers.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance_test;
namespace tok = parlance::tokenizers;

namespace {

using strings = std::vector<std::string>;

void read_shared(const json& o, tok::trainer_options& out) {
  out.vocab_size = o.at("vocab_size").get<std::size_t>();
  out.special_tokens = o.at("special_tokens").get<strings>();
}

void read_bpe(const json& o, tok::bpe_trainer_options& out) {
  read_shared(o, out);
  out.min_frequency = o.value("min_frequency", 0);
  out.initial_alphabet = o.value("initial_alphabet", strings{});
  if (o.contains("limit_alphabet")) out.limit_alphabet = o["limit_alphabet"].get<std::size_t>();
  if (o.contains("max_token_length"))
    out.max_token_length = o["max_token_length"].get<std::size_t>();
  out.continuing_subword_prefix =
      o.value("continuing_subword_prefix", out.continuing_subword_prefix);
  out.end_of_word_suffix = o.value("end_of_word_suffix", "");
}

tok::tokenizer train(const json& c, const strings& texts) {
  const std::string kind = c.at("kind");
  const json& o = c.at("options");
  if (kind == "unigram") {
    tok::unigram_trainer_options options;
    read_shared(o, options);
    if (o.contains("unk_token")) options.unk_token = o["unk_token"].get<std::string>();
    options.initial_alphabet = o.value("initial_alphabet", strings{});
    options.n_sub_iterations = o.value("n_sub_iterations", 2u);
    options.shrinking_factor = o.value("shrinking_factor", 0.75);
    options.max_piece_length = o.value("max_piece_length", std::size_t{16});
    options.seed_size = o.value("seed_size", options.seed_size);
    return tok::train_from_iterator(c.at("components"), texts, options);
  }
  if (kind == "wordlevel") {
    tok::word_level_trainer_options options;
    read_shared(o, options);
    options.min_frequency = o.value("min_frequency", 0);
    return tok::train_from_iterator(c.at("components"), texts, options);
  }
  if (kind == "wordpiece") {
    tok::word_piece_trainer_options options;
    read_bpe(o, options);
    return tok::train_from_iterator(c.at("components"), texts, options);
  }
  tok::bpe_trainer_options options;
  read_bpe(o, options);
  return tok::train_from_iterator(c.at("components"), texts, options);
}

strings tokens_by_id(const json& vocab) {
  strings out;
  if (vocab.is_array()) {
    for (const json& piece : vocab) out.push_back(piece.at(0));
    return out;
  }
  out.resize(vocab.size());
  for (const auto& [token, id] : vocab.items()) out.at(id.get<std::size_t>()) = token;
  return out;
}

// Scores of a Unigram model beside the mean of the original's runs: the runs add floating-point
// numbers in different orders (1e-6), and number characters that were pruned away in the order of a
// hash table (their spread).
void check_scores(const json& c, const json& model) {
  std::map<std::string, double> got;
  for (const json& piece : model.at("vocab")) got[piece.at(0)] = piece.at(1);
  for (std::size_t i = 0; i < c.at("always").size(); ++i) {
    const std::string piece = c["always"][i];
    CAPTURE(piece);
    const double wanted = c.at("scores")[i], spread = c.at("spread")[i];
    CHECK(std::abs(got[piece] - wanted) <= 1e-6 * std::abs(wanted) + spread);
  }
  const json unk = model.value("unk_id", json());
  CHECK(unk == c.at("unk_id"));
}

}  // namespace

TEST_CASE("trainers learn the original's vocabulary") {
  const json data = tokenizer_data("training.json");
  for (const json& c : data.at("cases")) {
    const std::string name = c.at("kind").get<std::string>() + " " + c.at("options").dump();
    CAPTURE(name);
    const bool scored = c["kind"] == "unigram";
    const auto texts = data.at(c["texts"].get<std::string>()).get<strings>();
    const json model = json::parse(train(c, texts).to_json()).at("model");
    const strings tokens = tokens_by_id(model.at("vocab"));
    if (c.contains("tokens")) {
      CHECK(tokens == c["tokens"].get<strings>());
      if (c["kind"] == "bpe") CHECK(model.at("merges") == c["merges"]);
      continue;
    }
    const auto sizes = c.at("size").get<std::vector<std::size_t>>();
    CHECK(tokens.size() >= sizes.front());
    CHECK(tokens.size() <= sizes.back());
    const std::set<std::string> got(tokens.begin(), tokens.end());
    std::set<std::string> allowed;
    for (const std::string token : c.at("always")) {
      CAPTURE(token);
      CHECK(got.contains(token));
      allowed.insert(token);
    }
    for (const std::string token : c.at("sometimes")) allowed.insert(token);
    for (const std::string& token : tokens) {
      CAPTURE(token);
      CHECK(allowed.contains(token));
    }
    if (scored) check_scores(c, model);
  }
}

TEST_CASE("training reports progress and can be stopped, whatever the model") {
  const strings texts{"the quick brown fox", "the quick brown fox jumps over the lazy dog"};
  const json components = {{"pre_tokenizer", {{"type", "Whitespace"}}}};
  const auto check = [&](auto options) {
    options.vocab_size = 60;
    std::uint64_t calls = 0;
    options.on_progress = [&](const progress& p) {
      CHECK(p.stage == "train");
      ++calls;
    };
    tok::train_from_iterator(components, texts, options);
    CHECK(calls > 0);
    options.on_progress = [](const progress&) { return flow::stop; };
    CHECK_THROWS_AS(tok::train_from_iterator(components, texts, options), cancelled_error);
    options.on_progress = nullptr;
    std::stop_source stop;
    stop.request_stop();
    options.stop = stop.get_token();
    CHECK_THROWS_AS(tok::train_from_iterator(components, texts, options), cancelled_error);
  };
  check(tok::bpe_trainer_options{});
  check(tok::word_piece_trainer_options{});
  check(tok::word_level_trainer_options{});
  check(tok::unigram_trainer_options{});
}

TEST_CASE("impossible training options are refused") {
  const strings texts{"the quick brown fox jumps over the lazy dog the quick"};
  tok::unigram_trainer_options o;
  o.vocab_size = 5;
  CHECK_THROWS_AS(tok::train_from_iterator({}, texts, o), option_error);
  o.special_tokens = {"a", "b", "c", "d", "e"};
  CHECK_THROWS_AS(tok::train_from_iterator({}, texts, o), option_error);
  o = {};
  o.shrinking_factor = 1.5;
  CHECK_THROWS_AS(tok::train_from_iterator({}, texts, o), option_error);
  o = {};
  o.max_piece_length = 0;
  CHECK_THROWS_AS(tok::train_from_iterator({}, texts, o), option_error);
  const json data = tokenizer_data("training.json"), refused = data.at("refused");
  CHECK_THROWS_AS(train(refused, data.at(refused["texts"].get<std::string>()).get<strings>()),
                  option_error);
  CHECK_THROWS_AS(tok::train_from_iterator({}, strings{"a\xFF"}, tok::bpe_trainer_options{}),
                  text_error);
  CHECK_THROWS_AS(tok::train_from_iterator({{"normalizer", {{"type", "Nope"}}}}, texts,
                                           tok::bpe_trainer_options{}),
                  unsupported_error);
}

TEST_CASE("a repeat is a substring with two continuations") {
  const std::u32string text = U"abcab|abd|";
  std::map<std::u32string, std::size_t> found;
  tok::impl::each_repeat(std::vector<char32_t>(text.begin(), text.end()), 4,
                         [&](std::size_t begin, std::size_t length, std::size_t count) {
                           found[text.substr(begin, length)] = count;
                         });
  CHECK(found == std::map<std::u32string, std::size_t>{{U"ab", 3}});
}
