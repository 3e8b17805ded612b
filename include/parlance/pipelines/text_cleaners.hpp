// SPDX-License-Identifier: Apache-2.0
// Cleaners of plain text for reply_cleaner.hpp: white space, stop strings, sentences, limits,
// echoes, markers of chats and special tokens, repetitions.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "parlance/generation/stop_strings.hpp"
#include "parlance/pipelines/reply_cleaner.hpp"
#include "parlance/pipelines/sentences.hpp"
#include "parlance/tokenizers/unicode.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

inline void trim_right(std::string& text) {
  while (!text.empty()) {
    const std::size_t length = tokenizers::unicode::decode_before(text, text.size()).length;
    const std::size_t at = text.size() - std::min(length, text.size());
    if (!is_blank(std::string_view(text).substr(at))) return;
    text.resize(at);
  }
}

class trim_stage final : public cleaner_stage {
 public:
  void push(std::string_view c, std::string& out) override {
    if (is_blank(c)) {
      if (begun_) held_ += c;
      return;
    }
    begun_ = true;
    (out += held_) += c;
    held_.clear();
  }

 private:
  bool begun_ = false;
  std::string held_;
};

class whitespace_stage final : public cleaner_stage {
 public:
  explicit whitespace_stage(bool keep_newlines) : keep_newlines_(keep_newlines) {}
  void push(std::string_view c, std::string& out) override {
    if (is_blank(c)) {
      blank_ = true;
      lines_ += c == "\n";
      return;
    }
    finish(out);
    out += c;
  }
  void finish(std::string& out) override {
    if (!blank_) return;
    if (keep_newlines_ && lines_ > 0)
      out.append(std::min<std::size_t>(lines_, 2), '\n');
    else
      out += ' ';
    blank_ = false;
    lines_ = 0;
  }

 private:
  bool keep_newlines_, blank_ = false;
  std::size_t lines_ = 0;
};

class stop_stage final : public cleaner_stage {
 public:
  explicit stop_stage(const std::vector<std::string>& strings)
      : matcher_(generation::text_list(strings)) {}
  void push(std::string_view c, std::string& out) override {
    if (ended_) return;
    held_ += c;
    if (const auto found = matcher_.push(c)) {
      ended_ = true;
      out.append(held_, 0, held_.size() - std::min(found->length, held_.size()));
      return;
    }
    const std::size_t keep = std::min(matcher_.pending(), held_.size());
    out.append(held_, 0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
  }
  void finish(std::string& out) override {
    if (!ended_) out += held_;
  }
  bool ended() const override { return ended_; }

 private:
  generation::stop_string_matcher matcher_;
  std::string held_;
  bool ended_ = false;
};

class complete_sentences_stage final : public cleaner_stage {
 public:
  void push(std::string_view c, std::string& out) override {
    if (ends_.before(c)) flush(out);
    held_ += c;
    ends_.push(c);
  }
  void finish(std::string& out) override {
    if (ends_.before({}) || !any_) flush(out);
  }

 private:
  void flush(std::string& out) {
    any_ = any_ || std::any_of(held_.begin(), held_.end(), [](char c) { return c != '\n'; });
    out += held_;
    held_.clear();
  }
  sentence_ends ends_;
  std::string held_;
  bool any_ = false;
};

class limit_sentences_stage final : public cleaner_stage {
 public:
  explicit limit_sentences_stage(std::size_t most) : left_(most) {}
  void push(std::string_view c, std::string& out) override {
    if (left_ == 0) return;
    if (ends_.before(c) && begun_) {
      begun_ = false;
      if (--left_ == 0) return;
    }
    begun_ = begun_ || !is_blank(c);
    out += c;
    ends_.push(c);
  }
  bool ended() const override { return left_ == 0; }

 private:
  sentence_ends ends_;
  std::size_t left_;
  bool begun_ = false;  // a sentence, with something in it
};

class limit_characters_stage final : public cleaner_stage {
 public:
  limit_characters_stage(std::size_t most, bool whole_words) : left_(most), words_(whole_words) {}
  void push(std::string_view c, std::string& out) override {
    if (over_) return;
    if (left_ == 0) {
      over_ = true;
      if (!words_ || is_blank(c) || !begun_) out += held_;
      return;
    }
    --left_;
    if (!words_ || is_blank(c)) {
      (out += held_) += c;
      begun_ = true;
      held_.clear();
    } else {
      held_ += c;
    }
  }
  void finish(std::string& out) override {
    if (!over_) out += held_;
  }
  bool ended() const override { return over_; }

 private:
  std::size_t left_;
  bool words_, begun_ = false, over_ = false;
  std::string held_;
};

class echo_stage final : public cleaner_stage {
 public:
  explicit echo_stage(std::string prompt) : prompt_(std::move(prompt)) { trim_right(prompt_); }
  void push(std::string_view c, std::string& out) override {
    if (settled_) {
      if (after_ && is_blank(c)) return;
      after_ = false;
      out += c;
      return;
    }
    held_ += c;
    if (matched_ == 0 && is_blank(c)) return;
    if (prompt_.compare(matched_, c.size(), c) != 0) return finish(out);
    matched_ += c.size();
    if (matched_ < prompt_.size()) return;
    settled_ = after_ = true;
    held_.clear();
  }
  void finish(std::string& out) override {
    out += held_;
    held_.clear();
    settled_ = true;
  }

 private:
  std::string prompt_, held_;
  std::size_t matched_ = 0;
  bool settled_ = prompt_.empty(), after_ = false;
};

// Literal strings, and special tokens of the form <|name|>.
class marker_stage final : public leftmost_stage {
 public:
  explicit marker_stage(std::vector<std::string> markers) : markers_(std::move(markers)) {}

 private:
  std::size_t match(std::string_view text, bool end) const override {
    std::size_t longest = special_token(text, end);
    if (longest == more) return more;
    for (const std::string& m : markers_) {
      if (text.starts_with(m)) longest = std::max(longest, m.size());
      if (!end && text.size() < m.size() && m.starts_with(text)) return more;
    }
    return longest;
  }
  static std::size_t special_token(std::string_view text, bool end) {
    constexpr std::size_t most = 64;
    if (!std::string_view("<|").starts_with(text.substr(0, 2))) return 0;
    for (std::size_t i = 2; i < std::min(text.size(), most); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c == '|' && i + 1 < text.size()) return text[i + 1] == '>' && i > 2 ? i + 2 : 0;
      if (c != '|' && !std::isalnum(c) && c != '_' && c != '-' && c < 0x80) return 0;
    }
    return end || text.size() >= most ? 0 : more;
  }
  std::vector<std::string> markers_;
};

// Drops a line that was there before; blank lines count as different.
class repeated_lines_stage final : public line_stage {
 private:
  void on_line(std::string line, std::string& out) override {
    std::string key;
    for (std::size_t i = 0; i < line.size(); ++i)
      if (!std::isspace(static_cast<unsigned char>(line[i]))) key += line[i];
    if (key.empty() || seen_.insert(std::move(key)).second) out += line;
  }
  std::unordered_set<std::string> seen_;
};

// Drops the second of two equal runs of words, one after the other. A word has its white space in
// front of it; words are given out once no run can reach them any more.
class repeated_ngrams_stage final : public cleaner_stage {
 public:
  repeated_ngrams_stage(std::size_t least, std::size_t most)
      : least_(std::max<std::size_t>(least, 1)), most_(std::max(most, least_)) {}
  void push(std::string_view c, std::string& out) override {
    if (is_blank(c) && in_word_) add(out);
    in_word_ = !is_blank(c);
    (in_word_ ? word_ : space_) += c;
  }
  void finish(std::string& out) override {
    if (in_word_) add(out);
    for (const entry& e : held_) (out += e.space) += e.word;
    held_.clear();
    out += space_;
  }

 private:
  struct entry {
    std::string space, word;
  };
  // The i-th word from the end: of those held, then of those given out.
  const std::string& back(std::size_t i) const {
    return i < held_.size() ? held_[held_.size() - 1 - i].word
                            : past_[past_.size() - 1 - (i - held_.size())];
  }
  void add(std::string& out) {
    held_.push_back({std::exchange(space_, {}), std::exchange(word_, {})});
    for (std::size_t n = most_; n >= least_; --n) {
      if (held_.size() < n || held_.size() + past_.size() < 2 * n) continue;
      bool same = true;
      for (std::size_t i = 0; i < n && same; ++i) same = back(i) == back(i + n);
      if (!same) continue;
      held_.resize(held_.size() - n);
      return;
    }
    for (; held_.size() > most_; held_.pop_front()) {
      (out += held_.front().space) += held_.front().word;
      past_.push_back(std::move(held_.front().word));
      if (past_.size() > most_) past_.pop_front();
    }
  }

  std::size_t least_, most_;
  std::string space_, word_;
  bool in_word_ = false;
  std::deque<entry> held_;
  std::deque<std::string> past_;
};

}  // namespace detail

namespace cleaners {

// Takes white space off both ends.
inline reply_cleaner trim() { return make<detail::trim_stage>(); }

struct whitespace_options {
  bool keep_newlines = true;  // a run with newlines becomes one or two of them
};
// A run of white space becomes one space.
inline reply_cleaner collapse_whitespace(whitespace_options o = {}) {
  return make<detail::whitespace_stage>(o.keep_newlines);
}

// Cuts before the stop string that is complete first. Throws option_error for an empty one.
inline reply_cleaner stop_at(std::vector<std::string> strings) {
  generation::stop_string_matcher check{generation::text_list(strings)};
  return make<detail::stop_stage>(std::move(strings));
}

// Drops a last sentence (or line) that is not finished, unless it is all there is.
inline reply_cleaner complete_sentences() { return make<detail::complete_sentences_stage>(); }

// Keeps the first `most` sentences or lines.
inline reply_cleaner limit_sentences(std::size_t most) {
  return make<detail::limit_sentences_stage>(most);
}

struct limit_options {
  bool whole_words = true;  // cut before the word that does not fit, if one was there before
};
// Keeps the first `most` characters (code points).
inline reply_cleaner limit_characters(std::size_t most, limit_options o = {}) {
  return make<detail::limit_characters_stage>(most, o.whole_words);
}

// Drops the prompt when the reply starts with it.
inline reply_cleaner remove_echo(std::string prompt) {
  return make<detail::echo_stage>(std::move(prompt));
}

// The turns' markers of common chat templates, beside <|name|>.
inline std::vector<std::string> chat_markers() {
  return {"<s>",
          "</s>",
          "<pad>",
          "<unk>",
          "<bos>",
          "<eos>",
          "[INST]",
          "[/INST]",
          "<<SYS>>",
          "<</SYS>>",
          "[CLS]",
          "[SEP]",
          "[PAD]",
          "[MASK]",
          "<mask>",
          "<think>",
          "</think>",
          "<start_of_turn>",
          "<end_of_turn>",
          "<start_of_turn>model\n",
          "<|im_start|>assistant\n"};
}
// Removes special tokens (<|name|>) and these strings wherever they stand.
inline reply_cleaner remove_markers(std::vector<std::string> markers = chat_markers()) {
  std::erase(markers, "");
  return make<detail::marker_stage>(std::move(markers));
}

// Removes lines that were there before.
inline reply_cleaner remove_repeated_lines() { return make<detail::repeated_lines_stage>(); }

struct ngram_options {
  std::size_t min_words = 2, max_words = 12;
};
// Of a run of words that follows itself, keeps the first.
inline reply_cleaner remove_repeated_ngrams(ngram_options o = {}) {
  return make<detail::repeated_ngrams_stage>(o.min_words, o.max_words);
}

}  // namespace cleaners

}  // namespace parlance::inline PARLANCE_ABI::pipelines
