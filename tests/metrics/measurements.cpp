// SPDX-License-Identifier: Apache-2.0
// Numbers of evaluate's cards, and skews by scipy 1.17.
#include "parlance/metrics/measurements.hpp"

#include <doctest/doctest.h>

namespace metrics = parlance::metrics;

TEST_CASE("label_distribution") {
  metrics::label_distribution m;
  for (const int label : {1, 0, 1, 1, 0, 1, 0}) m.add(std::int64_t{label});
  const auto r = m.compute();
  CHECK(r.labels == std::vector<std::string>{"1", "0"});
  CHECK(r.fractions == std::vector<double>{0.5714285714285714, 0.42857142857142855});
  CHECK(r.label_skew == doctest::Approx(-0.2886751345948127).epsilon(1e-14));
  metrics::label_distribution names, one;
  for (const char* label : {"a", "b", "c", "c"}) names.add(label), one.add("x");
  CHECK(names.compute().label_skew == doctest::Approx(-0.49338220021815865).epsilon(1e-14));
  CHECK(std::isnan(one.compute().label_skew));
}

TEST_CASE("words and duplicates") {
  metrics::word_length length;
  metrics::word_count count;
  metrics::text_duplicates duplicates;
  for (const char* text : {"hello sun and goodbye moon", "foo bar foo bar"})
    length.add(text), count.add(text);
  CHECK(length.compute().average_word_length == 4.5);
  CHECK(count.compute().total_word_count == 9);
  CHECK(count.compute().unique_words == 7);
  for (const char* text : {"hello sun", "hello moon", "hello sun"}) duplicates.add(text);
  CHECK(duplicates.compute().duplicate_fraction == 0.33333333333333337);
  REQUIRE(duplicates.compute().duplicates.size() == 1);
  CHECK(duplicates.compute().duplicates[0] == std::pair<std::string, std::int64_t>("hello sun", 2));
}

TEST_CASE("what measurements refuse") {
  metrics::label_distribution mixed;
  mixed.add(std::int64_t{1});
  CHECK_THROWS_AS(mixed.add("one"), parlance::option_error);
  metrics::word_count none;
  none.add("a b c");  // no word of two letters
  CHECK_THROWS_AS(none.compute(), parlance::option_error);
  CHECK_THROWS_AS(none.add("\xC3"), parlance::text_error);
  CHECK_THROWS_AS(metrics::word_length().compute(), parlance::option_error);
  CHECK_THROWS_AS(metrics::text_duplicates().compute(), parlance::option_error);
}
