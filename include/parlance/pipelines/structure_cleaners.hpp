// SPDX-License-Identifier: Apache-2.0
// Cleaners of structured text for reply_cleaner.hpp: Markdown, pairs that were left open, JSON.
#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/json.hpp"
#include "parlance/pipelines/reply_cleaner.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

namespace detail {

// Closes at the end what is still open, innermost first: brackets, double quotes, inline code and
// code fences. Inside code nothing else counts.
class balance_stage final : public cleaner_stage {
 public:
  void push(std::string_view c, std::string& out) override {
    out += c;
    if (c == "`") {
      ++ticks_;
      last_ = '`';
      return;
    }
    settle_ticks();
    if (!in_code()) on_text(c);
    last_ = c[0];
  }
  void finish(std::string& out) override {
    settle_ticks();
    for (; !open_.empty(); open_.pop_back()) {
      if (open_.back() == "```" && last_ != '\n') out += '\n';
      out += open_.back();
    }
  }

 private:
  bool in_code() const { return !open_.empty() && open_.back()[0] == '`'; }

  void settle_ticks() {
    if (ticks_ == 0) return;
    const std::string mark = ticks_ >= 3 ? "```" : std::string(ticks_ == 2 ? 0 : 1, '`');
    ticks_ = 0;
    if (mark.empty()) return;
    if (!open_.empty() && open_.back() == mark)
      open_.pop_back();
    else if (!in_code())
      open_.push_back(mark);
  }
  void on_text(std::string_view c) {
    static constexpr std::string_view pairs[][2] = {
        {"(", ")"}, {"[", "]"}, {"{", "}"}, {"“", "”"}, {"«", "»"}, {"「", "」"}, {"（", "）"}};
    if (c == "\"") {
      if (!open_.empty() && open_.back() == "\"")
        open_.pop_back();
      else
        open_.push_back("\"");
      return;
    }
    for (const auto& [opens, closes] : pairs) {
      if (c == opens) open_.emplace_back(closes);
      if (c == closes && !open_.empty() && open_.back() == closes) open_.pop_back();
    }
  }

  std::vector<std::string> open_;  // what would close each, outermost first
  std::size_t ticks_ = 0;
  char last_ = '\n';
};

// Takes the marks of Markdown out of a line: headings, quotes, rules, emphasis, code, links.
class markdown_stage final : public line_stage {
 private:
  void on_line(std::string line, std::string& out) override {
    const std::size_t text = line.find_first_not_of(" \t");
    const std::string_view rest =
        text == line.npos ? std::string_view() : std::string_view(line).substr(text);
    if (rest.starts_with("```") || rest.starts_with("~~~")) {
      in_code_ = !in_code_;
      return;
    }
    if (in_code_) {
      out += line;
    } else if (!is_rule(rest)) {
      out += line.substr(0, line.size() - rest.size());
      inline_marks(block_marks(rest), out);
    }
  }

  static bool is_rule(std::string_view s) {
    std::size_t marks = 0;
    for (const char c : s) {
      if (c == ' ' || c == '\n' || c == '\r') continue;
      if ((c != '-' && c != '*' && c != '_') || c != s[0]) return false;
      ++marks;
    }
    return marks >= 3;
  }
  static std::string_view block_marks(std::string_view s) {
    while (s.starts_with("> ")) s.remove_prefix(2);
    const std::size_t level = s.find_first_not_of('#');
    if (level != s.npos && level > 0 && level <= 6 && s[level] == ' ') s.remove_prefix(level + 1);
    return s;
  }
  // The end of a run marked by `mark` from i on, or npos; emphasis holds no white space inside its
  // marks' edges.
  static std::size_t closing(std::string_view s, std::size_t i, std::string_view mark) {
    const std::size_t begin = i + mark.size();
    if (begin >= s.size() || s[begin] == ' ') return s.npos;
    const std::size_t end = s.find(mark, begin + 1);
    return end == s.npos || s[end - 1] == ' ' ? s.npos : end;
  }
  static bool word(std::string_view s, std::size_t i) {
    return i < s.size() && (std::isalnum(static_cast<unsigned char>(s[i])) || s[i] < 0);
  }
  // Depth is bounded by the length of the nested marks, each of which is shorter than the last.
  static void inline_marks(std::string_view s, std::string& out, int depth = 0) {
    for (std::size_t i = 0; i < s.size();) {
      if (const std::size_t next = depth < 16 ? marked(s, i, out, depth) : 0)
        i = next;
      else
        out += s[i++];
    }
  }
  // Writes what starts at i without its marks and returns where it ends; 0 when there is no mark.
  static std::size_t marked(std::string_view s, std::size_t i, std::string& out, int depth) {
    if (s[i] == '`') {
      const std::size_t end = s.find('`', i + 1);
      if (end == s.npos) return 0;
      out += s.substr(i + 1, end - i - 1);
      return end + 1;
    }
    if (s[i] == '[' || s.substr(i, 2) == "![") {
      const std::size_t text = i + (s[i] == '!') + 1, middle = s.find("](", text);
      const std::size_t end = middle == s.npos ? middle : s.find(')', middle);
      if (end == s.npos || s.substr(text, middle - text).find('[') != s.npos) return 0;
      inline_marks(s.substr(text, middle - text), out, depth + 1);
      return end + 1;
    }
    for (const std::string_view mark : {"***", "**", "__", "~~", "*", "_"}) {
      if (s.substr(i, mark.size()) != mark) continue;
      const std::size_t end = closing(s, i, mark);
      const bool inside = mark[0] == '_' && ((i > 0 && word(s, i - 1)) ||
                                             (end != s.npos && word(s, end + mark.size())));
      if (end == s.npos || inside) continue;
      inline_marks(s.substr(i + mark.size(), end - i - mark.size()), out, depth + 1);
      return end + mark.size();
    }
    return 0;
  }
  bool in_code_ = false;
};

// Keeps the first object or array that is valid JSON.
class first_json_stage final : public cleaner_stage {
 public:
  void push(std::string_view c, std::string& out) override {
    if (ended_) return;
    held_ += c;
    scan(out);
  }
  // A bracket that never closed hid what came after it.
  void finish(std::string& out) override {
    while (!ended_ && !nesting_.empty()) {
      restart();
      at_ = 0;
      scan(out);
    }
  }
  bool ended() const override { return ended_; }

 private:
  void scan(std::string& out) {
    for (; at_ < held_.size() && !ended_; ++at_) {
      const char c = held_[at_];
      if (nesting_.empty()) {
        if (c == '{' || c == '[') {
          held_.erase(0, at_);
          at_ = 0;
          nesting_ = c;
        }
        continue;
      }
      if (in_string_) {
        if (escaped_)
          escaped_ = false;
        else if (c == '\\')
          escaped_ = true;
        else if (c == '"')
          in_string_ = false;
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        nesting_ += c;
      } else if (c == '}' || c == ']') {
        if (nesting_.back() != (c == '}' ? '{' : '['))
          restart();
        else if (nesting_.pop_back(), nesting_.empty())
          close(out);
      }
      if (nesting_.size() > json_max_depth) restart();
    }
    if (nesting_.empty()) held_.clear(), at_ = 0;
  }
  void close(std::string& out) {
    const std::string value = held_.substr(0, at_ + 1);
    if (!json::accept(value)) return restart();
    out += value;
    ended_ = true;
  }
  // Looks again behind the bracket that began no JSON.
  void restart() {
    held_.erase(0, 1);
    at_ = static_cast<std::size_t>(-1);
    nesting_.clear();
    in_string_ = escaped_ = false;
  }

  std::string held_, nesting_;  // the brackets open now
  std::size_t at_ = 0;
  bool in_string_ = false, escaped_ = false, ended_ = false;
};

}  // namespace detail

namespace cleaners {

// Closes quotes, brackets, code and code fences that are still open at the end.
inline reply_cleaner balance() { return make<detail::balance_stage>(); }

// Plain text of Markdown: what is in code fences stays as it is, list marks stay too.
inline reply_cleaner strip_markdown() { return make<detail::markdown_stage>(); }

// Keeps only the first complete JSON object or array; nothing when there is none.
inline reply_cleaner first_json() { return make<detail::first_json_stage>(); }

}  // namespace cleaners

}  // namespace parlance::inline PARLANCE_ABI::pipelines
