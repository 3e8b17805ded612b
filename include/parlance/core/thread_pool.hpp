// SPDX-License-Identifier: Apache-2.0
// A persistent pool. The caller is worker 0; the others spin shortly, then yield, then sleep, since
// waking a sleeping thread costs tens of microseconds on a virtual machine and decoding a small
// model crosses thousands of short regions a second.
//
// Work is handed out in chunks by an atomic counter; what a chunk computes must not depend on who
// runs it, so results are the same for any number of threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "parlance/core/error.hpp"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace parlance::inline PARLANCE_ABI {

class thread_pool;

namespace detail {
inline std::shared_ptr<thread_pool>& thread_pool_override() {
  thread_local std::shared_ptr<thread_pool> pool;
  return pool;
}
inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}
}  // namespace detail

class thread_pool {
 public:
  // `threads` counts the calling thread; 0 means one per processor.
  explicit thread_pool(int threads = 0) {
    const int hardware = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    size_ = threads > 0 ? threads : hardware;
    // Spinning with more threads than processors only takes time from those that work.
    spins_ = size_ > hardware ? 0 : spin_pauses;
    workers_.reserve(static_cast<std::size_t>(size_ - 1));
    for (int i = 1; i < size_; ++i) workers_.emplace_back([this, i] { work(i); });
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    stopping_.store(true, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
    for (std::thread& t : workers_) t.join();
  }

  int size() const { return size_; }

  // Calls f(thread) on every thread, thread in [0, size()), and returns when all are done. A region
  // started while another one runs (nested, or by a second user thread) calls f(0) alone.
  template <class F>
  void run(F&& f) {
    if (size_ == 1 || busy_.exchange(true, std::memory_order_acquire)) return f(0);
    const release_on_exit release{busy_};
    call_ = [](void* context, int thread) {
      (*static_cast<std::remove_reference_t<F>*>(context))(thread);
    };
    context_ = const_cast<void*>(static_cast<const void*>(std::addressof(f)));
    pending_.store(size_ - 1, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) epoch_.notify_all();
    call(0);
    for (int spin = 0; pending_.load(std::memory_order_acquire) > 0; ++spin)
      spin < spins_ ? detail::cpu_relax() : std::this_thread::yield();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  static constexpr int spin_pauses = 4000, yields = 100;

  struct release_on_exit {
    std::atomic<bool>& flag;
    ~release_on_exit() { flag.store(false, std::memory_order_release); }
  };

  void call(int thread) {
    try {
      call_(context_, thread);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }
  void work(int thread) {
    // Regions that a worker starts are nested ones of this pool; the pointer owns nothing.
    detail::thread_pool_override() =
        std::shared_ptr<thread_pool>(std::shared_ptr<thread_pool>(), this);
    std::uint32_t seen = 0;
    while (true) {
      seen = wait_for_change(seen);
      if (stopping_.load(std::memory_order_relaxed)) return;
      call(thread);
      pending_.fetch_sub(1, std::memory_order_release);
    }
  }
  std::uint32_t wait_for_change(std::uint32_t seen) {
    for (int i = 0; i < spins_ + yields; ++i) {
      if (const std::uint32_t now = epoch_.load(std::memory_order_acquire); now != seen) return now;
      i < spins_ ? detail::cpu_relax() : std::this_thread::yield();
    }
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    epoch_.wait(seen, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return epoch_.load(std::memory_order_acquire);
  }

  int size_ = 1, spins_ = spin_pauses;
  std::vector<std::thread> workers_;
  alignas(128) std::atomic<std::uint32_t> epoch_{0};
  alignas(128) std::atomic<int> pending_{0};
  alignas(128) std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  void (*call_)(void*, int) = nullptr;
  void* context_ = nullptr;
  std::atomic<bool> busy_{false};
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
};

namespace detail {
struct default_pool {
  std::mutex mutex;
  std::shared_ptr<thread_pool> pool;
};
inline default_pool& process_pool() {
  static default_pool instance;
  return instance;
}
}  // namespace detail

// The pool that operations called from this thread use: the one set by `use_pool`, else the
// process-wide default (made on first use with one thread per processor).
inline std::shared_ptr<thread_pool> shared_current_pool() {
  if (const auto& own = detail::thread_pool_override()) return own;
  detail::default_pool& process = detail::process_pool();
  const std::lock_guard lock(process.mutex);
  if (!process.pool) process.pool = std::make_shared<thread_pool>();
  return process.pool;
}

// Makes operations of this thread run on `pool` until the object goes out of scope.
class use_pool {
 public:
  explicit use_pool(std::shared_ptr<thread_pool> pool)
      : previous_(std::exchange(detail::thread_pool_override(), std::move(pool))) {}
  use_pool(const use_pool&) = delete;
  ~use_pool() { detail::thread_pool_override() = std::move(previous_); }

 private:
  std::shared_ptr<thread_pool> previous_;
};

// Sizes the process-wide default pool; 0 means one thread per processor. Regions that already run
// keep the pool they started with.
inline void set_num_threads(int threads) {
  auto pool = std::make_shared<thread_pool>(threads);
  detail::default_pool& process = detail::process_pool();
  const std::lock_guard lock(process.mutex);
  process.pool = std::move(pool);
}

inline int num_threads() { return shared_current_pool()->size(); }

// Splits [0, n) into chunks of `grain` and calls f(begin, end) for each, in parallel. Chunk borders
// depend only on n and grain.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const auto serial = [&] {
    for (std::int64_t begin = 0; begin < n; begin += grain) f(begin, std::min(n, begin + grain));
  };
  if (n <= grain) return serial();
  const std::shared_ptr<thread_pool> pool = shared_current_pool();
  if (pool->size() == 1) return serial();
  alignas(128) std::atomic<std::int64_t> next{0};
  pool->run([&](int) {
    while (true) {
      const std::int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= n) return;
      f(begin, std::min(n, begin + grain));
    }
  });
}

}  // namespace parlance::inline PARLANCE_ABI
