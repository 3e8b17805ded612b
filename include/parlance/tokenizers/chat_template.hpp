// SPDX-License-Identifier: Apache-2.0
// Chat templates: turns messages into the prompt of a model, as apply_chat_template of transformers
// 4.57.6 (utils/chat_template_utils.py) with Jinja2 3.1.6 in its immutable sandbox, trim_blocks,
// lstrip_blocks, the loopcontrols extension, {% generation %}, tojson without HTML escapes,
// raise_exception and strftime_now. A template has no files: include, import and extends are
// refused. Integers have 128 bits. Work, memory and nesting are limited, so a template may be
// hostile.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/json.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

namespace jinja {
struct program;
}

struct chat_options {
  bool add_generation_prompt = false;
  bool continue_final_message = false;
  json tools = nullptr;
  json documents = nullptr;
  json extra = nullptr;  // an object: any other variable of the template
  std::function<std::string(std::string_view format)> strftime_now{};
  std::optional<std::time_t>
      now{};  // for strftime_now, in UTC; default: the local time of the call
};

// A prompt with the byte ranges that {% generation %} blocks made (for assistant token masks).
struct rendered_chat {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> generation;
};

class chat_template {
 public:
  // special_tokens: an object such as {"bos_token": "<s>", "eos_token": "</s>"}.
  explicit chat_template(std::string source, json special_tokens = nullptr);

  const std::string& source() const { return source_; }

  // Whether the template refers to a variable at all, e.g. "tools" or "enable_thinking".
  bool mentions(const std::string& variable) const;

  std::string render(const json& messages, const chat_options& options = {}) const {
    return render_with_spans(messages, options).text;
  }
  rendered_chat render_with_spans(const json& messages, const chat_options& options = {}) const;

 private:
  rendered_chat run(const json& messages, const chat_options& options) const;

  std::string source_;
  json special_tokens_;
  std::shared_ptr<const jinja::program> program_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers

#if PARLANCE_BODIES
#include "parlance/tokenizers/impl/chat_template.hpp"
#endif
