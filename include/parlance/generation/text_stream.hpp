// SPDX-License-Identifier: Apache-2.0
// Streams generated text to a callback: ids are decoded by a function of the caller (a tokenizer's
// streaming decoder, whose pieces are complete UTF-8), and text that may turn out to be the
// beginning of a stop string is held back. The emitted pieces joined are text(); with
// keep_stop_string the stop string and what follows it in the same piece belong to it, as in
// transformers, and nothing is held back.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/core/progress.hpp"
#include "parlance/generation/stop_strings.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

struct text_stream_options {
  std::function<std::string(std::int32_t)> decode{};
  callback<std::string_view> on_text{};
  text_list stop_strings{};
  bool keep_stop_string = false;
};

class text_stream {
 public:
  explicit text_stream(text_stream_options options)
      : options_(std::move(options)), matcher_(options_.stop_strings) {}

  // The prompt's text, so that a stop string that begins in it is found.
  void prime(std::string_view prompt) { matcher_.prime(prompt); }

  // The next generated id. flow::stop when a stop string is complete or the callback says so.
  flow push(std::int32_t id) { return push_text(options_.decode(id)); }

  flow push_text(std::string_view piece) {
    if (done_) return flow::stop;
    const auto found = matcher_.push(piece);
    if (options_.keep_stop_string || !found) {
      held_.append(piece);
    } else {
      held_.append(piece.substr(0, found->used));
      held_.resize(held_.size() - std::min(found->length, held_.size()));
    }
    if (found) matched_ = found->index;
    const bool hold = !found && !options_.keep_stop_string;
    const flow said = emit(held_.size() - (hold ? std::min(matcher_.pending(), held_.size()) : 0));
    done_ = found || said == flow::stop;
    return done_ ? flow::stop : flow::next;
  }

  // The end of generation: `rest` is what the decoder still had; held text is emitted.
  flow finish(std::string_view rest = {}) {
    if (!done_ && !rest.empty()) push_text(rest);
    if (!done_) emit(held_.size());
    done_ = true;
    return flow::stop;
  }

  // Everything emitted so far.
  const std::string& text() const { return text_; }
  // Index of the stop string that ended the text.
  std::optional<std::size_t> matched() const { return matched_; }
  bool done() const { return done_; }

 private:
  flow emit(std::size_t count) {
    if (count == 0) return flow::next;
    text_.append(held_, 0, count);
    held_.erase(0, count);
    return options_.on_text(std::string_view(text_).substr(text_.size() - count));
  }

  text_stream_options options_;
  stop_string_matcher matcher_;
  std::string held_, text_;
  std::optional<std::size_t> matched_;
  bool done_ = false;
};

}  // namespace parlance::inline PARLANCE_ABI::generation
