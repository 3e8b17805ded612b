// SPDX-License-Identifier: Apache-2.0
// Every metric against the frozen sample of the originals' results, and against the examples that
// evaluate prints for its modules (cards.jsonl).
#include "golden.hpp"

#include <doctest/doctest.h>

TEST_CASE("metrics have the originals' numbers, also when they are merged") {
  for (const char* name : {"sacrebleu", "chrf", "ter", "bleu", "google_bleu", "nltk_bleu", "rouge",
                           "meteor", "error_rate", "exact_match", "squad", "squad_v2", "labels",
                           "numbers", "glue", "super_glue", "seqeval", "measurements", "mauve"}) {
    CAPTURE(name);
    const bool needs_wordnet =
        name == std::string_view("meteor") || name == std::string_view("cards");
    if (needs_wordnet &&
        !std::ifstream(std::string(parlance::metrics::wordnet::debian) + "/data.noun"))
      continue;
    const auto cases =
        metrics_golden::read_cases(std::string(PARLANCE_TEST_DATA "/metrics/") + name + ".jsonl");
    REQUIRE(cases.size() >= 40);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      CAPTURE(i);
      CHECK(metrics_golden::difference(cases[i]) == "");
    }
  }
}
