// SPDX-License-Identifier: Apache-2.0
// Logits processors, alone and combined, against transformers (generation_processors.py); drawing
// from scores; the parts of stopping that need no model.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "generation_inputs.hpp"
#include "parlance/generation/config_json.hpp"
#include "parlance/generation/logits_processors.hpp"
#include "parlance/generation/sampler.hpp"
#include "parlance/generation/stopping.hpp"
#include "parlance/generation/text_stream.hpp"

using namespace parlance;
using namespace parlance::generation;
using namespace generation_test;

namespace {

std::vector<float> expected_scores(const json& c, std::vector<float> scores) {
  if (c.contains("m")) {  // a hexadecimal set of what became -inf; the rest is as it was
    const std::string digits = c["m"];
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const std::size_t from_right = i / 4;
      if (from_right >= digits.size()) continue;
      const int digit = std::stoi(digits.substr(digits.size() - 1 - from_right, 1), nullptr, 16);
      if (digit >> (i % 4) & 1) scores[i] = minus_infinity;
    }
    return scores;
  }
  const auto bytes = base64(c["v"].get<std::string>());
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

// Which of several equal scores is kept is the original's accident: there only the values count.
void forget_order_of_ties(std::vector<float>& scores, std::string_view kind) {
  if (kind == "t" || kind == "b") std::sort(scores.begin(), scores.end());
}

bool near(float got, float expected) {
  if (std::isinf(expected) || std::isinf(got)) return got == expected;
  return std::abs(got - expected) <= 2e-5f * std::max(1.0f, std::abs(expected));
}

struct forbid_one {  // a processor of one's own
  std::int32_t id;
  void operator()(std::span<const std::int32_t>, std::span<float> scores) const {
    scores[static_cast<std::size_t>(id)] = minus_infinity;
  }
};
static_assert(logits_processor<forbid_one>);
static_assert(!logits_processor<int>);

}  // namespace

TEST_CASE("processors give the scores of transformers, in its order") {
  const json data = read_data("processors.json");
  REQUIRE(data["cases"].size() > 1000);
  for (const json& c : data["cases"]) {
    CAPTURE(c.dump());
    split_mix random{c["d"][0].get<std::uint64_t>()};
    const std::size_t vocabulary = c["d"][1], prompt = c["d"][2], fresh = c["d"][3];
    const auto ids = make_ids(random, prompt + fresh, c["d"][4]);
    const auto scores = make_scores(random, vocabulary, c["k"].get<std::string>()[0]);
    const resolved_config config = resolve(config_from_json(c["o"]));
    processor_list list = make_processors(config, std::span(ids).first(prompt), 2048);
    std::vector<float> got = scores;
    list(ids, got);
    std::vector<float> expected = expected_scores(c, scores);
    const std::string kind = c["k"];
    forget_order_of_ties(got, kind);
    forget_order_of_ties(expected, kind);
    bool same = got.size() == expected.size();
    for (std::size_t i = 0; same && i < got.size(); ++i) same = near(got[i], expected[i]);
    CHECK(same);
    std::vector<float> again = scores;  // a second run of the same list
    list(ids, again);
    forget_order_of_ties(again, kind);
    CHECK(again == got);
  }
}

TEST_CASE("a processor of one's own runs after the penalties and before the warpers") {
  generation_config c{.do_sample = true, .top_k = 1, .repetition_penalty = 2.0};
  c.logits_processor = {forbid_one{2}};
  const std::vector<std::int32_t> ids{0};
  processor_list list = make_processors(resolve(c), ids);
  CHECK(list.names() ==
        std::vector<std::string_view>{"repetition_penalty", "logits_processor", "top_k"});
  std::vector<float> scores{3, 2, 9};
  list(ids, scores);
  CHECK(scores == std::vector<float>{minus_infinity, 2, minus_infinity});
  processor_list own;
  own.add("mine", forbid_one{1});
  own(ids, scores);
  CHECK(scores[1] == minus_infinity);
}

TEST_CASE("draws follow the softmax of the scores") {
  const std::vector<float> scores{1.5f, -0.5f, 0, 2, minus_infinity, 1, -2, 0.25f};
  double total = 0;
  for (const float s : scores) total += std::exp(s);
  constexpr int draws = 40000;
  for (const std::uint64_t seed : {0u, 1u, 77u}) {
    std::vector<int> steps(scores.size()), streams(scores.size());
    sampler draw(seed);
    for (int i = 0; i < draws; ++i) {
      ++steps[static_cast<std::size_t>(draw(scores, static_cast<std::uint64_t>(i)))];
      ++streams[static_cast<std::size_t>(sampler(seed, static_cast<std::uint64_t>(i))(scores, 0))];
    }
    for (const auto& counts : {steps, streams}) {
      double chi2 = 0;
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const double expected = draws * std::exp(scores[i]) / total;
        if (expected > 0) chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
      }
      CHECK(counts[4] == 0);
      CHECK(chi2 < 27.9);  // 6 degrees of freedom, probability 1e-4
    }
  }
}

TEST_CASE("greedy takes the first of the greatest; nothing to choose from is an error") {
  CHECK(greedy(std::vector<float>{1, 3, 3, 2}) == 1);
  sampler draw(1);
  const float infinity = -minus_infinity, nan = infinity - infinity;
  CHECK_THROWS_AS(greedy(std::vector<float>{}), numeric_error);
  CHECK_THROWS_AS(draw(std::vector<float>{minus_infinity, minus_infinity}, 0), numeric_error);
  CHECK_THROWS_AS(draw(std::vector<float>{1, infinity}, 0), numeric_error);
  CHECK_THROWS_AS(draw(std::vector<float>{1, nan}, 0), numeric_error);
}

TEST_CASE("log-probabilities of the chosen id and of the best alternatives") {
  const std::vector<float> scores{0, std::log(2.0f), std::log(5.0f)};  // 1/8, 2/8, 5/8
  const token_choice c = logprobs_of(scores, 0, 2);
  CHECK(c.chosen.id == 0);
  CHECK(c.chosen.logprob == doctest::Approx(std::log(1 / 8.0)));
  REQUIRE(c.top.size() == 2);
  CHECK(c.top[0].id == 2);
  CHECK(c.top[0].logprob == doctest::Approx(std::log(5 / 8.0)));
  CHECK(c.top[1].id == 1);
  CHECK(logprobs_of(scores, 1, 0).top.empty());
  CHECK(logprobs_of(scores, 1, 9).top.size() == 3);
  CHECK_THROWS_AS(logprobs_of(scores, 3, 1), option_error);
}

TEST_CASE("stop strings are found however the text is cut") {
  const text_list strings{"abab", "bc", "\xC3\xA9n"};
  for (const std::string text :
       {"xababz", "aababab", "abcabab", "x\xC3\xA9ny", "ababc", "abaaba"}) {
    // The match that ends first; of several that end there, the longest.
    std::size_t first_end = text.size() + 1, length = 0;
    for (const std::string& s : strings)
      if (const auto at = text.find(s); at != text.npos)
        if (const auto end = at + s.size();
            end < first_end || (end == first_end && s.size() > length))
          first_end = end, length = s.size();
    const bool any = length > 0;
    const std::string expected = any ? text.substr(0, first_end - length) : text;
    const std::size_t cuts = text.size() - 1;
    for (std::size_t mask = 0; mask < std::size_t{1} << cuts; ++mask) {
      std::vector<std::string> pieces(1);
      for (std::size_t i = 0; i < text.size(); ++i) {
        pieces.back() += text[i];
        if (i < cuts && (mask >> i & 1)) pieces.emplace_back();
      }
      std::string emitted;
      text_stream stream(
          {.on_text = [&](std::string_view piece) { emitted += piece; }, .stop_strings = strings});
      bool stopped = false;
      for (const std::string& piece : pieces)
        if (!stopped) stopped = stream.push_text(piece) == flow::stop;
      stream.finish();
      CAPTURE(text);
      CAPTURE(mask);
      REQUIRE(stopped == any);
      REQUIRE(emitted == expected);
      REQUIRE(stream.text() == expected);
      REQUIRE(stream.matched().has_value() == any);
    }
  }
}

TEST_CASE("a stop string may begin in the prompt but has to end after it") {
  stop_string_matcher m(text_list{"stop"});
  m.prime("a stop st");
  CHECK_FALSE(m.push("o").has_value());
  const auto found = m.push("p now");
  REQUIRE(found.has_value());
  CHECK(found->used == 1);
  CHECK_THROWS_AS(stop_string_matcher(text_list{"a", ""}), option_error);
}

TEST_CASE("a stream that keeps the stop string holds nothing back") {
  std::vector<std::string> pieces;
  text_stream stream({.on_text = [&](std::string_view piece) { pieces.emplace_back(piece); },
                      .stop_strings = text_list{"end"},
                      .keep_stop_string = true});
  for (const char* piece : {"the e", "n", "d of it"}) stream.push_text(piece);
  CHECK(pieces == std::vector<std::string>{"the e", "n", "d of it"});
  CHECK(stream.done());
  text_stream asked({.on_text = [](std::string_view) { return flow::stop; }});
  CHECK(asked.push_text("a") == flow::stop);
  CHECK(asked.push_text("b") == flow::stop);
  CHECK(asked.text() == "a");
}

TEST_CASE("criteria are asked in order: cancel, end, stop string, length, time, user") {
  const std::vector<std::int32_t> ids{5, 6, 7};
  generation_config c{
      .max_length = 3, .max_time = 0, .stop_strings = "x", .eos_token_id = {{7, 9}}};
  const auto reason = [&](std::string_view piece = {}) {
    stopping s(resolve(c), {c.max_length.value_or(20), 0},
               stopping::clock::now() - std::chrono::seconds(1));
    return s(ids, {}, piece);
  };
  std::stop_source source;
  c.stop_token = source.get_token();
  c.stopping_criteria = {[](auto, auto) { return true; }};
  CHECK(reason("x") == finish_reason::eos);
  c.eos_token_id = 9;
  CHECK(reason("ax") == finish_reason::stop_string);
  CHECK(reason("a") == finish_reason::length);
  c.max_length = 4;
  CHECK(reason() == finish_reason::time);
  c.max_time.reset();
  CHECK(reason() == finish_reason::user);
  c.stopping_criteria.clear();
  CHECK(reason() == finish_reason::none);
  source.request_stop();
  CHECK(reason() == finish_reason::cancelled);
}
