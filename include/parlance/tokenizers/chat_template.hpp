// SPDX-License-Identifier: Apache-2.0
// Chat templates: turns messages into the prompt of a model, as apply_chat_template of transformers
// 4.57.6 (utils/chat_template_utils.py) with Jinja2 3.1.6 in its immutable sandbox, trim_blocks,
// lstrip_blocks, the loopcontrols extension, {% generation %}, tojson without HTML escapes,
// raise_exception and strftime_now. A template has no files: include, import and extends are
// refused. Integers have 128 bits. Work, memory and nesting are limited, so a template may be
// hostile.
#pragma once

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/core/error.hpp"
#include "parlance/core/json.hpp"
#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/jinja_parser.hpp"
#include "parlance/tokenizers/jinja_renderer.hpp"
#include "parlance/tokenizers/jinja_scoping.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

struct chat_options {
  bool add_generation_prompt = false;
  bool continue_final_message = false;
  json tools = nullptr;
  json documents = nullptr;
  json extra = nullptr;  // an object: any other variable of the template
  std::function<std::string(std::string_view format)> strftime_now;
  std::optional<std::time_t> now;  // for strftime_now, in UTC; default: the local time of the call
};

// A prompt with the byte ranges that {% generation %} blocks made (for assistant token masks).
struct rendered_chat {
  std::string text;
  jinja::generation_spans generation;
};

class chat_template {
 public:
  // special_tokens: an object such as {"bos_token": "<s>", "eos_token": "</s>"}.
  explicit chat_template(std::string source, json special_tokens = nullptr)
      : source_(std::move(source)), special_tokens_(std::move(special_tokens)) {
    require_utf8(source_, "chat template");
    require_object(special_tokens_, "special_tokens");
    const jinja::known_names known{jinja::is_filter_name, jinja::is_test_name};
    auto program = std::make_shared<jinja::program>();
    program->source = jinja::parser(source_, known).run();
    jinja::scoping(program->source).run();
    for (const std::string& name : program->source.names) {
      program->filters.push_back(jinja::find_filter(name));
      program->tests.push_back(jinja::find_test(name));
    }
    if (const auto it = program->source.name_index.find("loop");
        it != program->source.name_index.end())
      program->loop_name = it->second;
    program_ = std::move(program);
  }

  const std::string& source() const { return source_; }

  // Whether the template refers to a variable at all, e.g. "tools" or "enable_thinking".
  bool mentions(const std::string& variable) const {
    return program_->source.name_index.count(variable) > 0;
  }

  std::string render(const json& messages, const chat_options& options = {}) const {
    return render_with_spans(messages, options).text;
  }

  rendered_chat render_with_spans(const json& messages, const chat_options& options = {}) const {
    require_object(options.extra, "extra");
    if (!options.continue_final_message) return run(messages, options);
    if (options.add_generation_prompt)
      throw option_error("continue_final_message and add_generation_prompt exclude each other",
                         "continue_final_message lets the model go on with the last message");
    json marked = messages;
    const std::string last = mark_final_message(marked);
    rendered_chat out = run(marked, options);
    cut_at_mark(out, last);
    return out;
  }

 private:
  static constexpr std::string_view mark = "CONTINUE_FINAL_MESSAGE_TAG ";

  static void require_object(const json& v, const char* name) {
    if (!v.is_null() && !v.is_object())
      throw option_error(std::string("chat template: ") + name + " must be an object");
  }

  rendered_chat run(const json& messages, const chat_options& options) const {
    jinja::renderer renderer(*program_, clock(options));
    for (const json* variables : {&special_tokens_, &options.extra})
      if (!variables->is_null())
        for (const auto& [name, v] : variables->items()) renderer.set(name, v);
    renderer.set("messages", messages);
    renderer.set("tools", options.tools);
    renderer.set("documents", options.documents);
    renderer.set("add_generation_prompt", json(options.add_generation_prompt));
    rendered_chat out;
    out.text = renderer.run(&out.generation);
    return out;
  }

  static std::function<std::string(std::string_view)> clock(const chat_options& options) {
    if (options.strftime_now) return options.strftime_now;
    return [now = options.now](std::string_view format) {
      const std::time_t time = now.value_or(std::time(nullptr));
      std::tm parts{};
#if defined(_WIN32)
      now ? gmtime_s(&parts, &time) : localtime_s(&parts, &time);
#else
      now ? gmtime_r(&time, &parts) : localtime_r(&time, &parts);
#endif
      // strftime returns 0 for an empty result as well as for one that does not fit.
      std::string text(format.size() * 8 + 256, '\0');
      text.resize(std::strftime(text.data(), text.size(), std::string(format).c_str(), &parts));
      return text;
    };
  }

  [[noreturn]] static void fail_continue(const char* why) {
    throw text_error(std::string("chat template: continue_final_message: ") + why);
  }

  // Appends the mark to the text of the last message; returns that text.
  static std::string mark_final_message(json& messages) {
    if (!messages.is_array() || messages.empty() || !messages.back().is_object() ||
        !messages.back().contains("content"))
      fail_continue("there is no final message with content");
    json* content = &messages.back()["content"];
    if (content->is_array()) {
      json* text = nullptr;
      for (auto part = content->rbegin(); part != content->rend() && text == nullptr; ++part)
        if (part->is_object() && part->contains("text")) text = &(*part)["text"];
      content = text;
    }
    if (content == nullptr || !content->is_string())
      fail_continue("the final message has no text to continue");
    std::string before = content->get<std::string>();
    *content = before + std::string(mark);
    return before;
  }

  static void cut_at_mark(rendered_chat& out, const std::string& last) {
    const std::string_view bare = mark.substr(0, mark.size() - 1);
    const std::size_t at = out.text.rfind(bare);
    if (at == std::string::npos || out.text.find(jinja::strip_space(last)) == std::string::npos)
      fail_continue("the template does not reproduce the final message");
    const bool spaces_kept = out.text.compare(at, mark.size(), mark) == 0;
    out.text.resize(at);
    if (!spaces_kept) out.text.resize(jinja::strip_space(out.text, false, true).size());
    for (auto& [begin, end] : out.generation) {
      begin = std::min(begin, out.text.size());
      end = std::min(end, out.text.size());
    }
  }

  std::string source_;
  json special_tokens_;
  std::shared_ptr<const jinja::program> program_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
