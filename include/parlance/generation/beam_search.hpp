// SPDX-License-Identifier: Apache-2.0
// Beam search: plain, sampled and in diverse groups. A prompt runs once; its beams share one pass
// of the model a step, and a beam's cache is copied only where another beam takes over its place,
// and only from where their ids differ.
// Source: transformers 4.57.6 generation/utils.py (_beam_search); diverse groups, which 4.57 moved
// out of its core, are those of 4.49 (_group_beam_search, BeamSearchScorer). What a prompt gives
// does not depend on the other prompts; encoder_repetition_penalty, which the original applies to
// the first rows of a batch only, holds for every beam.
#pragma once

#include <deque>
#include <optional>
#include <utility>

#include "parlance/generation/beam_candidates.hpp"
#include "parlance/generation/decoding.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

class beam_search final : public decoding_strategy {
 public:
  beam_search(const models::token_decoder& model, resolved_config config, generate_hooks hooks)
      : decoder_(model), config_(std::move(config)), hooks_(std::move(hooks)) {}

  void start(std::span<const std::vector<std::int32_t>> prompts,
             const encoded_sources& sources) override;
  bool advance() override;
  std::vector<generated> finish() override;

 private:
  // Where stop strings are looked for: each beam's own text.
  struct text_state {
    stopping stop;
    piece_decoder piece;
  };
  struct beam {
    std::vector<std::int32_t> ids;  // prompt and new ids
    float score = 0;                // sum of the processed log-probabilities
    std::size_t slot = 0;           // its sequence in the cache
    std::size_t parent = 0;         // the beam of the last step that it continues
    finish_reason reason = finish_reason::none;
    std::optional<text_state> text;
    std::vector<token_choice> logprobs;
  };
  struct hypothesis {
    double score = 0;
    generated result;
  };
  // Beams that compete with each other: all of them, or one diverse group.
  struct group {
    std::vector<beam> beams;           // still running, best first
    std::vector<hypothesis> finished;  // plain: best first; diverse: in order of time
    double worst = 1e9;                // diverse: the least of `finished`
    bool improvable = true, done = false;
  };
  // One prompt on its way.
  struct search {
    std::size_t prompt = 0;
    processor_list process{};
    stopping stop;
    sampler draw;
    std::int64_t max_new = 0;
    std::vector<group> groups{};
    std::vector<std::int32_t> chosen{};  // by the groups before, in this step
    std::size_t told = 0;                // new ids that on_token knows
    bool done = false, user_stopped = false;
  };

  bool diverse() const { return config_.num_beam_groups > 1; }
  std::size_t group_size() const {
    return static_cast<std::size_t>(config_.num_beams / config_.num_beam_groups);
  }
  bool running() const {
    return std::ranges::any_of(searches_, [](const search& s) { return !s.done; });
  }
  void add_search(std::span<const std::int32_t> prompt, const encoded_sources& sources,
                  std::size_t index);
  // Reads the next prompt; prompts of one id, as encoder-decoders begin with, share a pass.
  void prefill();
  void step();

  // Every group's next beams, from the logits of all running beams (from row `first` on).
  void follow(std::size_t index, tensor<float>& logits, std::size_t first);
  // The next beams of one group, whose beams have the rows given.
  void follow(search& s, group& g, std::span<std::span<float>> rows);
  void score_rows(search& s, const group& g, std::span<std::span<float>> rows);
  std::vector<beam> continuations(search& s, const group& g, std::span<std::span<float>> rows);
  beam continue_beam(search& s, const group& g, const beam_candidate& c, std::size_t row);

  void keep_plain(const search& s, group& g, std::vector<beam> candidates);
  void keep_diverse(const search& s, group& g, std::vector<beam> candidates);
  void add_diverse(group& g, double score, generated result);
  double normalised(double sum, std::int64_t length) const;
  generated result_of(const search& s, const beam& b) const;

  // Gives the new beams of a group places in the cache.
  void place(group& g, std::vector<beam> next);
  // Ends a search: its results, best first.
  void close(std::size_t index);
  // Tells what all beams agree on.
  void tell(std::size_t index);
  std::size_t agreed(const search& s) const;

  cached_decoder decoder_;
  resolved_config config_;
  generate_hooks hooks_;
  candidate_selector select_;
  std::deque<search> searches_;  // processors refer to `chosen`
  std::vector<generated> results_;
  std::size_t copies_ = 1, waiting_ = 0;  // searches from `waiting_` on have not begun
  std::vector<std::span<float>> rows_;
  std::vector<std::vector<float>> raw_;  // logits of the rows, for log-probabilities
  timing measured_;
};

}  // namespace parlance::inline PARLANCE_ABI::generation

#if PARLANCE_BODIES
#include "parlance/generation/impl/beam_search.hpp"
#endif
