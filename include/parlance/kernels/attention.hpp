// SPDX-License-Identifier: Apache-2.0
// Attention of new tokens over a cache of keys and values (kv_pages.hpp), for generation: one token
// or a whole prompt, any number of independent sequences in one parallel region. Not for training
// (attention_train.hpp). The work is cut by lengths alone, so results do not depend on the number
// of threads nor on the other sequences of the batch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "parlance/kernels/impl/attention_isa.hpp"
#include "parlance/kernels/kv_pages.hpp"

namespace parlance::inline PARLANCE_ABI::kernels {

// Query i of n ([n][heads * head_dim], row stride ldq) has position first + i and sees the keys
// [key_start, first + i], or all from key_start on without `causal`; a window narrows that. The
// cache holds `length` positions, or first + n when that is negative: queries of another sequence
// (cross attention) give their own. A query that sees no key gets zeros. `bias`, if not null, is a
// table by relative position as in attention_train.hpp, [heads][2 * reach - 1].
template <class E>
struct cached_job {
  const float* q = nullptr;
  std::int64_t ldq = 0;
  float* out = nullptr;
  std::int64_t ldo = 0;
  kv_view<E> kv;
  std::int64_t first = 0, n = 0, key_start = 0, length = -1;
  const float* bias = nullptr;
  std::int64_t reach = 0;

  std::int64_t keys() const { return length < 0 ? first + n : length; }
};

namespace detail {

// How one job is cut: blocks of queries, or shares of the keys when there are few queries.
struct cached_plan {
  std::int64_t first_item, items, block, blocks, shares, share_length, begin, end, partial;
};

template <class E>
visible_keys keys_of(const attention_params& p, const cached_job<E>& job) {
  return {job.key_start, job.keys(), p.window, p.causal};
}

template <class E>
cached_plan plan_job(const attention_params& p, const cached_job<E>& job) {
  constexpr std::int64_t smallest_share = 256, most_shares = 64, few_queries = 16;
  cached_plan plan{};
  if (job.n == 0) return plan;
  const visible_keys keys = keys_of(p, job);
  plan.begin = keys.begin(job.first);
  plan.begin -= plan.begin % kv_page;
  plan.end = std::max(plan.begin, keys.end(job.first + job.n - 1));
  const std::int64_t span = plan.end - plan.begin, group = p.heads / p.kv_heads;
  plan.shares = 1;
  plan.share_length = span;
  plan.block = std::max<std::int64_t>(1, block_rows / group);
  if (job.n <= few_queries) {
    const std::int64_t shares =
        std::clamp<std::int64_t>((span + smallest_share - 1) / smallest_share, 1, most_shares);
    plan.share_length = std::max(kv_page, round_up((span + shares - 1) / shares, kv_page));
    plan.shares = std::max<std::int64_t>(1, (span + plan.share_length - 1) / plan.share_length);
    if (plan.shares > 1) plan.block = job.n;
  }
  plan.blocks = (job.n + plan.block - 1) / plan.block;
  plan.items = p.kv_heads * plan.blocks * plan.shares;
  return plan;
}

template <class E>
void check_job(const cached_job<E>& job) {
  check_kv(job.kv, 0, job.keys());
  if (job.first < 0 || job.n < 0)
    throw shape_error("attention: " + std::to_string(job.n) + " queries from position " +
                      std::to_string(job.first));
  if (job.bias && std::max(job.first + job.n, job.keys()) > job.reach)
    throw shape_error("attention: " + std::to_string(job.first + job.n) + " queries and " +
                      std::to_string(job.keys()) + " keys are beyond the reach " +
                      std::to_string(job.reach) + " of the relative bias");
  if (job.key_start < 0)
    throw shape_error("attention: key_start is " + std::to_string(job.key_start) +
                      ", expected 0 or more");
}

// Item `index` of a job: head by head; the last block of queries first, since it takes longest.
template <class E>
flash_item<E> cached_item(const attention_params& p, const cached_job<E>& job,
                          const cached_plan& plan, std::int64_t index, float* partials) {
  const std::int64_t per_head = plan.blocks * plan.shares, head = index / per_head;
  const std::int64_t share = index % plan.shares;
  const std::int64_t block = plan.blocks - 1 - index % per_head / plan.shares;
  const std::int64_t first = block * plan.block, d = p.head_dim, group = p.heads / p.kv_heads;
  const std::int64_t column = head * group * d, cached = head * job.kv.capacity * d;
  flash_item<E> item{};
  item.q = {job.q + first * job.ldq + column, job.ldq, static_cast<int>(group), p.head_dim};
  item.out = job.out + first * job.ldo + column;
  item.ldo = job.ldo;
  item.k = job.kv.k + cached;
  item.v = job.kv.v + cached;
  item.ldv = d;
  item.v_padded = d % 16 == 0;
  item.scale = p.scale;
  item.softcap = p.softcap;
  if (job.bias) {
    const std::int64_t width = 2 * job.reach - 1, zero = job.reach - 1;
    item.bias = {job.bias + head * group * width + zero - (job.first + first), width, -1};
  }
  item.keys = keys_of(p, job);
  item.position = job.first + first;
  item.n = std::min(plan.block, job.n - first);
  item.begin = plan.begin + share * plan.share_length;
  item.end = std::min(plan.end, item.begin + plan.share_length);
  if (plan.shares > 1)
    item.partial = partials + plan.partial + index * partial_size(job.n * group, p.head_dim);
  return item;
}

struct cached_plans {
  std::vector<cached_plan> jobs;
  std::int64_t items = 0, partials = 0, work = 0;
};

// The plan lives in the thread, so that decoding a token allocates nothing.
template <class E>
cached_plans& plan_jobs(const attention_params& p, std::span<const cached_job<E>> jobs) {
  thread_local cached_plans plans;
  plans.jobs.clear();
  plans.items = plans.partials = plans.work = 0;
  for (const cached_job<E>& job : jobs) {
    check_job(job);
    cached_plan plan = plan_job(p, job);
    plan.first_item = plans.items;
    plan.partial = plans.partials;
    plans.items += plan.items;
    if (plan.shares > 1)
      plans.partials += plan.items * partial_size(job.n * (p.heads / p.kv_heads), p.head_dim);
    plans.work += job.n * (plan.end - plan.begin) * p.heads * p.head_dim;
    plans.jobs.push_back(plan);
  }
  return plans;
}

template <class E>
void merge_job(const attention_params& p, const cached_job<E>& job, const cached_plan& plan,
               const flash_kernels<E>& kernel, const float* partials) {
  const std::int64_t group = p.heads / p.kv_heads, rows = job.n * group;
  const std::int64_t size = plan.shares * partial_size(rows, p.head_dim);
  for (std::int64_t h = 0; h < p.kv_heads; ++h)
    kernel.merge({partials + plan.partial + h * size, plan.shares, job.n, static_cast<int>(group),
                  p.head_dim, job.out + h * group * p.head_dim, job.ldo});
}

}  // namespace detail

template <class E>
void attention_cached(const attention_params& params, std::span<const cached_job<E>> jobs) {
  detail::check_attention(params);
  const detail::flash_kernels<E> kernel = detail::choose_flash<E>();
  const detail::cached_plans& plans = detail::plan_jobs(params, jobs);
  float* partials = detail::attention_scratch(detail::attention_slot::partials, plans.partials);
  // Less work than this takes less time than sharing it.
  constexpr std::int64_t worth_sharing = 1 << 16;
  const std::int64_t grain = plans.work < worth_sharing ? plans.items : 1;
  parallel_for(plans.items, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto after = std::upper_bound(
        plans.jobs.begin(), plans.jobs.end(), begin,
        [](std::int64_t item, const detail::cached_plan& plan) { return item < plan.first_item; });
    std::size_t j = static_cast<std::size_t>(after - plans.jobs.begin()) - 1;
    for (std::int64_t item = begin; item < end; ++item) {
      while (item >= plans.jobs[j].first_item + plans.jobs[j].items) ++j;
      kernel.run(detail::cached_item(params, jobs[j], plans.jobs[j],
                                     item - plans.jobs[j].first_item, partials));
    }
  });
  if (plans.partials == 0) return;
  const auto count = static_cast<std::int64_t>(jobs.size());
  parallel_for(count, count < 8 ? count : 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto j = static_cast<std::size_t>(begin); j < static_cast<std::size_t>(end); ++j)
      if (plans.jobs[j].shares > 1)
        detail::merge_job(params, jobs[j], plans.jobs[j], kernel, partials);
  });
}

}  // namespace parlance::inline PARLANCE_ABI::kernels
