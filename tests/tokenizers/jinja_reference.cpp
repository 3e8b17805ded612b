// SPDX-License-Identifier: Apache-2.0
// Real chat templates and random snippets against frozen results of transformers and Jinja2
// (tests/reference/chat_templates.py and jinja_snippets.py).
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "parlance/tokenizers/chat_template.hpp"

using namespace parlance;
using namespace parlance::tokenizers;

namespace {

json read_data(const std::string& name) {
  const std::string path = std::string(PARLANCE_TEST_DATA) + "/chat_templates/" + name;
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  std::stringstream text;
  text << in.rdbuf();
  return parse_json(text.str(), path);
}

// What the reference calls by one set of variables.
chat_options take_options(json& variables) {
  chat_options o;
  const auto take = [&](const char* name) {
    json v = variables.value(name, json());
    variables.erase(name);
    return v;
  };
  o.tools = take("tools");
  o.documents = take("documents");
  o.add_generation_prompt = take("add_generation_prompt") == json(true);
  o.continue_final_message = take("continue_final_message") == json(true);
  o.now = 1735689600;  // 2025-01-01
  return o;
}

// The rendered text, or null where rendering fails.
json try_render(const chat_template& t, json variables) {
  chat_options options = take_options(variables);
  const json messages = variables.value("messages", json());
  variables.erase("messages");
  options.extra = variables;
  try {
    return t.render(messages, options);
  } catch (const error&) {
    return nullptr;
  }
}

}  // namespace

TEST_CASE("chat templates: every prompt as transformers makes it") {
  const json data = read_data("chat_templates.json");
  std::map<std::string, chat_template> templates;
  for (const auto& [name, text] : data["templates"].items())
    templates.emplace(name, chat_template(text.get<std::string>(), data["special_tokens"]));
  REQUIRE(templates.size() == 20);
  std::size_t equal = 0, raised = 0;
  for (const json& row : data["rows"]) {
    const std::string name = row[0].get<std::string>(), input = row[1].get<std::string>();
    CAPTURE(name);
    CAPTURE(input);
    const json got = try_render(templates.at(name), data["inputs"][input]);
    CHECK(got == row[2]);
    equal += got == row[2];
    raised += row[2].is_null();
  }
  CHECK(equal == data["rows"].size());
  CHECK(equal == 856);
  CHECK(raised == 229);
}

TEST_CASE("chat templates: random snippets as Jinja2 renders them") {
  const json data = read_data("jinja_snippets.json");
  REQUIRE(data["rows"].size() == 4500);
  for (const json& row : data["rows"]) {
    const std::string text = row[0].get<std::string>();
    json got;
    try {
      got = try_render(chat_template(text), data["variables"]);
    } catch (const error&) {
    }
    CAPTURE(text);
    CHECK(got == row[1]);
  }
}
