// SPDX-License-Identifier: Apache-2.0
// Byte-pair training against the vocabularies that the Python original learns from the same texts.
#include "parlance/tokenizers/bpe_trainer.hpp"

#include <doctest/doctest.h>

#include "tokenizer_data.hpp"

using namespace parlance;
using namespace parlance::tokenizers;

namespace {

bpe_trainer_options options_of(const json& o) {
  bpe_trainer_options out;
  out.vocab_size = o.at("vocab_size").get<std::size_t>();
  out.min_frequency = o.value("min_frequency", 0);
  out.special_tokens = o.at("special_tokens").get<std::vector<std::string>>();
  return out;
}

}  // namespace

TEST_CASE("byte-level BPE learns the original's tokens and merges") {
  const json data = parlance_test::tokenizer_data("bpe_training.json");
  for (const json& c : data.at("cases")) {
    const auto texts = c.at("texts").get<std::vector<std::string>>();
    const tokenizer learned = train_byte_level_bpe(texts, options_of(c.at("options")));
    const json file = json::parse(learned.to_json());
    std::vector<std::string> tokens(file.at("model").at("vocab").size());
    for (const auto& [token, id] : file.at("model").at("vocab").items())
      tokens.at(id.get<std::size_t>()) = token;
    CHECK(tokens == c.at("tokens").get<std::vector<std::string>>());
    CHECK(file.at("model").at("merges") == c.at("merges"));
    for (const std::string& text : texts) CHECK(learned.decode(learned.encode_ids(text)) == text);
  }
}

TEST_CASE("training reports progress and can be stopped") {
  const std::vector<std::string> texts = {"the quick brown fox", "the quick brown fox jumps"};
  std::uint64_t last = 0;
  bpe_trainer_options o;
  o.vocab_size = 270;
  o.on_progress = [&](const progress& p) {
    CHECK(p.done > last);
    CHECK(p.total == 270);
    last = p.done;
  };
  train_byte_level_bpe(texts, o);
  CHECK(last == 270);
  o.on_progress = [](const progress&) { return flow::stop; };
  CHECK_THROWS_AS(train_byte_level_bpe(texts, o), cancelled_error);
  std::stop_source stop;
  stop.request_stop();
  bpe_trainer_options cancelled;
  cancelled.stop = stop.get_token();
  CHECK_THROWS_AS(train_byte_level_bpe(texts, cancelled), cancelled_error);
}

TEST_CASE("special tokens in the text are cut out before training") {
  bpe_trainer_options o;
  o.vocab_size = 300;
  o.special_tokens = {"<|end|>"};
  const tokenizer t = train_byte_level_bpe(std::vector<std::string>{"ab<|end|>ab<|end|>ab"}, o);
  CHECK(t.encode_ids("ab<|end|>ab").size() == 3);
  CHECK(!t.token_to_id("<|"));
}
