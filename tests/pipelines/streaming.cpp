// SPDX-License-Identifier: Apache-2.0
// Streamed text: by callback and as a range; complete characters, stopping, cancelling, errors.
#include <doctest/doctest.h>

#include <ranges>
#include <thread>

#include "../models/golden.hpp"
#include "parlance/pipelines/text_generation.hpp"

using namespace parlance;
using model_test::has;
using model_test::message_of;
using config = generation::generation_config;
using options = pipelines::text_generation_options;

static_assert(std::ranges::input_range<pipelines::text_range>);

namespace {

const options new_text{.return_full_text = false, .clean_up_tokenization_spaces = false};

struct fixture {
  pipelines::text_generation llama{(model_test::data / "llama_gqa").string()};
  pipelines::text_generation gpt2{(model_test::data / "gpt2").string()};
};

// The tiny models write many broken bytes, so this is hard on the decoder.
const std::vector<std::string> prompts{"The quick brown fox", "x", "Il était", "",
                                       "\xF0\x9F\xA6\x99"};

std::vector<std::string> pieces_of(pipelines::text_range range) {
  std::vector<std::string> out;
  for (const std::string_view piece : range) out.emplace_back(piece);
  return out;
}
std::string join(const std::vector<std::string>& pieces) {
  std::string out;
  for (const std::string& p : pieces) out += p;
  return out;
}

}  // namespace

TEST_CASE_FIXTURE(fixture, "pieces are complete characters and make the text, both ways") {
  for (auto* pipe : {&llama, &gpt2})
    for (const std::string& prompt : prompts)
      for (const bool sample : {false, true}) {
        CAPTURE(prompt);
        config c{.max_new_tokens = 60, .do_sample = sample, .seed = 7};
        const auto plain = (*pipe)(prompt, c, new_text);
        const auto pieces = pieces_of(pipe->stream(prompt, c, new_text));
        for (const std::string& piece : pieces) {
          CHECK_FALSE(piece.empty());
          CHECK(utf8_find_invalid(piece) == std::string::npos);
        }
        CHECK(pieces.size() > 3);
        CHECK(join(pieces) == plain.generated_text);
        std::vector<std::string> called;
        c.on_text = [&](std::string_view piece) { called.emplace_back(piece); };
        const auto streamed = (*pipe)(prompt, c, new_text);
        CHECK(join(called) == join(pieces));
        CHECK(streamed.ids == plain.ids);
      }
}

TEST_CASE_FIXTURE(fixture, "after the last piece the result is there") {
  const config c{.max_new_tokens = 12, .do_sample = false, .logprobs = 1};
  const auto plain = llama("the words", c);
  auto range = llama.stream("the words", c);
  CHECK_FALSE(range.done());
  for (const std::string_view piece : range) CHECK_FALSE(piece.empty());
  CHECK(range.done());
  const auto result = range.result();
  CHECK(result.ids == plain.ids);
  CHECK(result.generated_text == plain.generated_text);
  CHECK(result.finish_reason == plain.finish_reason);
  CHECK(result.logprobs.size() == 12);
  CHECK(range.begin() == range.end());
}

TEST_CASE_FIXTURE(fixture, "leaving the loop early keeps what has been generated") {
  const config c{.max_new_tokens = 60, .do_sample = false};
  const auto plain = llama("the words", c);
  auto range = llama.stream("the words", c);
  int count = 0;
  for ([[maybe_unused]] const std::string_view piece : range)
    if (++count == 3) break;
  const auto result = range.result();
  CHECK(result.ids.size() >= 3);
  CHECK(result.ids.size() < 12);
  CHECK(std::equal(result.ids.begin(), result.ids.end(), plain.ids.begin()));
}

TEST_CASE_FIXTURE(fixture, "the model runs only as far as pieces are asked for") {
  std::size_t steps = 0;
  config c{.max_new_tokens = 60, .do_sample = false};
  c.stopping_criteria = {[&](auto, auto) { return ++steps, false; }};
  auto range = llama.stream("the words", c);
  CHECK(steps == 0);
  auto at = range.begin();
  const std::size_t first = steps;
  CHECK(first >= 1);
  CHECK(first <= 5);
  ++at;
  CHECK(steps > first);
  CHECK(steps <= first + 5);
}

TEST_CASE_FIXTURE(fixture, "flow::stop ends the text") {
  int calls = 0;
  config c{.max_new_tokens = 60, .do_sample = false};
  std::string text;
  c.on_text = [&](std::string_view piece) {
    text += piece;
    return ++calls == 4 ? flow::stop : flow::next;
  };
  const auto out = llama("the words", c, new_text);
  CHECK(calls == 4);
  CHECK(out.finish_reason == generation::finish_reason::user);
  CHECK(out.ids.size() < 20);
  CHECK(out.generated_text.starts_with(text));
}

TEST_CASE_FIXTURE(fixture, "stop strings end stream and text alike") {
  config c{.max_new_tokens = 60, .do_sample = false};
  const std::string text = llama("the words", c, new_text).generated_text;
  const auto pieces = pieces_of(llama.stream("the words", c, new_text));
  REQUIRE(pieces.size() > 6);
  const std::string across = pieces[3] + pieces[4];
  c.stop_strings = across;
  const auto out = llama("the words", c, new_text);
  CHECK(out.finish_reason == generation::finish_reason::stop_string);
  CHECK(out.generated_text == text.substr(0, text.find(across) + across.size()));
  CHECK(join(pieces_of(llama.stream("the words", c, new_text))) == out.generated_text);
}

TEST_CASE_FIXTURE(fixture, "a stop token cancels, from the loop and from another thread") {
  std::stop_source source;
  config c{.max_new_tokens = 100000, .do_sample = false, .eos_token_id = generation::token_ids()};
  c.stop_token = source.get_token();
  auto range = llama.stream("the words", c);
  int count = 0;
  CHECK_THROWS_AS(
      [&] {
        for ([[maybe_unused]] const std::string_view piece : range)
          if (++count == 2) source.request_stop();
      }(),
      cancelled_error);
  CHECK(count == 2);
  CHECK_THROWS_AS(llama("the words", c), cancelled_error);

  std::stop_source later;
  c.stop_token = later.get_token();
  std::jthread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    later.request_stop();
  });
  CHECK_THROWS_AS(pieces_of(llama.stream("the words", c)), cancelled_error);
}

TEST_CASE_FIXTURE(fixture, "errors reach the consumer where they happen") {
  config c{.max_new_tokens = 500, .do_sample = false, .eos_token_id = generation::token_ids()};
  auto past_the_end = gpt2.stream("the words", c);
  std::size_t seen = 0;
  const std::string message = message_of([&] {
    for (const std::string_view piece : past_the_end) seen += piece.size();
  });
  CHECK(has(message, "past the model's 128 positions"));
  CHECK(seen > 50);
  c.logits_processor = {[](auto, std::span<float>) { throw option_error("mine"); }};
  CHECK(has(message_of([&] { pieces_of(llama.stream("the words", c)); }), "mine"));
  CHECK(has(message_of([&] { llama.stream("a", {.guidance_scale = 2.0}); }), "guidance_scale"));
  CHECK(has(message_of([&] { llama.stream("a", {.do_sample = true, .num_return_sequences = 2}); }),
            "a stream has one text"));
}

TEST_CASE_FIXTURE(fixture, "a chat streams its reply") {
  const json messages = {{{"role", "user"}, {"content", "the fox"}}};
  const config c{.max_new_tokens = 20, .do_sample = false};
  options o;
  o.clean_up_tokenization_spaces = false;
  const auto reply = llama.chat(messages, c, o);
  auto range = llama.stream_chat(messages, c, o);
  std::string text;
  for (const std::string_view piece : range) text += piece;
  CHECK(text == reply.generated_text);
  CHECK(range.result().messages == reply.messages);
}
