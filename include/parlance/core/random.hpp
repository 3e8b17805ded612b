// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3"). A number is a pure function of (seed, stream, index), so results never depend
// on the number of threads or on the batch.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI {

using philox_block = std::array<std::uint32_t, 4>;

// Ten rounds of Philox4x32 over `counter` with `key`.
constexpr philox_block philox(philox_block counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

// A stream of numbers; copying it copies its position.
class rng {
 public:
  constexpr explicit rng(std::uint64_t seed = 0, std::uint64_t stream = 0)
      : seed_(seed), stream_(stream) {}

  constexpr std::uint32_t bits_at(std::uint64_t index) const {
    const std::uint64_t block = index / 4;
    return philox(
        {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
         static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)})[index % 4];
  }
  // Uniform in [0, 1) with 24 bits.
  constexpr float uniform_at(std::uint64_t index) const {
    return static_cast<float>(bits_at(index) >> 8) * 0x1p-24f;
  }
  // Standard normal (Box-Muller on the pair that holds `index`).
  double normal_at(std::uint64_t index) const {
    const std::uint64_t pair = index / 2 * 2;
    const double u = (bits_at(pair) + 1.0) * 0x1p-32, v = bits_at(pair + 1) * 0x1p-32;
    const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
    return radius * (index % 2 ? std::sin(angle) : std::cos(angle));
  }

  constexpr std::uint32_t bits() { return bits_at(position_++); }
  constexpr float uniform() { return uniform_at(position_++); }
  // Uniform in [0, 1) with 53 bits; two positions.
  constexpr double uniform53() {
    const std::uint64_t high = bits() >> 5, low = bits() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1p-53;
  }
  double normal() { return normal_at(position_++); }
  // Uniform in [0, bound).
  constexpr std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((std::uint64_t{bits()} * bound) >> 32);
  }

  // An independent stream of the same seed.
  constexpr rng split(std::uint64_t stream) const {
    return rng(seed_, stream_ * 0x9E3779B97F4A7C15 + stream + 1);
  }
  constexpr std::uint64_t seed() const { return seed_; }
  constexpr std::uint64_t position() const { return position_; }
  constexpr void seek(std::uint64_t position) { position_ = position; }

 private:
  std::uint64_t seed_, stream_, position_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI
