// SPDX-License-Identifier: Apache-2.0
// Cleaners of replies: what each does by example, and that a stream cut anywhere gives the same.
#include <doctest/doctest.h>

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "parlance/pipelines/structure_cleaners.hpp"
#include "parlance/pipelines/text_cleaners.hpp"

using namespace parlance;
using pipelines::reply_cleaner;

namespace {

using cases = std::vector<std::pair<std::string, std::string>>;

void check(const reply_cleaner& clean, const cases& list) {
  for (const auto& [text, expected] : list) {
    const std::string reply = text;
    CAPTURE(reply);
    CHECK(clean(reply) == expected);
  }
}

// Words, marks and bytes that cleaners look at, in any order.
std::string random_reply(std::mt19937& random) {
  static const std::vector<std::string> parts{"a",
                                              "the cat",
                                              " ",
                                              " ",
                                              "\n",
                                              "\n\n",
                                              ".",
                                              ". ",
                                              "! ",
                                              "?",
                                              "Mr.",
                                              "U.S.",
                                              "…",
                                              "。",
                                              "「",
                                              "」",
                                              "\"",
                                              "'",
                                              "(",
                                              ")",
                                              "[",
                                              "]",
                                              "{",
                                              "}",
                                              "\"k\":1",
                                              ",",
                                              "```",
                                              "`",
                                              "**",
                                              "*",
                                              "_",
                                              "# ",
                                              "> ",
                                              "- x\n",
                                              "---\n",
                                              "[t](u)",
                                              "<|im_end|>",
                                              "<|",
                                              "|>",
                                              "</s>",
                                              "User:",
                                              "Use",
                                              "User",
                                              "STOP",
                                              "ST",
                                              "é",
                                              "日本",
                                              "\xC2\xA0",
                                              "\xE2",
                                              "\x80",
                                              "\xF0\x9F\x98\x80",
                                              "Say hi",
                                              "Say ",
                                              "  the cat",
                                              "one two one two",
                                              "[1, 2]",
                                              "\\\"",
                                              "<start_of_turn>"};
  std::string out;
  for (std::size_t n = random() % 24; n-- > 0;) out += parts[random() % parts.size()];
  return out;
}

std::string streamed(const reply_cleaner& clean, const std::string& text, std::mt19937& random) {
  auto s = clean.stream();
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = std::min<std::size_t>(1 + random() % 5, text.size() - i);
    out += s.push(std::string_view(text).substr(i, n));
    i += n;
  }
  return out + s.finish();
}

}  // namespace

TEST_CASE("white space") {
  check(cleaners::trim(),
        {{"  a b \n", "a b"}, {" \t\n", ""}, {"\xC2\xA0x\xE3\x80\x80", "x"}, {"", ""}});
  check(cleaners::collapse_whitespace(),
        {{"a  b\t c", "a b c"}, {"a \n b", "a\nb"}, {"a\n\n\n b ", "a\n\nb "}});
  check(cleaners::collapse_whitespace({.keep_newlines = false}), {{"a \n\n b", "a b"}});
}

TEST_CASE("stop strings cut where the first of them to be complete begins") {
  check(cleaners::stop_at({"User:", "\n\n"}),
        {{"Hi.\nUser: more", "Hi.\n"}, {"a\n\nb", "a"}, {"Use User", "Use User"}, {"User:", ""}});
  CHECK_THROWS_AS(cleaners::stop_at({""}), option_error);
  auto s = cleaners::stop_at({"END"}).stream();
  CHECK(s.push("abE") == "ab");
  CHECK_FALSE(s.ended());
  CHECK(s.push("Nx") == "ENx");
  CHECK(s.push("END") == "");
  CHECK(s.ended());
}

TEST_CASE("sentences") {
  check(cleaners::complete_sentences(),
        {{"One. Two! Thr", "One. Two!"},
         {"He said \"Go.\" Then he", "He said \"Go.\""},
         {"Dr. Who is in. The door", "Dr. Who is in."},
         {"Pi is 3.14 and more. Or 2.", "Pi is 3.14 and more. Or 2."},
         {"no end at all", "no end at all"},
         {"これは本です。次の", "これは本です。"},
         {"- first\n- secon", "- first\n"},
         {"John F. Kennedy was", "John F. Kennedy was"}});
  check(cleaners::limit_sentences(2),
        {{"One. Two! Three.", "One. Two!"}, {"One", "One"}, {"A b.\n\nC d. E", "A b.\n\nC d."}});
  check(cleaners::limit_sentences(0), {{"One.", ""}});
}

TEST_CASE("characters are counted, words are kept whole") {
  check(cleaners::limit_characters(7), {{"one two three", "one two"},
                                        {"one twofold", "one "},
                                        {"onetwothree", "onetwot"},
                                        {"short", "short"}});
  check(cleaners::limit_characters(3, {.whole_words = false}),
        {{"日本語です", "日本語"}, {"abc", "abc"}});
}

TEST_CASE("echoes, markers, repetitions") {
  check(cleaners::remove_echo("Say hi: "), {{"Say hi: Hello", "Hello"},
                                            {"  Say hi: Hello", "Hello"},
                                            {"Say ho", "Say ho"},
                                            {"Say h", "Say h"}});
  check(cleaners::remove_markers(), {{"Hi<|im_end|>\n", "Hi\n"},
                                     {"<s>a</s>", "a"},
                                     {"a <| b |> c", "a <| b |> c"},
                                     {"<|begin_of_text|>x<|eot", "x<|eot"},
                                     {"if a<b and s>t", "if a<b and s>t"}});
  check(cleaners::remove_repeated_lines(),
        {{"a\nb\na\n\n\nb", "a\nb\n\n\n"}, {"x \n x\n", "x \n"}});
  check(cleaners::remove_repeated_ngrams(),
        {{"I like it. I like it. I like it. Bye", "I like it. Bye"},
         {"very very good", "very very good"},
         {"a b c a b d", "a b c a b d"}});
  check(cleaners::remove_repeated_ngrams({.min_words = 1}), {{"no no no way", "no way"}});
}

TEST_CASE("open pairs are closed, innermost first") {
  check(cleaners::balance(), {{"a (b [c", "a (b [c])"},
                              {"\"quote", "\"quote\""},
                              {"```py\nprint(1", "```py\nprint(1\n```"},
                              {"use `x", "use `x`"},
                              {"fine (a) [b] \"c\"", "fine (a) [b] \"c\""},
                              {"a ) b", "a ) b"},
                              {"“so 「x", "“so 「x」”"}});
}

TEST_CASE("Markdown becomes text") {
  check(cleaners::strip_markdown(),
        {{"# Title\ntext", "Title\ntext"},
         {"**bold** and *it* and __b__ and `c`", "bold and it and b and c"},
         {"see [the page](http://x.y/z) now", "see the page now"},
         {"![alt](i.png)", "alt"},
         {"> quoted\n---\nend", "quoted\nend"},
         {"2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"},
         {"```cpp\nint *a = *b;\n```\nok", "int *a = *b;\nok"},
         {"- **a** b", "- a b"}});
}

TEST_CASE("the first JSON value") {
  check(cleaners::first_json(),
        {{"Sure: {\"a\": [1, \"}\"]} and {\"b\": 2}", "{\"a\": [1, \"}\"]}"},
         {"[note] then [1, 2]", "[1, 2]"},
         {"{x {\"a\":1}", "{\"a\":1}"},
         {"none", ""},
         {"{\"a\": ", ""},
         {"{\"a\\\"}\": 1}", "{\"a\\\"}\": 1}"}});
}

TEST_CASE("functions of the user, and cleaners in a row") {
  const auto shout = cleaners::apply([](std::string s) { return s + "!"; });
  const auto quote = cleaners::each_line([](std::string line) { return "> " + line; });
  CHECK((cleaners::trim() | shout)(" a ") == "a!");
  CHECK(quote("a\nb") == "> a\n> b");
  CHECK(reply_cleaner()("as it is ") == "as it is ");
  const auto chat = cleaners::remove_markers() | cleaners::stop_at({"User:"}) | cleaners::trim() |
                    cleaners::complete_sentences();
  CHECK(chat("<|assistant|> Hello there. How are yo\nUser: fine") == "Hello there.");
}

TEST_CASE("a stream cut anywhere gives the cleaned whole") {
  const std::vector<reply_cleaner> all{
      cleaners::trim(),
      cleaners::collapse_whitespace(),
      cleaners::collapse_whitespace({.keep_newlines = false}),
      cleaners::stop_at({"User:", "STOP", "\n\n"}),
      cleaners::complete_sentences(),
      cleaners::limit_sentences(2),
      cleaners::limit_characters(12),
      cleaners::limit_characters(12, {.whole_words = false}),
      cleaners::remove_echo("Say hi"),
      cleaners::remove_markers(),
      cleaners::remove_repeated_lines(),
      cleaners::remove_repeated_ngrams({.min_words = 1, .max_words = 3}),
      cleaners::balance(),
      cleaners::strip_markdown(),
      cleaners::first_json(),
      cleaners::apply([](std::string s) { return s; }),
      cleaners::each_line([](std::string s) { return s; })};
  std::mt19937 random(7);
  std::size_t changed = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::string text = random_reply(random);
    reply_cleaner clean = all[random() % all.size()];
    for (std::size_t n = random() % 3; n-- > 0;) clean = clean | all[random() % all.size()];
    CAPTURE(text);
    const std::string whole = clean(text);
    changed += whole != text;
    for (int cut = 0; cut < 3; ++cut) CHECK(streamed(clean, text, random) == whole);
  }
  CHECK(changed > 1000);
}
