// SPDX-License-Identifier: Apache-2.0
// The text-generation pipeline, field for field against the original's outputs
// (text_generation_pipeline.py), by name at run time and as a class.
#include "parlance/pipelines/text_generation.hpp"

#include <doctest/doctest.h>

#include <map>
#include <thread>

#include "../models/golden.hpp"
#include "parlance/pipelines/auto.hpp"

using namespace parlance;
using model_test::has;
using model_test::message_of;
using model_test::temporary_folder;

namespace {

json reference() {
  const auto file = std::filesystem::path(PARLANCE_TEST_DATA) / "pipelines/text_generation.json";
  return parse_json(read_text(file), file.string());
}

void patch(const std::filesystem::path& file, const json& changes) {
  if (changes.is_null()) {
    std::filesystem::remove(file);
    return;
  }
  json content = parse_json(read_text(file), file.string());
  for (const auto& [key, value] : changes.items()) content[key] = value;
  write_atomic(file, content.dump());
}

std::unique_ptr<pipelines::json_pipeline> open(const json& model) {
  const temporary_folder folder;
  std::filesystem::copy(model_test::data / model["folder"].get<std::string>(), folder.path(),
                        std::filesystem::copy_options::recursive);
  for (const char* name : {"config", "generation_config"})
    if (model.contains(name)) patch(folder / (std::string(name) + ".json"), model[name]);
  pipelines::pipeline_options options;
  if (model.contains("chat_template")) options.chat_template = model["chat_template"];
  return make_pipeline("text-generation", folder.path().string(), options);
}

const std::string llama = (model_test::data / "llama_gqa").string();
using config = generation::generation_config;

}  // namespace

TEST_CASE("outputs and errors are those of the original pipeline") {
  const json data = reference();
  REQUIRE(data["cases"].size() > 400);
  std::map<std::string, std::unique_ptr<pipelines::json_pipeline>> open_models;
  for (const auto& [name, model] : data["models"].items()) open_models[name] = open(model);
  for (const json& c : data["cases"]) {
    const json payload = {{"inputs", c["inputs"]}, {"parameters", c["parameters"]}};
    CAPTURE(c["model"].get<std::string>());
    CAPTURE(payload.dump());
    pipelines::json_pipeline& pipe = *open_models.at(c["model"]);
    if (c.contains("error")) {
      CHECK_THROWS_AS(pipe(payload), error);
      continue;
    }
    std::string got, failure;
    try {
      got = to_json_line(pipe(payload));
    } catch (const error& e) {
      failure = e.what();
    }
    CHECK(failure == "");
    CHECK(got == c["output"].dump());
  }
}

TEST_CASE("a bare string, and payloads that are wrong") {
  const auto pipe = make_pipeline("text-generation", llama);
  const auto call = [&](const json& parameters, const json& inputs = "the") {
    return message_of([&] { (*pipe)({{"inputs", inputs}, {"parameters", parameters}}); });
  };
  CHECK((*pipe)("the fox")[0]["generated_text"].get<std::string>().starts_with("the fox"));
  CHECK(has(call({{"return_ful_text", true}}), "did you mean 'return_full_text'?"));
  CHECK(has(call({{"max_new_token", 3}}), "did you mean 'max_new_tokens'?"));
  CHECK(has(call({{"return_full_text", "yes"}}), "return_full_text: expected true or false"));
  CHECK(has(call({{"prefix", 3}}), "prefix: expected a string, got 3"));
  CHECK(has(call({{"truncation", "longest"}}), "did you mean 'longest_first'?"));
  CHECK(has(call(json::array()), "parameters: expected an object"));
  CHECK(has(call({}, {1, 2}), "inputs: expected a string, got 1"));
  CHECK(has(call({}, {"a", 2}), "inputs: expected a string, got 2"));
  CHECK(has(call({}, json::array()), "inputs must be"));
  CHECK(has(message_of([&] { (*pipe)(json::object()); }), "no inputs"));
  CHECK(has(message_of([&] { make_pipeline("text-generatoin", llama); }),
            "did you mean 'text-generation'?"));
  CHECK(has(message_of([&] { make_pipeline("text-generation", llama + "x"); }), "llama_gqa"));
}

TEST_CASE("the pipeline as a class: the task's name at compile time") {
  auto generate = pipeline<"text-generation">(llama);
  static_assert(std::is_same_v<decltype(generate), pipelines::text_generation>);
  const json golden = model_test::golden("llama_gqa");
  const config greedy{.max_new_tokens = 8, .do_sample = false, .logprobs = 2};
  const auto out = generate("The quick", greedy);
  CHECK(out.prompt_ids == generate.tokenizer().encode_ids("The quick"));
  CHECK(out.ids.size() == 8);
  CHECK(out.logprobs.size() == 8);
  CHECK(out.messages.is_null());
  CHECK(generation::to_string(out.finish_reason) == "length");
  CHECK(out.generated_text.starts_with("The quick"));
  // Several sequences of one prompt, of which the single call gives the first.
  const config two{.max_new_tokens = 8, .do_sample = true, .num_return_sequences = 2, .seed = 4};
  const auto both = generate(std::vector<std::string>{"The quick"}, two).front();
  REQUIRE(both.size() == 2);
  CHECK(both[0].ids != both[1].ids);
  CHECK(generate("The quick", two).ids == both[0].ids);
}

TEST_CASE("default settings: sampling at temperature 0.7, 256 new tokens") {
  const pipelines::text_generation generate(llama);
  const auto r = generate.resolve();
  CHECK(r.do_sample);
  CHECK(r.temperature == 0.7);
  CHECK(r.max_new_tokens == 256);
  CHECK(r.eos_token_id == generation::token_ids{2});
  const auto stop = generate.resolve({}, {.stop_sequence = "the fox"});
  CHECK(stop.eos_token_id->values() ==
        generate.tokenizer().encode_ids("the fox", {.add_special_tokens = false}));
}

TEST_CASE("a batch of prompts equals the prompts alone") {
  pipelines::text_generation generate(llama);
  const std::vector<std::string> prompts{"The quick brown", "x", "Il était une fois une petite"};
  for (const bool sample : {false, true}) {
    const config c{.max_new_tokens = 20, .do_sample = sample, .seed = 11};
    const auto all = generate(prompts, c);
    REQUIRE(all.size() == 3);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const auto alone = generate(prompts[i], c);
      CHECK(all[i][0].ids == alone.ids);
      CHECK(all[i][0].generated_text == alone.generated_text);
    }
  }
  CHECK(generate(std::vector<std::string>()).empty());
}

TEST_CASE("pipelines in several threads at once give what they give alone") {
  const config c{.max_new_tokens = 40, .do_sample = true, .seed = 2};
  const std::vector<std::string> folders{llama, (model_test::data / "gpt2").string()};
  std::vector<std::string> alone(2), together(2);
  const auto work = [&](std::size_t i, std::string& out) {
    pipelines::text_generation generate(folders[i]);
    for (int round = 0; round < 3; ++round) out += generate("The fox", c).generated_text;
  };
  for (std::size_t i = 0; i < 2; ++i) work(i, alone[i]);
  {
    std::jthread first([&] { work(0, together[0]); }), second([&] { work(1, together[1]); });
  }
  CHECK(together == alone);
  // One pipeline shared by two threads.
  pipelines::text_generation shared(llama);
  const auto expected = shared("The fox", c).ids;
  std::vector<std::vector<std::int32_t>> got(2);
  {
    std::jthread first([&] { got[0] = shared("The fox", c).ids; });
    std::jthread second([&] { got[1] = shared("The fox", c).ids; });
  }
  CHECK(got == std::vector(2, expected));
}

TEST_CASE("a chat: the reply alone, the messages with it, errors") {
  pipelines::text_generation generate(llama);
  const json messages = {{{"role", "user"}, {"content", "the fox"}}};
  const config c{.max_new_tokens = 6, .do_sample = false};
  const auto out = generate.chat(messages, c);
  REQUIRE(out.messages.size() == 2);
  CHECK(out.messages[0] == messages[0]);
  CHECK(out.messages[1]["role"] == "assistant");
  CHECK(out.messages[1]["content"] == out.generated_text);
  CHECK(generate.render(messages, {.add_generation_prompt = true}) ==
        "<s>user: the fox\nassistant: ");
  pipelines::text_generation plain((model_test::data / "gpt2").string());
  CHECK_FALSE(plain.has_chat_template());
  CHECK(has(message_of([&] { plain.chat(messages, c); }), "no chat template"));
  CHECK(has(message_of([&] { generate.chat(json::array(), c); }), "expected a list of messages"));
}

// A pipeline of one's own: three functions.
struct word_count : pipelines::pipeline_base<word_count, std::string, std::string> {
  std::vector<std::string> preprocess(const std::string& text) const {
    std::vector<std::string> words(1);
    for (const char c : text)
      if (c == ' ')
        words.emplace_back();
      else
        words.back() += c;
    return words;
  }
  std::size_t forward(std::vector<std::string>&& words) const { return words.size(); }
  std::string postprocess(std::size_t count) const { return std::to_string(count) + " words"; }
};

TEST_CASE("a pipeline of three functions: single calls, batches, progress") {
  word_count count;
  CHECK(count("to be or not") == "4 words");
  const std::vector<std::string> inputs{"a", "b c", "d e f"};
  CHECK(count(std::span(inputs)) == std::vector<std::string>{"1 words", "2 words", "3 words"});
  std::vector<std::uint64_t> seen;
  const auto some = count(std::span(inputs), [&](const progress& p) {
    seen.push_back(p.done);
    CHECK(p.total == 3);
    return p.done == 2 ? flow::stop : flow::next;
  });
  CHECK(some.size() == 2);
  CHECK(seen == std::vector<std::uint64_t>{1, 2});
}
