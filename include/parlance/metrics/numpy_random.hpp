// SPDX-License-Identifier: Apache-2.0
// numpy's two generators, so that seeded resampling draws the same lines as the originals:
// RandomState (Mersenne Twister, Matsumoto and Nishimura 1998) behind rouge_score, default_rng
// (PCG64 XSL-RR, O'Neill 2014, seeded by SeedSequence) behind sacreBLEU.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI::metrics {

// np.random.seed(s).
class mersenne_twister {
 public:
  explicit mersenne_twister(std::uint32_t seed) {
    state_[0] = seed;
    for (std::uint32_t i = 1; i < size; ++i)
      state_[i] = 1812433253u * (state_[i - 1] ^ state_[i - 1] >> 30) + i;
  }
  std::uint32_t operator()() {
    if (at_ == size) refill();
    std::uint32_t y = state_[at_++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680u;
    y ^= y << 15 & 0xEFC60000u;
    return y ^ y >> 18;
  }
  // np.random.choice(n): uniform in [0, n), by masking and rejecting. n >= 1.
  std::uint32_t below(std::uint32_t n) {
    const std::uint32_t last = n - 1;
    if (last == 0) return 0;
    const std::uint32_t mask = ~std::uint32_t{0} >> std::countl_zero(last);
    std::uint32_t v = 0;
    do v = (*this)() & mask;
    while (v > last);
    return v;
  }

 private:
  static constexpr std::size_t size = 624, shift = 397;

  static std::uint32_t twist(std::uint32_t high, std::uint32_t low) {
    const std::uint32_t y = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
    return y >> 1 ^ (-(y & 1) & 0x9908B0DFu);
  }
  void refill() {
    for (std::size_t i = 0; i < size - shift; ++i)
      state_[i] = state_[i + shift] ^ twist(state_[i], state_[i + 1]);
    for (std::size_t i = size - shift; i < size - 1; ++i)
      state_[i] = state_[i + shift - size] ^ twist(state_[i], state_[i + 1]);
    state_[size - 1] = state_[shift - 1] ^ twist(state_[size - 1], state_[0]);
    at_ = 0;
  }

  std::array<std::uint32_t, size> state_;
  std::size_t at_ = size;
};

// np.random.default_rng(s).
class pcg64 {
  using wide = unsigned __int128;

 public:
  explicit pcg64(std::uint64_t seed) {
    std::array<std::uint32_t, 4> pool{};
    std::uint32_t hash = 0x43b0d7e5;
    const auto hashed = [&hash](std::uint32_t v) {
      v ^= hash;
      hash *= 0x931e8875;
      v *= hash;
      return v ^ v >> 16;
    };
    const auto mixed = [](std::uint32_t x, std::uint32_t y) {
      const std::uint32_t r = 0xca01f9ddu * x - 0x4973f715u * y;
      return r ^ r >> 16;
    };
    pool[0] = hashed(static_cast<std::uint32_t>(seed));
    pool[1] = hashed(static_cast<std::uint32_t>(seed >> 32));
    pool[2] = hashed(0);
    pool[3] = hashed(0);
    for (std::size_t from = 0; from < 4; ++from)
      for (std::size_t to = 0; to < 4; ++to)
        if (from != to) pool[to] = mixed(pool[to], hashed(pool[from]));
    std::uint32_t out = 0x8b51f9dd;
    std::array<std::uint64_t, 4> words{};
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t v = pool[i % 4] ^ out;
      out *= 0x58f38ded;
      v *= out;
      v ^= v >> 16;
      words[i / 2] |= std::uint64_t{v} << (32 * (i % 2));
    }
    increment_ = (wide{words[2]} << 64 | words[3]) << 1 | 1;
    step();
    state_ += wide{words[0]} << 64 | words[1];
    step();
  }
  std::uint64_t next64() {
    step();
    const auto high = static_cast<std::uint64_t>(state_ >> 64);
    return std::rotr(high ^ static_cast<std::uint64_t>(state_), static_cast<int>(high >> 58));
  }
  std::uint32_t next32() {
    if (kept_) {
      kept_ = false;
      return half_;
    }
    const std::uint64_t both = next64();
    kept_ = true;
    half_ = static_cast<std::uint32_t>(both >> 32);
    return static_cast<std::uint32_t>(both);
  }
  // Generator.choice(n): uniform in [0, n) (Lemire 2019). n >= 1.
  std::uint32_t below(std::uint32_t n) {
    if (n == 1) return 0;
    std::uint64_t m = std::uint64_t{next32()} * n;
    if (static_cast<std::uint32_t>(m) < n) {
      const std::uint32_t least = (~n + 1) % n;
      while (static_cast<std::uint32_t>(m) < least) m = std::uint64_t{next32()} * n;
    }
    return static_cast<std::uint32_t>(m >> 32);
  }
  // Generator.integers(2, dtype=bool): 32 of them from each draw.
  bool coin() {
    if (coins_left_ == 0) coins_ = next32(), coins_left_ = 32;
    --coins_left_;
    const bool heads = coins_ & 1;
    coins_ >>= 1;
    return heads;
  }

 private:
  void step() {
    state_ = state_ * (wide{0x2360ed051fc65da4} << 64 | 0x4385df649fccf645) + increment_;
  }

  wide state_ = 0, increment_ = 0;
  bool kept_ = false;
  std::uint32_t half_ = 0, coins_ = 0;
  int coins_left_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::metrics
