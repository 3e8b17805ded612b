// SPDX-License-Identifier: Apache-2.0
// Strings one after the other in one buffer: appending many costs no allocation each.
#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::tokenizers {

class string_list {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = std::string_view;

    iterator() = default;
    iterator(const string_list* of, std::size_t i) : of_(of), i_(i) {}
    std::string_view operator*() const { return (*of_)[i_]; }
    iterator& operator++() { return ++i_, *this; }
    iterator operator++(int) { return {of_, i_++}; }
    bool operator==(const iterator& o) const { return i_ == o.i_; }

   private:
    const string_list* of_ = nullptr;
    std::size_t i_ = 0;
  };
  using value_type = std::string;

  void add(std::string_view s) {
    arena_ += s;
    ends_.push_back(arena_.size());
  }
  // f(std::string&) appends the new string to the buffer.
  template <class F>
  void add_by(F f) {
    f(arena_);
    ends_.push_back(arena_.size());
  }
  // Strings [begin, end) of another list.
  void append(const string_list& other, std::size_t begin, std::size_t end) {
    if (begin == end) return;
    const std::size_t from = other.start(begin), shift = arena_.size() - from;
    arena_.append(other.arena_, from, other.ends_[end - 1] - from);
    for (std::size_t i = begin; i < end; ++i) ends_.push_back(other.ends_[i] + shift);
  }
  void reserve(std::size_t strings, std::size_t bytes) {
    ends_.reserve(strings), arena_.reserve(bytes);
  }
  void clear() { arena_.clear(), ends_.clear(); }

  std::size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  std::size_t bytes() const { return arena_.size(); }
  std::string_view operator[](std::size_t i) const {
    return std::string_view(arena_).substr(start(i), ends_[i] - start(i));
  }
  iterator begin() const { return {this, 0}; }
  iterator end() const { return {this, size()}; }
  std::vector<std::string> to_vector() const { return {begin(), end()}; }
  friend bool operator==(const string_list&, const string_list&) = default;

 private:
  std::size_t start(std::size_t i) const { return i ? ends_[i - 1] : 0; }

  std::string arena_;
  std::vector<std::size_t> ends_;
};

}  // namespace parlance::inline PARLANCE_ABI::tokenizers
