// SPDX-License-Identifier: Apache-2.0
// The small value types that generation options are made of: one value or a list (eos ids, stop
// strings), `early_stopping` (a bool or "never"), biased token sequences, the length decay.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

// A list that a single value converts to: `.eos_token_id = 2` or `.eos_token_id = {{2, 107}}`.
template <class T>
class one_or_many {
 public:
  one_or_many() = default;
  template <class U>
  requires(std::convertible_to<U, T>&& std::constructible_from<T, U>) one_or_many(U&& value) {
    values_.push_back(static_cast<T>(std::forward<U>(value)));
  }
  one_or_many(std::initializer_list<T> values) : values_(values) {}
  one_or_many(std::vector<T> values) : values_(std::move(values)) {}

  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  const T& operator[](std::size_t i) const { return values_[i]; }
  const std::vector<T>& values() const { return values_; }
  friend bool operator==(const one_or_many&, const one_or_many&) = default;

 private:
  std::vector<T> values_;
};

using token_ids = one_or_many<std::int32_t>;
using text_list = one_or_many<std::string>;

// When beam search may end: false (heuristic), true (enough finished beams) or "never" (provably).
class early_stopping_rule {
 public:
  enum class kind { heuristic, first_finished, never };
  constexpr early_stopping_rule() = default;
  constexpr early_stopping_rule(kind value) : value_(value) {}
  template <std::same_as<bool> Bool>
  constexpr early_stopping_rule(Bool yes) : value_(yes ? kind::first_finished : kind::heuristic) {}
  constexpr early_stopping_rule(std::string_view word) : value_(kind::never) {
    if (word != "never")
      throw option_error("early_stopping: expected true, false or \"never\"",
                         "did you mean \"never\"?");
  }
  constexpr early_stopping_rule(const char* word) : early_stopping_rule(std::string_view(word)) {}

  constexpr kind value() const { return value_; }
  friend constexpr bool operator==(early_stopping_rule, early_stopping_rule) = default;

 private:
  kind value_ = kind::heuristic;
};

// Added to the score of the last id of `ids` when the ids before it end the sequence.
struct biased_sequence {
  std::vector<std::int32_t> ids;
  float bias = 0;
  friend bool operator==(const biased_sequence&, const biased_sequence&) = default;
};

// From `start` generated tokens on, the end grows likelier by `factor` a token.
struct length_decay {
  std::int64_t start = 0;
  double factor = 1;
  friend bool operator==(const length_decay&, const length_decay&) = default;
};

using token_lists = std::vector<std::vector<std::int32_t>>;
using sequence_biases = std::vector<biased_sequence>;

}  // namespace parlance::inline PARLANCE_ABI::generation
