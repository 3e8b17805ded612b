// SPDX-License-Identifier: Apache-2.0
// Recycling of tensor memory: steady work does not touch the heap (counted by replacing the global
// operator new of this program), blocks fit what is asked of them, threads do not mix.
#include "parlance/tensor/storage.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "parlance/ops/math.hpp"

namespace {
std::atomic<long> allocations{0}, frees{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* p = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!p) throw std::bad_alloc();
  return p;
}
void release(void* p) {
  if (p) ++frees;
  std::free(p);
}
}  // namespace

void* operator new(std::size_t size) { return counted(size, 16); }
void* operator new(std::size_t size, std::align_val_t a) {
  return counted(size, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }

using namespace parlance;

TEST_CASE("steady work allocates nothing") {
  const use_pool serial(std::make_shared<thread_pool>(1));
  const auto x = tensor<float>::full({33, 65}, 2), w = tensor<float>::full({65}, 3);
  float last = 0;
  const auto work = [&] {
    const tensor<float> y = ops::scale(ops::activate<kernels::relu>(x), 0.5f);
    const tensor<float> z = ops::mul(ops::add(y, y), w);
    last = z.view({65, 33}).slice(3, 64).clone().row(30)[32];
  };
  work();
  const long before = allocations;
  for (int turn = 0; turn < 100; ++turn) work();
  CHECK(allocations == before);
  CHECK(last == 6);
}

TEST_CASE("memory goes back to the system when asked") {
  release_cached_memory();
  const long new_before = allocations, free_before = frees;
  { const tensor<float> a({1000}), b({2000}); }
  CHECK(allocations == new_before + 4);  // block and memory each
  CHECK(frees == free_before);
  release_cached_memory();
  CHECK(frees == free_before + 4);
  { const tensor<float> a({1000}); }
  CHECK(allocations == new_before + 6);
}

TEST_CASE("size classes: capacities hold what is asked, waste at most a quarter, and do not mix") {
  using cache = parlance::detail::block_cache;
  std::size_t last_class = 0, last_capacity = 0;
  for (std::size_t bytes = 1; bytes < (std::size_t{1} << 40); bytes += 1 + bytes / 97) {
    CAPTURE(bytes);
    const std::size_t capacity = cache::round_up(bytes), c = cache::class_of(bytes);
    REQUIRE(capacity >= bytes);
    REQUIRE(capacity % 256 == 0);
    if (bytes >= 1024) REQUIRE(double(capacity) <= 1.26 * double(bytes));
    REQUIRE(cache::class_of(capacity) == c);
    REQUIRE(cache::round_up(capacity) == capacity);
    REQUIRE((c == last_class) == (capacity == last_capacity));
    REQUIRE(c >= last_class);
    last_class = c, last_capacity = capacity;
  }
  CHECK(cache::round_up(0) == 256);
}

TEST_CASE("recycled memory belongs to one tensor at a time") {
  release_cached_memory();
  std::vector<tensor<float>> kept;
  for (int turn = 0; turn < 200; ++turn) {
    const std::int64_t n = 1 + turn * 37 % 1500;
    kept.push_back(tensor<float>::full({n}, static_cast<float>(turn)));
    if (turn % 3 == 0) kept.erase(kept.begin() + turn % static_cast<int>(kept.size()));
  }
  for (const tensor<float>& t : kept)
    for (const float v : t.values()) REQUIRE(v == t.data()[0]);
  for (std::size_t i = 0; i < kept.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const auto *a = kept[i].data(), *b = kept[j].data();
      REQUIRE((a + kept[i].size() <= b || b + kept[j].size() <= a));
      REQUIRE(a[0] != b[0]);
    }
}

TEST_CASE("tensors move between threads, and outlive the thread that made them") {
  std::vector<tensor<double>> made(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([i, &made] {
      for (int turn = 0; turn < 100; ++turn) {
        made[std::size_t(i)] = tensor<double>::full({300}, i * 1000 + turn);
      }
    });
  for (std::thread& t : threads) t.join();
  for (int i = 0; i < 8; ++i) CHECK(made[std::size_t(i)].data()[299] == i * 1000 + 99);
  // Shared handles dropped on two threads at once: freed once (the sanitizers would tell).
  for (int turn = 0; turn < 200; ++turn) {
    auto t = tensor<double>::full({64}, turn);
    std::thread other([copy = t]() mutable { copy = {}; });
    t = {};
    other.join();
  }
}
