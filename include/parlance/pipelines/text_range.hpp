// SPDX-License-Identifier: Apache-2.0
// Generated text as a range: `for (std::string_view piece : generate.stream(prompt))`. Each step of
// the loop runs the model until there is more text, in the caller's thread, so an exception comes
// out of the loop and leaving the loop early ends the generation.
#pragma once

#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/pipelines/text_session.hpp"

namespace parlance::inline PARLANCE_ABI::pipelines {

// A single-pass input range of pieces, each complete UTF-8, valid until the next step. The pieces
// joined are the new text (before clean-up of spaces). The pipeline has to outlive the range.
class text_range {
 public:
  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = std::string_view;

    iterator() = default;
    std::string_view operator*() const { return of_->piece_; }
    iterator& operator++() {
      of_->step();
      return *this;
    }
    void operator++(int) { of_->step(); }
    friend bool operator==(const iterator& i, std::default_sentinel_t) { return i.at_end(); }

   private:
    friend class text_range;
    explicit iterator(text_range* of) : of_(of) {}
    bool at_end() const { return !of_ || of_->piece_.empty(); }
    text_range* of_ = nullptr;
  };

  explicit text_range(std::unique_ptr<text_session> session) : session_(std::move(session)) {}

  // Starts the generation; called again, it goes on where the last iterator stood.
  iterator begin() {
    if (!started_) {
      session_->start();
      started_ = true;
      step();
    }
    return iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }

  bool done() const { return done_; }
  // Ids, finish reason and the rest, of what has been generated so far.
  text_generation_output result() {
    begin();
    if (!result_) {
      done_ = true;  // the loop gives its results away
      result_ = std::move(session_->finish().front().front());
    }
    return *result_;
  }

 private:
  void step() {
    piece_.clear();
    while (piece_.empty() && !done_) {
      done_ = !session_->advance();
      piece_ = session_->take_text();
    }
  }

  std::unique_ptr<text_session> session_;
  std::string piece_;
  std::optional<text_generation_output> result_;
  bool started_ = false, done_ = false;
};

}  // namespace parlance::inline PARLANCE_ABI::pipelines
