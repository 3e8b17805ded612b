// SPDX-License-Identifier: Apache-2.0
// Words as nltk finds them (metrics_cases.py, words.jsonl), also where no rule but the simplest is
// needed.
#include <doctest/doctest.h>

#include <fstream>

#include "parlance/core/json.hpp"
#include "parlance/metrics/word_tokenize.hpp"

namespace metrics = parlance::metrics;

TEST_CASE("words are nltk's") {
  std::ifstream in(PARLANCE_TEST_DATA "/metrics/words.jsonl");
  std::string buffer;
  int texts = 0, plain = 0;
  for (std::string line; std::getline(in, line); ++texts) {
    const auto c = parlance::parse_json(line, "words.jsonl");
    const auto text = c["text"].get<std::string>();
    CAPTURE(text);
    metrics::words words, simple;
    metrics::word_tokenize(text, buffer, words);
    CHECK(std::vector<std::string>(words.begin(), words.end()) ==
          c["words"].get<std::vector<std::string>>());
    plain += metrics::detail::plain_words(text, simple).run();
  }
  CHECK(texts == 400);
  CHECK(plain > 20);
}
