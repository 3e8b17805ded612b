// SPDX-License-Identifier: Apache-2.0
// The same bits for any number of threads.
#include "parlance/metrics/parallel.hpp"

#include <doctest/doctest.h>

#include "parlance/metrics/rouge.hpp"
#include "parlance/metrics/ter.hpp"

namespace metrics = parlance::metrics;

TEST_CASE("threads do not change a score") {
  std::vector<std::string> predictions;
  std::vector<std::vector<std::string>> references;
  for (int i = 0; i < 3000; ++i) {
    const std::string a = std::to_string(i % 7), b = std::to_string(i % 5);
    predictions.push_back("the " + a + " dogs ran " + b + " times over the hill");
    references.push_back({"a dog ran over " + a, "the dogs ran " + b + " times", "hills"});
  }
  const auto both = [&](int threads) {
    parlance::use_pool pool(std::make_shared<parlance::thread_pool>(threads));
    metrics::ter ter;
    metrics::rouge rouge({.use_stemmer = true});
    metrics::add_parallel(ter, predictions, references);
    metrics::add_parallel(rouge, predictions, references);
    auto out = rouge.compute().scores;
    out.push_back(ter.compute().score);
    return out;
  };
  const auto one = both(1);
  CHECK(one == both(2));
  CHECK(one == both(5));
}
