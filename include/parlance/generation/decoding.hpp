// SPDX-License-Identifier: Apache-2.0
// What every way of decoding shares: results, measurements, hooks, and the model with the cache of
// the sequences that run through it.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "parlance/generation/logits_processors.hpp"
#include "parlance/generation/sampler.hpp"
#include "parlance/generation/stopping.hpp"
#include "parlance/models/token_decoder.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

struct generated {
  std::vector<std::int32_t> ids;  // new ids, end-of-sequence included
  finish_reason reason = finish_reason::none;
  std::vector<token_choice> logprobs;  // one a new id, of the raw logits, when asked for
  float score = 0;  // of beams: sum of log-probabilities / length ^ length_penalty
};

struct timing {
  double prompt_seconds = 0, decode_seconds = 0;
  std::int64_t prompt_tokens = 0, decode_tokens = 0;  // the first new token counts as prompt
  double prompt_tokens_per_second() const {
    return prompt_seconds > 0 ? static_cast<double>(prompt_tokens) / prompt_seconds : 0;
  }
  double decode_tokens_per_second() const {
    return decode_seconds > 0 ? static_cast<double>(decode_tokens) / decode_seconds : 0;
  }
};

// The text that each id adds to those before it. A copy goes on independently.
using piece_decoder = std::function<std::string(std::int32_t id)>;

struct generate_hooks {
  // A decoder for the new ids of a sequence, for stop strings; needed only when there are any.
  std::function<piece_decoder(std::size_t sequence)> decoder;
  // Text of the prompt, in which a stop string may begin.
  std::function<std::string(std::size_t sequence)> prompt_text;
  // Each new id; flow::stop ends that sequence. Of beams: an id of a prompt's best result as soon
  // as all its beams agree on it; flow::stop ends the search with the beams that there are.
  callback<std::size_t, std::int32_t> on_token;
  timing* measured = nullptr;
};

// What an encoder-decoder's prompts read: prompt i the source i of the memory. Without a memory the
// prompts are those of a decoder-only model.
struct encoded_sources {
  nn::kv_cache* memory = nullptr;
  std::span<const std::vector<std::int32_t>> ids{};  // for processors that look at the source

  std::span<const std::int32_t> of(std::size_t prompt) const {
    return ids.empty() ? std::span<const std::int32_t>() : ids[prompt];
  }
};

// A decoder and the cache of the sequences that run through it.
class cached_decoder {
 public:
  explicit cached_decoder(const models::token_decoder& model) : model_(model) {}

  // `per_source` sequences one after another read the same source of `memory`.
  void open(std::size_t sequences, nn::kv_cache* memory, std::size_t per_source) {
    memory_ = memory;
    per_source_ = static_cast<std::int64_t>(per_source);
    cache_ = model_.make_cache(static_cast<std::int64_t>(sequences), model_.cache_element());
  }
  nn::kv_cache& cache() { return cache_; }
  std::int64_t max_positions() const { return model_.max_positions(); }

  // Reads a prompt into a sequence, in chunks: the logits of its last position, (1, vocab_size).
  tensor<float> read(std::size_t sequence, std::span<const std::int32_t> prompt,
                     const resolved_config& config) {
    const auto total = static_cast<std::int64_t>(prompt.size());
    const std::int64_t rows = config.prefill_chunk_size.value_or(chunk);
    tensor<float> logits;
    for (std::int64_t at = 0; at < total; at += rows) {
      const std::int64_t n = std::min(rows, total - at), last = n - 1;
      segments_.assign(1, segment_of(sequence, 0, n));
      logits = run(prompt.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(n)),
                   {&last, 1}, config);
    }
    return logits;
  }

  // A step of several sequences: begin(), add() each with its newest id, then run().
  void begin() {
    ids_.clear();
    segments_.clear();
  }
  void add(std::size_t sequence, std::int32_t id) {
    segments_.push_back(segment_of(sequence, static_cast<std::int64_t>(ids_.size()), 1));
    ids_.push_back(id);
  }
  // The logits of each, (sequences, vocab_size).
  tensor<float> run(const resolved_config& config) { return run(ids_, {}, config); }

 private:
  static constexpr std::int64_t chunk = 512;

  models::segment segment_of(std::size_t sequence, std::int64_t begin, std::int64_t count) const {
    const auto s = static_cast<std::int64_t>(sequence);
    return {s, begin, count, memory_ ? s / per_source_ : 0};
  }
  tensor<float> run(std::span<const std::int32_t> ids, std::span<const std::int64_t> rows,
                    const resolved_config& config) {
    models::decoder_input in;
    in.ids = ids;
    in.cache = &cache_;
    in.segments = segments_;
    in.memory = memory_;
    in.stop = config.stop_token;
    return model_.logits(in, rows);
  }

  const models::token_decoder& model_;
  nn::kv_cache cache_;
  nn::kv_cache* memory_ = nullptr;
  std::int64_t per_source_ = 1;
  std::vector<std::int32_t> ids_;
  std::vector<models::segment> segments_;
};

// A way of decoding: which continuations of the prompts are followed.
class decoding_strategy {
 public:
  virtual ~decoding_strategy() = default;
  // Takes the prompts; the model does not run yet.
  virtual void start(std::span<const std::vector<std::int32_t>> prompts,
                     const encoded_sources& sources) = 0;
  // Reads the next prompt, or prompts (their first new ids included), or else gives everything that
  // is still running one more id. False when there is nothing left to do.
  virtual bool advance() = 0;
  // num_return_sequences results for each prompt, one prompt after another.
  virtual std::vector<generated> finish() = 0;
};

namespace detail {

inline std::span<float> row_of(tensor<float>& logits, std::size_t row) {
  return {logits.row(static_cast<std::int64_t>(row)), static_cast<std::size_t>(logits.cols())};
}

inline void require_prompt(std::span<const std::int32_t> prompt) {
  if (prompt.empty())
    throw option_error("generate: an empty prompt", "start it with the bos token");
}

// The processors of a prompt. Of an encoder-decoder the source's ids count as the encoder's.
inline processor_list processors_for(const resolved_config& config, std::size_t index,
                                     std::span<const std::int32_t> prompt,
                                     const encoded_sources& sources, std::int64_t max_positions,
                                     const std::vector<std::int32_t>* chosen_by_others = nullptr) {
  return make_processors(
      config, {.input_length = prompt.size(),
               .lengths = limits(config, static_cast<std::int64_t>(prompt.size()), max_positions),
               .encoder_ids = sources.memory ? sources.of(index) : prompt,
               .batch_index = index,
               .chosen_by_others = chosen_by_others});
}

// New ids to make room for at the start.
inline std::int64_t room_for(const resolved_config& config, std::size_t prompt,
                             std::int64_t max_positions) {
  const auto length = static_cast<std::int64_t>(prompt);
  return std::min<std::int64_t>(limits(config, length, max_positions).max_length - length, 4096);
}

// What ends a sequence after its newest id. `decoder` may be empty.
inline finish_reason reason_to_stop(stopping& stop, std::span<const std::int32_t> ids,
                                    std::span<const float> scores, const piece_decoder& decoder) {
  const std::string piece = decoder ? decoder(ids.back()) : std::string();
  const finish_reason reason = stop(ids, scores, piece);
  if (reason == finish_reason::cancelled) throw cancelled_error("generate: cancelled");
  return reason;
}

}  // namespace detail

// Adds up the time of a strategy's calls.
class stopwatch {
 public:
  explicit stopwatch(double& total) : total_(total) {}
  stopwatch(const stopwatch&) = delete;
  ~stopwatch() { total_ += std::chrono::duration<double>(stopping::clock::now() - begin_).count(); }

 private:
  double& total_;
  stopping::clock::time_point begin_ = stopping::clock::now();
};

}  // namespace parlance::inline PARLANCE_ABI::generation
