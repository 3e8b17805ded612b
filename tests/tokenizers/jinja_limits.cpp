// SPDX-License-Identifier: Apache-2.0
// Hostile templates end in an error, quickly and without harm; and what the interface promises
// about lines, threads, spans, clocks and options. Expected texts by hand, from Jinja2's rules.
#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "parlance/tokenizers/chat_template.hpp"

using namespace parlance;
using namespace parlance::tokenizers;

namespace {

std::string render(const std::string& text, const json& extra = nullptr) {
  chat_options options;
  options.extra = extra;
  return chat_template(text).render(json::array(), options);
}

std::string failure(const std::string& text) {
  try {
    render(text);
  } catch (const error& e) {
    return e.what();
  }
  return {};
}

std::string times(int n, const std::string& s) {
  std::string out;
  for (int i = 0; i < n; ++i) out += s;
  return out;
}

}  // namespace

TEST_CASE("chat templates: nesting is limited") {
  for (const std::string& text :
       {"{{ " + times(5000, "(") + "1" + times(5000, ")") + " }}", "{{ " + times(5000, "[") + "}}",
        "{{ " + times(5000, "not ") + "1 }}", "{{ " + times(5000, "-") + "1 }}",
        "{{ " + times(5000, "1+") + "1 }}", "{{ x" + times(5000, ".a") + " }}",
        "{{ x" + times(5000, "|upper") + " }}", "{{ " + times(5000, "a if b else ") + "c }}",
        "{{ " + times(5000, "{'a':") + "1" + times(5000, "}") + " }}", times(5000, "{% if 1 %}"),
        times(5000, "{% for a in b %}")}) {
    CAPTURE(text.substr(0, 30));
    const std::string what = failure(text);
    const bool refused = what.find("nests too deep") != std::string::npos ||
                         what.find("expected ']'") != std::string::npos;
    CHECK(refused);
  }
  CHECK(render("{{ " + times(20, "(") + "1" + times(20, ")") + " }}") == "1");
}

TEST_CASE("chat templates: recursion is limited") {
  CHECK(failure("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").find("macros") !=
        std::string::npos);
  CHECK(failure("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}").find("too deep") !=
        std::string::npos);
  const std::string down =
      "{% macro m(n) %}{{ n }}{% if n %},{{ m(n - 1) }}{% endif %}{% endmacro %}";
  CHECK(render(down + "{{ m(3) }}") == "3,2,1,0");
  CHECK(render(down + "{{ m(90)|length }}") != "");
}

TEST_CASE("chat templates: memory and time are limited") {
  const std::string twice = "{% set ns = namespace(x=[1]) %}{% for i in range(150) %}";
  for (const std::string& text : {
           std::string("{{ 'a' * 10**10 }}"),
           std::string("{{ ['a'] * 10**10 }}"),
           std::string("{{ '%1000000000d' % 1 }}"),
           std::string("{{ '{:1000000000}'.format(1) }}"),
           std::string("{{ 'a'|center(10**12) }}"),
           std::string("{{ 'a'.ljust(10**18) }}"),
           std::string("{{ 'a\nb'|indent(10**15) }}"),
           std::string("{{ range(10**12) }}"),
           std::string("{% set ns = namespace(x='aaaa') %}{% for i in range(99) %}"
                       "{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
           std::string("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}"
                       "{% set ns.x = ns.x + ns.x %}{% endfor %}"),
           std::string("{% set ns = namespace(x=[1]) %}{% for i in range(999) %}"
                       "{% set ns.x = [ns.x] %}{% endfor %}"),
           std::string("{% set ns = namespace(x=[1]) %}{% for i in range(999) %}"
                       "{% set ns.x = ns.x|map('upper') %}{% endfor %}"),
           twice + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
           twice + "{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
           std::string("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}"
                       "{% endfor %}"),
           std::string("{% set n = namespace() %}{% set n.a = n %}{{ n }}"),
       }) {
    CAPTURE(text);
    CHECK(failure(text).rfind("chat template: line ", 0) == 0);
  }
}

TEST_CASE("chat templates: numbers at their limits") {
  for (const char* text : {"{{ 1/0 }}", "{{ 1//0 }}", "{{ 1%0 }}", "{{ 1.5%0 }}", "{{ 0**-1 }}",
                           "{{ 2**200 }}", "{{ (-2)**127 // -1 }}", "{{ -((-2)**127) }}",
                           "{{ 99**99999999 }}", "{{ 1e999|int }}", "{{ 1e300|int }}"})
    CHECK_MESSAGE(!failure(text).empty(), text);
  CHECK(render("{{ 2**64 + 1 }}") == "18446744073709551617");
  CHECK(render("{{ x }}", {{"x", 18446744073709551615ull}}) == "18446744073709551615");
  CHECK(render("{{ 'abc'[2**100:] }}{{ 'abc'[:2**100] }}") == "abc");
}

TEST_CASE("chat templates: the sandbox") {
  CHECK(render("{{ ''.__class__ }}") == "");  // undefined, as in Jinja2
  CHECK(!failure("{{ ''.__class__.__mro__ }}").empty());
  CHECK(!failure("{{ [].append(1) }}").empty());
  CHECK(!failure("{{ {}.update({1: 2}) }}").empty());
  CHECK(!failure("{{ '{0.__class__.__mro__}'.format(1) }}").empty());
  CHECK(!failure("{{ namespace.__init__.__globals__ }}").empty());
  for (const char* text : {"{% include 'x' %}", "{% extends 'x' %}", "{% import 'x' as y %}",
                           "{% from 'a' import b %}", "{% autoescape true %}{% endautoescape %}"})
    CHECK_THROWS_AS(chat_template{text}, unsupported_error);
}

TEST_CASE("chat templates: malformed templates are refused with their line") {
  for (const char* text : {"{{",
                           "{%",
                           "{#",
                           "{{ 'abc",
                           "{{ \"\\",
                           "{{ '\\x4' }}",
                           "{{ '\\ud800' }}",
                           "{% raw %}",
                           "{% if %}",
                           "{% if 1 %}",
                           "{% endif %}",
                           "{% for x in %}",
                           "{% set %}",
                           "{% set 1 = 2 %}",
                           "{% macro m( %}",
                           "{% call 1 %}{% endcall %}",
                           "{{ a b }}",
                           "{{ a. }}",
                           "{{ a| }}",
                           "{{ a is }}",
                           "{{ a[ }}",
                           "{{ ] }}",
                           "{% break %}",
                           "{{ a ! b }}",
                           "{{ 007 }}",
                           "{{ x|nofilter }}",
                           "{% unknown %}",
                           "{{ f(a=1, a=2) }}",
                           "{{ f(a=1, 2) }}",
                           "{% for loop in [1] %}{% endfor %}",
                           "{{ 1 is odd is even }}"})
    CHECK_THROWS_AS(chat_template{text}, text_error);
  CHECK(failure("a\nb\n{{ 1 / 0 }}") == "chat template: line 3: division by zero");
  CHECK(failure("\n{{ x.y }}") == "chat template: line 2: 'x' is undefined");
  CHECK(failure("\n\n{{ raise_exception('Roles!') }}") == "chat template: line 3: Roles!");
  CHECK(failure("{{ 1 }}\n{% if x") ==
        "chat template: line 2: expected the end of the statement, found the end of the template");
  CHECK_THROWS_AS(chat_template{"\xFF"}, text_error);
}

TEST_CASE("chat templates: options") {
  const json messages = json::parse(R"([{"role":"user","content":"a"},
                                        {"role":"assistant","content":"b c "}])");
  const chat_template t(
      "{% for m in messages %}<{{ m.role }}>{% generation %}{{ m.content }}{% endgeneration %}"
      "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<go>{% endif %}",
      {{"eos_token", "$"}});
  chat_options options;
  CHECK(t.render(messages) == "<user>a$<assistant>b c $");
  options.add_generation_prompt = true;
  CHECK(t.render(messages, options) == "<user>a$<assistant>b c $<go>");
  options.continue_final_message = true;
  CHECK_THROWS_AS(t.render(messages, options), option_error);
  options.add_generation_prompt = false;
  CHECK(t.render(messages, options) == "<user>a$<assistant>b c ");
  const rendered_chat r = t.render_with_spans(messages);
  REQUIRE(r.generation.size() == 2);
  CHECK(r.text.substr(r.generation[1].first, r.generation[1].second - r.generation[1].first) ==
        "b c ");
  CHECK(t.mentions("eos_token"));
  CHECK_FALSE(t.mentions("tools"));
  options.extra = json::array();
  CHECK_THROWS_AS(t.render(messages, options), option_error);
  const chat_template trimmed("{{ messages[-1].content|trim }}$");
  options = {};
  options.continue_final_message = true;
  CHECK(trimmed.render(messages, options) == "b c");
  const chat_template loses("{{ messages[0].content }}");
  CHECK_THROWS_AS(loses.render(messages, options), text_error);
  CHECK_THROWS_AS(loses.render(json::array(), options), text_error);
}

TEST_CASE("chat templates: the clock") {
  const chat_template t("{{ strftime_now('%d %b %Y') }}");
  chat_options options;
  options.now = 0;
  CHECK(t.render(json::array(), options) == "01 Jan 1970");
  options.strftime_now = [](std::string_view format) { return "<" + std::string(format) + ">"; };
  CHECK(t.render(json::array(), options) == "<%d %b %Y>");
}

TEST_CASE("chat templates: variables nest to a limit") {
  json deep = 1;
  for (int i = 0; i < 300; ++i) deep = json::array({deep});
  CHECK_THROWS_AS(render("{{ x }}", {{"x", deep}}), text_error);
  CHECK(render("{{ y }}", {{"x", deep}}) == "");  // not converted: nobody asks for it
}

TEST_CASE("chat templates: one template in many threads") {
  const chat_template t(
      "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m.v %}"
      "{{ 'x' ~ ns.n }}{% endfor %}");
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (int k = 0; k < 4; ++k)
    threads.emplace_back([&, k] {
      json messages = json::array();
      for (int i = 0; i < 200; ++i) messages.push_back({{"v", k}});
      for (int repeat = 0; repeat < 20; ++repeat)
        results[static_cast<std::size_t>(k)] = t.render(messages);
    });
  for (std::thread& thread : threads) thread.join();
  for (int k = 0; k < 4; ++k) {
    std::string expected;
    for (int i = 1; i <= 200; ++i) expected += "x" + std::to_string(i * k);
    CHECK(results[static_cast<std::size_t>(k)] == expected);
  }
}
