// SPDX-License-Identifier: Apache-2.0
// Cleaning up what a model wrote: small cleaners joined by `|`, run over a finished reply or over a
// stream of it. However the stream is cut, its joined output equals the cleaned whole, because a
// cleaner sees characters one after the other and keeps back what is not yet certain.
//
//   const auto clean = cleaners::stop_at({"User:"}) | cleaners::complete_sentences() |
//                      cleaners::trim();
//   std::string reply = clean(text);
//   auto s = clean.stream();  // s.push(piece) ... s.finish()
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/utf8.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// One cleaner at work on one text. `out` is appended to.
class cleaner_stage {
 public:
  virtual ~cleaner_stage() = default;
  // The next character, as its UTF-8 bytes (a byte that is not UTF-8 counts as a character).
  virtual void push(std::string_view character, std::string& out) = 0;
  // The text is over.
  virtual void finish(std::string&) {}
  // True when nothing that follows can change the output.
  virtual bool ended() const { return false; }
};

// f(character) for every whole character of `pending` + `text`; what is left incomplete stays in
// `pending`, or is given byte by byte at the `end`.
template <class F>
void each_whole_character(std::string& pending, std::string_view text, bool end, F f) {
  pending += text;
  std::size_t i = 0;
  while (i < pending.size()) {
    const utf8_step at = utf8_decode(pending, i);
    if (at.truncated && !end) break;
    const std::size_t length = at.valid ? at.length : 1;
    f(std::string_view(pending).substr(i, length));
    i += length;
  }
  pending.erase(0, i);
}

class cleaner_stream {
 public:
  explicit cleaner_stream(std::vector<std::unique_ptr<cleaner_stage>> stages)
      : stages_(std::move(stages)) {}

  // Takes the next piece of the reply, cut anywhere; returns what is certain by now.
  std::string push(std::string_view piece) { return take(piece, false); }
  // The rest.
  std::string finish() {
    std::string out = take({}, true);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      std::string rest;
      stages_[i]->finish(rest);
      out += through(rest, i + 1);
    }
    return out;
  }
  // True when the rest of the reply does not matter, so that generation may stop.
  bool ended() const {
    for (const auto& stage : stages_)
      if (stage->ended()) return true;
    return false;
  }

 private:
  std::string take(std::string_view piece, bool end) {
    std::string out;
    each_whole_character(pending_, piece, end,
                         [&](std::string_view c) { out += through(std::string(c), 0); });
    return out;
  }
  // Text through the stages from `first` on. What a stage gives out is whole characters.
  std::string through(std::string text, std::size_t first) {
    for (std::size_t i = first; i < stages_.size() && !text.empty(); ++i) {
      std::string out, none;
      each_whole_character(none, text, true, [&](std::string_view c) { stages_[i]->push(c, out); });
      text = std::move(out);
    }
    return text;
  }

  std::vector<std::unique_ptr<cleaner_stage>> stages_;
  std::string pending_;
};

// A recipe: may be copied, kept and used by any number of threads.
class reply_cleaner {
 public:
  using factory = std::function<std::unique_ptr<cleaner_stage>()>;

  reply_cleaner() = default;  // changes nothing
  explicit reply_cleaner(factory make) : factories_{std::move(make)} {}

  std::string operator()(std::string_view reply) const {
    cleaner_stream s = stream();
    std::string out = s.push(reply);
    return out += s.finish();
  }
  cleaner_stream stream() const {
    std::vector<std::unique_ptr<cleaner_stage>> stages;
    for (const factory& make : factories_) stages.push_back(make());
    return cleaner_stream(std::move(stages));
  }
  // First this, then the other.
  friend reply_cleaner operator|(reply_cleaner first, const reply_cleaner& then) {
    first.factories_.insert(first.factories_.end(), then.factories_.begin(), then.factories_.end());
    return first;
  }

 private:
  std::vector<factory> factories_;
};

namespace cleaners {

// A cleaner from a stage type and what each of its stages starts from.
template <std::derived_from<cleaner_stage> Stage, class... Args>
reply_cleaner make(Args... args) {
  return reply_cleaner([=] { return std::make_unique<Stage>(args...); });
}

}  // namespace cleaners

namespace detail {

// Keeps the whole text for a function of it.
class whole_text_stage final : public cleaner_stage {
 public:
  explicit whole_text_stage(std::function<std::string(std::string)> f) : f_(std::move(f)) {}
  void push(std::string_view c, std::string&) override { text_ += c; }
  void finish(std::string& out) override { out += f_(std::move(text_)); }

 private:
  std::function<std::string(std::string)> f_;
  std::string text_;
};

// Gives out text line by line, its newline (if it has one) included.
class line_stage : public cleaner_stage {
 public:
  void push(std::string_view c, std::string& out) final {
    line_ += c;
    if (c == "\n") on_line(std::exchange(line_, {}), out);
  }
  void finish(std::string& out) final {
    if (!line_.empty()) on_line(std::exchange(line_, {}), out);
  }

 protected:
  virtual void on_line(std::string line, std::string& out) = 0;

 private:
  std::string line_;
};

class line_function_stage final : public line_stage {
 public:
  explicit line_function_stage(std::function<std::string(std::string)> f) : f_(std::move(f)) {}

 private:
  void on_line(std::string line, std::string& out) override { out += f_(std::move(line)); }
  std::function<std::string(std::string)> f_;
};

// Looks for something at the start of the text not yet given out.
class leftmost_stage : public cleaner_stage {
 public:
  void push(std::string_view c, std::string& out) final {
    held_ += c;
    settle(false, out);
  }
  void finish(std::string& out) final { settle(true, out); }

 protected:
  static constexpr std::size_t more = std::string_view::npos;
  // Bytes at the start of `text` that match: 0 for none, `more` when the end has not come and what
  // follows decides.
  virtual std::size_t match(std::string_view text, bool end) const = 0;
  virtual void on_match(std::string_view, std::string&) {}

 private:
  void settle(bool end, std::string& out) {
    std::size_t i = 0;
    while (i < held_.size()) {
      const std::string_view rest = std::string_view(held_).substr(i);
      const std::size_t n = match(rest, end);
      if (n == more) break;
      const utf8_step at = utf8_decode(rest, 0);
      const std::size_t step = n ? n : at.valid ? at.length : 1;
      if (n)
        on_match(rest.substr(0, n), out);
      else
        out += rest.substr(0, step);
      i += step;
    }
    held_.erase(0, i);
  }
  std::string held_;
};

}  // namespace detail

namespace cleaners {

// A function of the whole reply; a stream gives nothing out before the end.
inline reply_cleaner apply(std::function<std::string(std::string)> f) {
  return make<detail::whole_text_stage>(std::move(f));
}
// A function of each line, given with its newline.
inline reply_cleaner each_line(std::function<std::string(std::string)> f) {
  return make<detail::line_function_stage>(std::move(f));
}

}  // namespace cleaners

}  // namespace parlance::inline PARLANCE_ABI::pipelines

namespace parlance::inline PARLANCE_ABI {
namespace cleaners = pipelines::cleaners;
}  // namespace parlance::inline PARLANCE_ABI
