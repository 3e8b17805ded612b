// SPDX-License-Identifier: Apache-2.0
// A backtracking matcher for the splitting patterns that have no hand-written scanner: leftmost,
// first alternative, as Oniguruma. Work is bounded: an expression that backtracks without end
// raises a text_error. No captures, no back-references.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/tokenizers/regex_program.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class regex {
 public:
  explicit regex(std::string_view source) : program_(regex_compiler(source).compile()) {}

  // f(begin, end) for every match from left to right, without overlaps.
  template <class F>
  void each(std::string_view text, F f) const {
    machine m{program_, text, step_limit + 1000 * std::uint64_t{text.size()}};
    std::size_t last_end = std::string_view::npos;
    for (std::size_t i = 0; i <= text.size();) {
      std::size_t end = 0;
      const bool found = m.run(0, i, end);
      if (found && (end > i || end != last_end)) {
        f(i, end);
        last_end = end;
        if (end > i) {
          i = end;
          continue;
        }
      }
      i += i < text.size() ? unicode::length_of(text[i]) : 1;
    }
  }

 private:
  struct saved {
    std::uint32_t pc;
    std::size_t position;  // or the old value of slot pc - slot_tag
  };
  static constexpr std::uint32_t slot_tag = 0x80000000u;
  static constexpr std::uint64_t step_limit = 5'000'000;

  struct machine {
    const regex_program& program;
    std::string_view text;
    std::uint64_t limit;
    std::vector<std::size_t> slots = std::vector<std::size_t>(program.slots);
    std::vector<saved> stack = {};
    std::uint64_t steps = 0;

    // Runs from pc at position i; on success `end` is where it stopped.
    bool run(std::uint32_t pc, std::size_t i, std::size_t& end) {
      const std::size_t base = stack.size();
      while (true) {
        if (++steps > limit)
          throw text_error("regular expression takes too many steps on this text");
        const regex_instruction& in = program.code[pc];
        if (in.op == regex_op::accept) {
          stack.resize(base);
          end = i;
          return true;
        }
        if (step(in, pc, i)) continue;
        if (!backtrack(base, pc, i)) return false;
      }
    }

    // One instruction; false when it fails.
    bool step(const regex_instruction& in, std::uint32_t& pc, std::size_t& i) {
      switch (in.op) {
        case regex_op::split:
          stack.push_back({in.y, i});
          pc = in.x;
          return true;
        case regex_op::jump:
          pc = in.x;
          return true;
        case regex_op::mark:
          stack.push_back({slot_tag + in.x, slots[in.x]});
          slots[in.x] = i;
          ++pc;
          return true;
        case regex_op::progress:
          if (slots[in.x] == i) return false;
          ++pc;
          return true;
        case regex_op::look_ahead: {
          std::size_t end = 0;
          const bool found = run(pc + 1, i, end);
          pc = in.x;
          return found != (in.y != 0);
        }
        case regex_op::look_behind: {
          const bool found = behind(program.code[pc + 1], pc + 2, i);
          pc = in.x;
          return found != (in.y != 0);
        }
        case regex_op::atomic: {
          const bool found = run(pc + 1, i, i);
          pc = in.x;
          return found;
        }
        default:
          ++pc;
          return is_anchor(in.op) ? anchor(in, i) : character(in, i);
      }
    }

    bool behind(const regex_instruction& bounds, std::uint32_t pc, std::size_t i) {
      std::size_t from = i;
      for (std::uint32_t k = 0;; ++k) {
        std::size_t end = 0;
        if (k >= bounds.x && run(pc, from, end) && end == i) return true;
        if (k == bounds.y || from == 0) return false;
        from -= unicode::decode_before(text, from).length;
      }
    }

    static bool is_anchor(regex_op op) {
      return op >= regex_op::line_begin && op <= regex_op::word_edge;
    }
    bool anchor(const regex_instruction& in, std::size_t i) const {
      const std::size_t n = text.size();
      switch (in.op) {
        case regex_op::line_begin:
          return i == 0 || (text[i - 1] == '\n' && i < n);
        case regex_op::line_end:
          return i == n || text[i] == '\n';
        case regex_op::text_begin:
          return i == 0;
        case regex_op::text_end:
          return i == n;
        case regex_op::text_end_newline:
          return i == n || (i + 1 == n && text[i] == '\n');
        default: {
          const bool before = i > 0 && is_regex_word(unicode::decode_before(text, i).code_point);
          const bool after = i < n && is_regex_word(unicode::decode(text, i).code_point);
          return (before != after) != (in.x != 0);
        }
      }
    }

    bool character(const regex_instruction& in, std::size_t& i) const {
      if (i >= text.size()) return false;
      const unicode::step at = unicode::decode(text, i);
      const char32_t c = at.code_point;
      i += at.length;
      switch (in.op) {
        case regex_op::character:
          return c == in.x;
        case regex_op::character_icase:
          return fold_case(c) == in.x;
        case regex_op::set:
          return program.sets[in.x].contains(c);
        case regex_op::set_icase:
          return program.sets[in.x].contains_ignoring_case(c);
        default:
          return c != '\n';
      }
    }

    bool backtrack(std::size_t base, std::uint32_t& pc, std::size_t& i) {
      while (stack.size() > base) {
        const saved top = stack.back();
        stack.pop_back();
        if (top.pc >= slot_tag) {
          slots[top.pc - slot_tag] = top.position;
          continue;
        }
        pc = top.pc;
        i = top.position;
        return true;
      }
      return false;
    }
  };

  regex_program program_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
