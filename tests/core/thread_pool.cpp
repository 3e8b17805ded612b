// SPDX-License-Identifier: Apache-2.0
// The pool runs every index once for any number of threads, nested or from several user threads,
// and carries exceptions to the caller.
#include "parlance/core/thread_pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace parlance;

namespace {

std::vector<int> visits(std::int64_t n, std::int64_t grain) {
  std::vector<std::atomic<int>> count(static_cast<std::size_t>(n));
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) ++count[static_cast<std::size_t>(i)];
  });
  return {count.begin(), count.end()};
}

}  // namespace

TEST_CASE("every index exactly once, for any number of threads") {
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    const use_pool pool(std::make_shared<thread_pool>(threads));
    CHECK(num_threads() == threads);
    for (const std::int64_t n : {0, 1, 2, 16, 17, 1000, 12345})
      for (const std::int64_t grain : {-1, 0, 1, 7, 16, 1000, 100000})
        CHECK(visits(n, grain) == std::vector<int>(static_cast<std::size_t>(n), 1));
    CHECK(visits(0, 1).empty());
  }
  parallel_for(-5, 1, [](auto, auto) { FAIL("no indices, no calls"); });
}

TEST_CASE("borders of chunks depend on n and grain only") {
  std::set<std::pair<std::int64_t, std::int64_t>> expected;
  for (std::int64_t i = 0; i < 1003; i += 10)
    expected.insert({i, std::min<std::int64_t>(i + 10, 1003)});
  for (const int threads : {1, 2, 3, 7}) {
    const use_pool pool(std::make_shared<thread_pool>(threads));
    std::mutex mutex;
    std::set<std::pair<std::int64_t, std::int64_t>> chunks;
    parallel_for(1003, 10, [&](std::int64_t begin, std::int64_t end) {
      const std::lock_guard lock(mutex);
      chunks.insert({begin, end});
    });
    CHECK(chunks == expected);
  }
}

TEST_CASE("run calls every thread once, each with its number") {
  thread_pool pool(5);
  CHECK(pool.size() == 5);
  for (int turn = 0; turn < 200; ++turn) {
    std::vector<std::atomic<int>> called(5);
    std::vector<std::thread::id> ids(5);
    pool.run([&](int thread) {
      ++called[static_cast<std::size_t>(thread)];
      ids[static_cast<std::size_t>(thread)] = std::this_thread::get_id();
    });
    for (const auto& c : called) REQUIRE(c == 1);
    REQUIRE(ids[0] == std::this_thread::get_id());
    REQUIRE(std::set<std::thread::id>(ids.begin(), ids.end()).size() == 5);
  }
}

TEST_CASE("sleeping workers wake up") {
  thread_pool pool(3);
  for (int turn = 0; turn < 5; ++turn) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // past spinning and yielding
    std::atomic<int> called{0};
    pool.run([&](int) { ++called; });
    CHECK(called == 3);
  }
}

TEST_CASE("nested regions run alone, on the thread that starts them, whatever the default pool") {
  const use_pool pool(std::make_shared<thread_pool>(4));
  std::atomic<int> inner{0}, moved{0};
  shared_current_pool()->run([&](int) {
    const auto outer = std::this_thread::get_id();
    parallel_for(100, 1, [&](std::int64_t begin, std::int64_t end) {
      inner += static_cast<int>(end - begin);
      if (std::this_thread::get_id() != outer) ++moved;
      std::this_thread::sleep_for(std::chrono::microseconds(50));  // time to be stolen
      parallel_for(2, 1, [&](auto, auto) {
        if (std::this_thread::get_id() != outer) ++moved;
      });
    });
  });
  CHECK(inner == 4 * 100);
  CHECK(moved == 0);
}

TEST_CASE("exceptions reach the caller, and the pool goes on") {
  for (const int threads : {1, 2, 3, 7}) {
    CAPTURE(threads);
    const use_pool pool(std::make_shared<thread_pool>(threads));
    for (const std::int64_t bad : {0, 50, 99}) {
      const auto run = [&] {
        parallel_for(100, 1, [&](std::int64_t i, std::int64_t) {
          if (i == bad) throw std::out_of_range("chunk " + std::to_string(i));
        });
      };
      CHECK_THROWS_WITH_AS(run(), ("chunk " + std::to_string(bad)).c_str(), std::out_of_range);
    }
    // All threads at once: one of the exceptions arrives.
    CHECK_THROWS_AS(shared_current_pool()->run([](int) { throw option_error("all"); }),
                    option_error);
    CHECK(visits(1000, 3) == std::vector<int>(1000, 1));
  }
}

TEST_CASE("pools nest and go away") {
  const auto two = std::make_shared<thread_pool>(2), three = std::make_shared<thread_pool>(3);
  const int before = num_threads();
  {
    const use_pool outer(two);
    CHECK(shared_current_pool() == two);
    {
      const use_pool inner(three);
      CHECK(shared_current_pool() == three);
      CHECK(visits(500, 1) == std::vector<int>(500, 1));
    }
    CHECK(shared_current_pool() == two);
  }
  CHECK(num_threads() == before);
  CHECK(two.use_count() == 1);
  for (int i = 0; i < 50; ++i) thread_pool short_lived(3);
}

TEST_CASE("two user threads with pools of their own do not disturb each other") {
  std::vector<std::thread> users;
  std::atomic<int> wrong{0};
  for (const int threads : {2, 3})
    users.emplace_back([threads, &wrong] {
      const use_pool pool(std::make_shared<thread_pool>(threads));
      for (int turn = 0; turn < 300; ++turn) {
        if (num_threads() != threads) ++wrong;
        if (visits(97, 2) != std::vector<int>(97, 1)) ++wrong;
      }
    });
  for (std::thread& t : users) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("several user threads share one pool") {
  const auto shared = std::make_shared<thread_pool>(3);
  std::vector<std::thread> users;
  std::atomic<int> wrong{0}, thrown{0};
  for (int user = 0; user < 3; ++user)
    users.emplace_back([&] {
      const use_pool pool(shared);
      for (int turn = 0; turn < 300; ++turn) {
        if (visits(97, 2) != std::vector<int>(97, 1)) ++wrong;
        try {
          parallel_for(10, 1, [](std::int64_t i, std::int64_t) {
            if (i == 5) throw option_error("five");
          });
          ++wrong;
        } catch (const option_error&) {
          ++thrown;
        }
      }
    });
  for (std::thread& t : users) t.join();
  CHECK(wrong == 0);
  CHECK(thrown == 900);
}

TEST_CASE("the default pool can be resized while it is in use") {
  const int before = num_threads();
  set_num_threads(3);
  CHECK(num_threads() == 3);
  parallel_for(10, 1, [&](std::int64_t i, std::int64_t) {
    if (i == 5) set_num_threads(2);
  });
  CHECK(num_threads() == 2);
  CHECK(visits(100, 1) == std::vector<int>(100, 1));
  set_num_threads(before);
}
