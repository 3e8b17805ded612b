// SPDX-License-Identifier: Apache-2.0
// What all metrics share: errors with their place, metrics of one's own, combining, resampling,
// reports. Numbers are those printed by the originals (evaluate's cards, sacrebleu's tests).
#include <doctest/doctest.h>

#include "parlance/metrics/json_lines.hpp"
#include "parlance/metrics/load.hpp"
#include "parlance/metrics/report.hpp"
#include "parlance/metrics/significance.hpp"

namespace metrics = parlance::metrics;

namespace {

const std::vector<std::string> dog = {"The dog bit the man.", "It wasn't surprising.",
                                      "The man had just bitten him."};
const std::vector<std::vector<std::string>> dog_references = {
    {"The dog bit the man.", "The dog had bit the man."},
    {"It was not unexpected.", "No one was surprised."},
    {"The man bit him first.", "The man had bitten the dog."}};

struct mean_length {
  void add(std::string_view prediction, metrics::texts) { total += prediction.size(), ++n; }
  double compute() const { return static_cast<double>(total) / static_cast<double>(n); }
  std::size_t total = 0, n = 0;
};
static_assert(metrics::metric<mean_length>);
static_assert(metrics::metric<metrics::bleu> && metrics::mergeable<metrics::bleu>);

template <class F>
std::string message(F&& f) {
  try {
    f();
  } catch (const parlance::error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("resampling draws what numpy draws") {
  const metrics::sacrebleu bleu;
  const auto lines = metrics::measure_lines(bleu, dog, dog_references);
  const metrics::interval i = metrics::bootstrap(bleu, lines);
  CHECK(i.score == 48.530827009929865);
  CHECK(i.mean == 46.95974811953181);
  CHECK(i.half_width == 46.754996737202504);
  // A system does not differ from itself.
  CHECK(metrics::paired_bootstrap(bleu, lines, lines).p_value == 1.0 / 1001);
  CHECK(metrics::approximate_randomization(bleu, lines, lines).p_value == 1.0 / 10001);
}

TEST_CASE("sentence scores") {
  metrics::sacrebleu bleu({.use_effective_order = true});
  const auto r = bleu.sentence_score("the cat sat on the mat", "the cat is on the mat");
  CHECK(r.score == 37.99178428257963);
  CHECK(bleu.lines() == 0);
  metrics::ter ter;
  CHECK(ter.sentence_score("", "a").score == 100);
  CHECK(ter.sentence_score("a", "").score == 100);
  CHECK(ter.sentence_score("", "").score == 0);
  CHECK(ter.sentence_score("d e f g h a b c", "a b c d e f g h").score == 12.5);
}

TEST_CASE("a metric of one's own joins the others") {
  metrics::combined all;
  all.include("bleu", metrics::load("bleu"));
  all.include("mean_length", metrics::make_any(mean_length{}));
  const std::string report = metrics::evaluate(all, dog, dog_references);
  CHECK(report.find("\nmetric") != report.npos);
  CHECK(metrics::find(all.compute(), "metric")->number() == 69.0 / 3);
}

TEST_CASE("combined metrics name what two of them have") {
  metrics::combined all;
  for (const char* name : {"accuracy", "precision", "precision"})
    all.include(name, metrics::load(name));
  for (const auto& [p, r] : {std::pair(0.0, 1.0), std::pair(1.0, 1.0)})
    all.add(metrics::item(p), metrics::item(r));
  const metrics::record r = all.compute();
  CHECK(metrics::find(r, "accuracy")->number() == 0.5);
  CHECK(metrics::find(r, "precision_0_precision")->number() == 1.0);
  CHECK(metrics::find(r, "precision_1_precision")->number() == 1.0);
}

TEST_CASE("lines of JSON") {
  using parlance::json;
  metrics::combined data, texts;
  data.include("word_count", metrics::load("word_count"));
  data.include("text_duplicates", metrics::load("text_duplicates"));
  for (const json& line :
       {json("hello sun"), json{{"data", {"hello moon", "hello sun"}}},
        json{{"prediction", "hello sun"}, {"references", {"x"}}}, json{{"prediction", "bye"}}})
    metrics::add_json(data, line);
  CHECK(metrics::find(data.compute(), "total_word_count")->number() == 9);
  CHECK(metrics::find(data.compute(), "duplicate_fraction")->number() == 1 - 3.0 / 5);
  texts.include("bleu", metrics::load("bleu"));
  metrics::add_json(texts, json{{"prediction", "a b c d"}, {"references", "a b c d"}});
  CHECK(metrics::find(texts.compute(), "bleu")->number() == 1);
  CHECK(message([&] { metrics::add_json(texts, json("a"), "line 2"); }) ==
        "line 2: expected {\"prediction\": ..., \"references\": [...]}");
  CHECK(message([&] {
          metrics::add_json(data, json{{"id", 3}}, "line 2");
        }) == "line 2: key 'idx' not found");
  CHECK(message([&] { metrics::add_json(data, json(3), "line 2"); }) ==
        "word_count: expected text");
}

TEST_CASE("errors say where and what") {
  metrics::bleu bleu;
  bleu.add("a", "b");
  CHECK(message([&] { bleu.add("a\xFF", "b"); }) ==
        "prediction of line 2: invalid UTF-8 at byte 1");
  CHECK(message([&] {
          bleu.add("a", {"b", "\xC3"});
        }) == "reference of line 2: invalid UTF-8 at byte 0");
  CHECK(message([&] { bleu.add("a", std::vector<std::string>{}); }) ==
        "references of line 2: expected at least one text");
  CHECK(bleu.lines() == 1);
  CHECK(message([&] { bleu.add_batch(dog, std::vector<std::string>{"x"}); }) ==
        "Mismatch in the number of predictions (3) and references (1)");
  CHECK(message([] { metrics::rouge().compute(); }) == "rouge: nothing was added");
  CHECK(message([] { metrics::load("rouges"); }) ==
        "unknown metric 'rouges' (did you mean 'rouge'?)");
  CHECK(message([] {
          metrics::load("bleu", {{"max_ordr", "3"}});
        }) == "bleu: unknown option 'max_ordr' (did you mean 'max_order'?)");
  CHECK(message([] {
          metrics::load("chrf", {{"beta", "two"}});
        }) == "chrf: beta: expected a number, got 'two'");
  CHECK(message([] {
          metrics::load("meteor", {{"wordnet", "/nowhere"}});
        }) ==
        "/nowhere/index.noun: cannot be opened (install wordnet-base or name WordNet's folder)");
  metrics::bleu other({.max_order = 2});
  CHECK(message([&] { bleu.merge(other); }) ==
        "merge: the two accumulators have different options");
}

TEST_CASE("long and repeated texts stay quick") {
  std::string same, mixed;
  for (int i = 0; i < 20000; ++i) same += "a ", mixed += i % 3 ? "a " : "b ";
  metrics::sacrebleu bleu;
  metrics::chrf chrf({.word_order = 2});
  metrics::rouge rouge;
  metrics::mer mer;
  bleu.add(same, mixed);
  chrf.add(same, mixed);
  rouge.add(same, mixed);
  mer.add(same, mixed);
  CHECK(bleu.compute().counts[0] == 13333);
  CHECK(chrf.compute().score > 0);
  CHECK(rouge.compute().scores[0] == doctest::Approx(13333.0 / 20000));
  CHECK(mer.compute().rate == doctest::Approx(6667.0 / 20000));
}

TEST_CASE("reports") {
  const metrics::report_column one{"a<b", {{"score", 0.5}, {"counts", std::vector<double>{1, 2}}}};
  metrics::report_column two = one;
  two.name = "two";
  two.intervals = {{"score", 0.25, 0.75}};
  two.p_values = {{"score", 0.04}};
  CHECK(metrics::report({{"", one.fields}}, metrics::report_format::json) ==
        "{\"score\": 0.5, \"counts\": [1.0, 2.0]}\n");
  CHECK(metrics::report({one, two}, metrics::report_format::text) ==
        "        a<b         two\n"
        "score   0.5         0.5 [0.2500, 0.7500] (p = 0.0400)\n"
        "counts  [1.0, 2.0]  [1.0, 2.0]\n");
  CHECK(metrics::report({one}, metrics::report_format::csv) ==
        "metric,a<b\nscore,0.5\ncounts,\"[1.0, 2.0]\"\n");
  const std::string page = metrics::report({one, two}, metrics::report_format::html);
  CHECK(page.find("a&lt;b") != page.npos);
  CHECK(page.find("<line ") != page.npos);
  CHECK(page.find("http") == page.npos);  // nothing is loaded from elsewhere
}
