// SPDX-License-Identifier: Apache-2.0
// Bodies of beam_search.hpp. Scores are added and divided in float as the original's tensors are,
// and what cannot win carries its -1e9.
#pragma once

#include <cmath>

#include "parlance/generation/beam_search.hpp"

namespace parlance::inline PARLANCE_ABI::generation {

namespace detail {

inline constexpr float beam_dead = -1e9f;

inline std::size_t common_prefix(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace detail

PARLANCE_SPLIT_INLINE void beam_search::start(std::span<const std::vector<std::int32_t>> prompts,
                                              const encoded_sources& sources) {
  copies_ = static_cast<std::size_t>(config_.num_return_sequences);
  waiting_ = 0;
  measured_ = {};
  searches_.clear();
  results_.assign(prompts.size() * copies_, {});
  for (generated& g : results_) g.score = detail::beam_dead;  // until a beam ends
  for (std::size_t i = 0; i < prompts.size(); ++i) add_search(prompts[i], sources, i);
  const auto beams = static_cast<std::size_t>(config_.num_beams);
  decoder_.open(prompts.size() * beams, sources.memory, beams);
}

PARLANCE_SPLIT_INLINE void beam_search::add_search(std::span<const std::int32_t> prompt,
                                                   const encoded_sources& sources,
                                                   std::size_t index) {
  detail::require_prompt(prompt);
  const length_limits lengths =
      limits(config_, static_cast<std::int64_t>(prompt.size()), decoder_.max_positions());
  search& s = searches_.emplace_back(
      search{.stop = stopping(config_, lengths), .draw = sampler(config_.seed.value_or(0))});
  s.prompt = prompt.size();
  s.max_new = lengths.max_length - static_cast<std::int64_t>(prompt.size());
  s.process = detail::processors_for(config_, index, prompt, sources, decoder_.max_positions(),
                                     diverse() ? &s.chosen : nullptr);
  beam first;
  first.ids.assign(prompt.begin(), prompt.end());
  if (config_.stop_strings) {
    first.text.emplace(text_state{s.stop, {}});
    const std::size_t sequence = index * copies_;
    if (hooks_.prompt_text) first.text->stop.prime(hooks_.prompt_text(sequence));
    if (hooks_.decoder) first.text->piece = hooks_.decoder(sequence);
  }
  std::size_t slot = index * static_cast<std::size_t>(config_.num_beams);
  s.groups.resize(static_cast<std::size_t>(config_.num_beam_groups));
  for (group& g : s.groups)
    for (std::size_t b = 0; b < group_size(); ++b) {
      first.slot = slot++;
      first.score = b == 0 ? 0 : detail::beam_dead;  // the same text counts once
      g.beams.push_back(first);
    }
}

PARLANCE_SPLIT_INLINE bool beam_search::advance() {
  const autograd::no_grad off;
  if (waiting_ < searches_.size()) {
    const stopwatch watch(measured_.prompt_seconds);
    prefill();
  } else if (running()) {
    const stopwatch watch(measured_.decode_seconds);
    step();
  }
  return waiting_ < searches_.size() || running();
}

PARLANCE_SPLIT_INLINE auto beam_search::finish() -> std::vector<generated> {
  for (std::size_t i = 0; i < searches_.size(); ++i) {
    measured_.prompt_tokens += static_cast<std::int64_t>(searches_[i].prompt);
    if (!searches_[i].done) close(i);
  }
  for (const generated& g : results_)
    measured_.decode_tokens +=
        std::max<std::int64_t>(static_cast<std::int64_t>(g.ids.size()) - 1, 0);
  if (hooks_.measured) *hooks_.measured = measured_;
  return std::move(results_);
}

PARLANCE_SPLIT_INLINE void beam_search::prefill() {
  const std::size_t begin = waiting_;
  do {
    const search& s = searches_[waiting_];
    decoder_.cache().reserve(
        static_cast<std::int64_t>(s.groups[0].beams[0].slot),
        static_cast<std::int64_t>(s.prompt) + std::min<std::int64_t>(s.max_new, 4096));
    ++waiting_;
  } while (waiting_ < searches_.size() && searches_[begin].prompt == 1 &&
           searches_[waiting_].prompt == 1);
  const beam& leader = searches_[begin].groups[0].beams[0];
  decoder_.begin();
  for (std::size_t i = begin; i < waiting_; ++i) {
    const beam& first = searches_[i].groups[0].beams[0];
    decoder_.add(first.slot, first.ids[0]);
  }
  tensor<float> once = searches_[begin].prompt == 1
                           ? decoder_.run(config_)
                           : decoder_.read(leader.slot, leader.ids, config_);
  tensor<float> logits({config_.num_beams, once.cols()});
  for (std::size_t i = begin; i < waiting_; ++i) {
    const auto first = static_cast<std::int64_t>(searches_[i].groups[0].beams[0].slot);
    for (const group& g : searches_[i].groups)
      decoder_.cache().copy(first, static_cast<std::int64_t>(g.beams[0].slot));
    for (std::int64_t b = 0; b < config_.num_beams; ++b)
      std::ranges::copy(detail::row_of(once, i - begin), logits.row(b));
    follow(i, logits, 0);
  }
}

PARLANCE_SPLIT_INLINE void beam_search::step() {
  decoder_.begin();
  for (const search& s : searches_)
    for (const group& g : s.groups)
      if (!s.done && !g.done)
        for (const beam& b : g.beams) decoder_.add(b.slot, b.ids.back());
  tensor<float> logits = decoder_.run(config_);
  std::size_t row = 0;
  for (std::size_t i = 0; i < searches_.size(); ++i) {
    if (searches_[i].done) continue;
    std::size_t used = 0;
    for (const group& g : searches_[i].groups) used += g.done ? 0 : g.beams.size();
    follow(i, logits, row);
    row += used;
  }
}

PARLANCE_SPLIT_INLINE void beam_search::follow(std::size_t index, tensor<float>& logits,
                                               std::size_t first) {
  search& s = searches_[index];
  s.chosen.clear();
  bool open = false;
  for (group& g : s.groups) {
    if (g.done) {  // it goes on with padding, which also counts
      s.chosen.insert(s.chosen.end(), group_size(),
                      config_.pad_token_id.value_or((*config_.eos_token_id)[0]));
      continue;
    }
    rows_.clear();
    for (std::size_t b = 0; b < g.beams.size(); ++b)
      rows_.push_back(detail::row_of(logits, first++));
    follow(s, g, rows_);
    for (const beam& b : g.beams) {
      s.chosen.push_back(b.ids.back());
      open = open || b.reason == finish_reason::none;
    }
  }
  s.done = !open || std::ranges::all_of(s.groups, &group::done);
  if (!s.done) tell(index);
  if (s.done || s.user_stopped) close(index);
}

PARLANCE_SPLIT_INLINE void beam_search::follow(search& s, group& g,
                                               std::span<std::span<float>> rows) {
  score_rows(s, g, rows);
  std::vector<beam> candidates = continuations(s, g, rows);
  if (diverse())
    keep_diverse(s, g, std::move(candidates));
  else
    keep_plain(s, g, std::move(candidates));
}

PARLANCE_SPLIT_INLINE void beam_search::score_rows(search& s, const group& g,
                                                   std::span<std::span<float>> rows) {
  if (config_.logprobs) {
    raw_.resize(rows.size());
    for (std::size_t b = 0; b < rows.size(); ++b) raw_[b].assign(rows[b].begin(), rows[b].end());
  }
  parallel_for(static_cast<std::int64_t>(rows.size()), 1, [&](auto begin, auto end) {
    for (auto b = begin; b < end; ++b) kernels::log_softmax(rows[static_cast<std::size_t>(b)]);
  });
  for (std::size_t b = 0; b < rows.size(); ++b) s.process(g.beams[b].ids, rows[b]);
}

PARLANCE_SPLIT_INLINE auto beam_search::continuations(search& s, const group& g,
                                                      std::span<std::span<float>> rows)
    -> std::vector<beam> {
  std::vector<beam_row> scored;
  for (std::size_t b = 0; b < rows.size(); ++b) scored.push_back({g.beams[b].score, rows[b]});
  // Enough for as many beams that go on as there are now, whatever ends.
  const std::size_t ends = config_.has_eos() ? config_.eos_token_id->size() : 0;
  const std::size_t count = std::max<std::size_t>(2, 1 + ends) * group_size();
  const auto& candidates =
      config_.do_sample && !diverse()
          ? select_.draw(scored, count, s.draw, g.beams[0].ids.size() - s.prompt)
          : select_.best(scored, count);
  std::vector<beam> out;
  out.reserve(candidates.size());
  for (const beam_candidate& c : candidates) {
    const beam& from = g.beams[c.parent];
    beam& next = out.emplace_back();
    next.ids.reserve(from.ids.size() + 1);
    next.ids = from.ids;
    next.ids.push_back(c.id);
    next.score = c.score;
    next.parent = c.parent;
    next.text = from.text;
    next.reason = next.text ? detail::reason_to_stop(next.text->stop, next.ids, rows[c.parent],
                                                     next.text->piece)
                            : detail::reason_to_stop(s.stop, next.ids, rows[c.parent], {});
    if (!config_.logprobs) continue;
    next.logprobs = from.logprobs;
    next.logprobs.push_back(
        logprobs_of(raw_[c.parent], c.id, static_cast<std::size_t>(*config_.logprobs)));
  }
  return out;
}

PARLANCE_SPLIT_INLINE double beam_search::normalised(double sum, std::int64_t length) const {
  return sum / std::pow(static_cast<double>(length), config_.length_penalty);
}

PARLANCE_SPLIT_INLINE auto beam_search::result_of(const search& s, const beam& b) const
    -> generated {
  generated out;
  out.ids.assign(b.ids.begin() + static_cast<std::ptrdiff_t>(s.prompt), b.ids.end());
  out.reason = b.reason;
  out.logprobs = b.logprobs;
  return out;
}

PARLANCE_SPLIT_INLINE void beam_search::keep_plain(const search& s, group& g,
                                                   std::vector<beam> candidates) {
  const std::size_t size = group_size();
  const auto length = static_cast<std::int64_t>(candidates[0].ids.size() - s.prompt);
  const bool first_wins =
      config_.early_stopping == early_stopping_rule(early_stopping_rule::kind::first_finished);
  const bool never =
      config_.early_stopping == early_stopping_rule(early_stopping_rule::kind::never);
  const auto in_float = [&](float sum, std::int64_t over) {
    return sum / static_cast<float>(std::pow(static_cast<double>(over), config_.length_penalty));
  };
  const auto ended = [](const beam& b) { return b.reason != finish_reason::none; };

  // Only the best of all the candidates may finish; the others are there so that beams can go on.
  for (std::size_t k = 0; k < std::min(size, candidates.size()); ++k) {
    const float score = in_float(candidates[k].score, length);
    if (ended(candidates[k]) && score > detail::beam_dead)
      g.finished.push_back({score, result_of(s, candidates[k])});
  }
  std::ranges::stable_sort(g.finished, std::ranges::greater{}, &hypothesis::score);
  if (g.finished.size() > size) g.finished.resize(size);

  const bool all_ended = std::ranges::all_of(candidates, ended);
  for (beam& b : candidates)
    if (ended(b)) b.score += detail::beam_dead;
  std::ranges::stable_sort(candidates, std::ranges::greater{}, &beam::score);
  candidates.resize(std::min(size, candidates.size()));

  const bool full = g.finished.size() == size;
  const bool grows = never && config_.length_penalty > 0;
  const float possible = in_float(candidates[0].score, grows ? s.max_new : length);
  g.improvable =
      possible > (full ? static_cast<float>(g.finished.back().score) : detail::beam_dead);
  g.done = !g.improvable || (full && first_wins) || all_ended;
  if (!g.done) place(g, std::move(candidates));
}

PARLANCE_SPLIT_INLINE void beam_search::keep_diverse(const search& s, group& g,
                                                     std::vector<beam> candidates) {
  const auto length = static_cast<std::int64_t>(candidates[0].ids.size() - s.prompt);
  const float best = candidates[0].score;
  std::vector<beam> next;
  for (std::size_t k = 0; k < candidates.size() && next.size() < group_size(); ++k) {
    beam& b = candidates[k];
    if (!config_.is_eos(b.ids.back())) {
      next.push_back(std::move(b));
    } else if (k < group_size()) {
      b.ids.back() = (*config_.eos_token_id)[0];
      add_diverse(g, normalised(b.score, length), result_of(s, b));
    }
  }
  bool done = g.finished.size() == group_size();
  if (done && config_.early_stopping != early_stopping_rule(true)) {
    const bool never =
        config_.early_stopping == early_stopping_rule(early_stopping_rule::kind::never);
    const bool grows = never && config_.length_penalty > 0;
    done = g.worst >= normalised(best, grows ? s.max_new : length);
  }
  g.done = done;
  place(g, std::move(next));
}

PARLANCE_SPLIT_INLINE void beam_search::add_diverse(group& g, double score, generated result) {
  if (g.finished.size() == group_size() && !(score > g.worst)) return;
  g.finished.push_back({score, std::move(result)});
  if (g.finished.size() > group_size())
    g.finished.erase(std::ranges::min_element(g.finished, {}, &hypothesis::score));
  g.worst = std::ranges::min_element(g.finished, {}, &hypothesis::score)->score;
}

PARLANCE_SPLIT_INLINE void beam_search::place(group& g, std::vector<beam> next) {
  nn::kv_cache& cache = decoder_.cache();
  std::vector<char> kept(g.beams.size(), 0);
  std::vector<beam*> moving;
  for (beam& b : next) {
    if (std::exchange(kept[b.parent], 1))
      moving.push_back(&b);
    else
      b.slot = g.beams[b.parent].slot;
  }
  for (beam* b : moving) {
    const beam& parent = g.beams[b->parent];
    const auto held = [&](std::size_t i) {  // positions of that beam's place that are as wanted
      const auto cached = cache.length(static_cast<std::int64_t>(g.beams[i].slot));
      return std::min(static_cast<std::int64_t>(detail::common_prefix(g.beams[i].ids, parent.ids)),
                      cached);
    };
    std::size_t best = g.beams.size();
    for (std::size_t i = 0; i < g.beams.size(); ++i)
      if (!kept[i] && (best == g.beams.size() || held(i) > held(best))) best = i;
    kept[best] = 1;
    b->slot = g.beams[best].slot;
    cache.copy(static_cast<std::int64_t>(parent.slot), static_cast<std::int64_t>(b->slot),
               held(best));
  }
  g.beams = std::move(next);
}

PARLANCE_SPLIT_INLINE void beam_search::close(std::size_t index) {
  search& s = searches_[index];
  std::vector<hypothesis> all;
  for (group& g : s.groups) {
    if (!g.done && (diverse() || s.user_stopped))
      for (beam& b : g.beams) {
        if (s.user_stopped) b.reason = finish_reason::user;
        const double score =
            normalised(b.score, static_cast<std::int64_t>(b.ids.size() - s.prompt));
        add_diverse(g, score, result_of(s, b));
      }
    for (hypothesis& h : g.finished) all.push_back(std::move(h));
  }
  s.done = true;
  // Of equal scores the plain search returns the first, the diverse one the last.
  if (diverse()) std::ranges::reverse(all);
  std::ranges::stable_sort(all, std::ranges::greater{}, &hypothesis::score);
  for (std::size_t c = 0; c < std::min(copies_, all.size()); ++c) {
    results_[index * copies_ + c] = std::move(all[c].result);
    results_[index * copies_ + c].score = static_cast<float>(all[c].score);
  }
  const std::vector<std::int32_t>& best = results_[index * copies_].ids;
  while (!s.user_stopped && s.told < best.size())
    s.user_stopped = hooks_.on_token(index * copies_, std::int32_t(best[s.told++])) == flow::stop;
}

PARLANCE_SPLIT_INLINE auto beam_search::agreed(const search& s) const -> std::size_t {
  std::span<const std::int32_t> common;
  bool first = true;
  const auto join = [&](std::span<const std::int32_t> ids) {
    common = first ? ids : common.first(detail::common_prefix(common, ids));
    first = false;
  };
  for (const group& g : s.groups) {
    for (const hypothesis& h : g.finished) join(h.result.ids);
    if (!g.done)
      for (const beam& b : g.beams)
        if (b.score > detail::beam_dead / 2) join(std::span(b.ids).subspan(s.prompt));
  }
  return common.size();
}

PARLANCE_SPLIT_INLINE void beam_search::tell(std::size_t index) {
  search& s = searches_[index];
  if (!hooks_.on_token) return;
  const std::size_t known = agreed(s);
  const beam& any =
      *std::ranges::find_if(s.groups, [](const group& g) { return !g.done; })->beams.begin();
  while (!s.user_stopped && s.told < known)
    s.user_stopped =
        hooks_.on_token(index * copies_, std::int32_t(any.ids[s.prompt + s.told++])) == flow::stop;
}

}  // namespace parlance::inline PARLANCE_ABI::generation
