// SPDX-License-Identifier: Apache-2.0
// Bodies of chat_template.hpp.
#pragma once

#include <algorithm>

#include "parlance/core/error.hpp"
#include "parlance/core/utf8.hpp"
#include "parlance/tokenizers/chat_template.hpp"
#include "parlance/tokenizers/jinja_parser.hpp"
#include "parlance/tokenizers/jinja_renderer.hpp"
#include "parlance/tokenizers/jinja_scoping.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace impl {

inline constexpr std::string_view final_message_mark = "CONTINUE_FINAL_MESSAGE_TAG ";

inline void require_template_object(const json& v, const char* name) {
  if (!v.is_null() && !v.is_object())
    throw option_error(std::string("chat template: ") + name + " must be an object");
}

inline std::function<std::string(std::string_view)> clock(const chat_options& options) {
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

[[noreturn]] inline void fail_continue(const char* why) {
  throw text_error(std::string("chat template: continue_final_message: ") + why);
}

// Appends the mark to the text of the last message; returns that text.
inline std::string mark_final_message(json& messages) {
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
  *content = before + std::string(final_message_mark);
  return before;
}

inline void cut_at_mark(rendered_chat& out, const std::string& last) {
  const std::string_view bare = final_message_mark.substr(0, final_message_mark.size() - 1);
  const std::size_t at = out.text.rfind(bare);
  if (at == std::string::npos || out.text.find(jinja::strip_space(last)) == std::string::npos)
    fail_continue("the template does not reproduce the final message");
  const bool spaces_kept = out.text.compare(at, final_message_mark.size(), final_message_mark) == 0;
  out.text.resize(at);
  if (!spaces_kept) out.text.resize(jinja::strip_space(out.text, false, true).size());
  for (auto& [begin, end] : out.generation) {
    begin = std::min(begin, out.text.size());
    end = std::min(end, out.text.size());
  }
}

}  // namespace impl

PARLANCE_SPLIT_INLINE chat_template::chat_template(std::string source, json special_tokens)
    : source_(std::move(source)), special_tokens_(std::move(special_tokens)) {
  require_utf8(source_, "chat template");
  impl::require_template_object(special_tokens_, "special_tokens");
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

PARLANCE_SPLIT_INLINE bool chat_template::mentions(const std::string& variable) const {
  return program_->source.name_index.count(variable) > 0;
}

PARLANCE_SPLIT_INLINE rendered_chat
chat_template::render_with_spans(const json& messages, const chat_options& options) const {
  impl::require_template_object(options.extra, "extra");
  if (!options.continue_final_message) return run(messages, options);
  if (options.add_generation_prompt)
    throw option_error("continue_final_message and add_generation_prompt exclude each other",
                       "continue_final_message lets the model go on with the last message");
  json marked = messages;
  const std::string last = impl::mark_final_message(marked);
  rendered_chat out = run(marked, options);
  impl::cut_at_mark(out, last);
  return out;
}

PARLANCE_SPLIT_INLINE rendered_chat chat_template::run(const json& messages,
                                                       const chat_options& options) const {
  jinja::renderer renderer(*program_, impl::clock(options));
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

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
