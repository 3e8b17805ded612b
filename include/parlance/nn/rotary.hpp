// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies with every scaling of transformers 4.57 (modeling_rope_utils.py): default,
// linear, dynamic (NTK), yarn, longrope, llama3. Single precision where the original has it.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "parlance/tensor/tensor.hpp"

namespace parlance::inline PARLANCE_ABI::nn {

struct rope_settings {
  std::string type = "default";
  double theta = 10000;
  double partial_rotary_factor = 1;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  double attention_factor = 0;                       // 0: computed
  double mscale = 0, mscale_all_dim = 0;             // yarn
  bool truncate = true;                              // yarn
  std::int64_t max_position_embeddings = 0;
  std::int64_t original_max_position_embeddings = 0;  // 0: max_position_embeddings
  std::vector<double> short_factor, long_factor;      // longrope

  bool operator==(const rope_settings&) const = default;
};

class rotary {
 public:
  rotary() = default;
  rotary(rope_settings settings, std::int64_t head_dim)
      : s_(std::move(settings)),
        dim_(static_cast<std::int64_t>(static_cast<double>(head_dim) * s_.partial_rotary_factor)) {
    if (s_.type != "default" && s_.type != "linear" && s_.type != "dynamic" && s_.type != "yarn" &&
        s_.type != "longrope" && s_.type != "llama3")
      throw unsupported_error("rope type '" + s_.type +
                              "'; supported: default, linear, dynamic, yarn, longrope, llama3");
    if (s_.original_max_position_embeddings == 0)
      s_.original_max_position_embeddings = s_.max_position_embeddings;
    if (s_.type == "longrope")
      for (const auto* f : {&s_.short_factor, &s_.long_factor})
        if (static_cast<std::int64_t>(f->size()) != dim_ / 2)
          throw format_error("config.json", -1,
                             "rope_scaling: longrope wants " + std::to_string(dim_ / 2) +
                                 " factors, got " + std::to_string(f->size()));
    fixed_ = frequencies(0);
    scale_ = attention_scale();
  }

  std::int64_t half() const { return dim_ / 2; }

  // cos and sin, (positions, half) each. `lengths`: of each row's sequence, as far as it is known;
  // dynamic and longrope choose their frequencies by it.
  template <class T>
  void angles(std::span<const std::int32_t> positions, std::span<const std::int64_t> lengths,
              tensor<T>& cos, tensor<T>& sin) const {
    const auto n = static_cast<std::int64_t>(positions.size());
    cos = tensor<T>({n, half()});
    sin = tensor<T>({n, half()});
    std::vector<float> own;
    std::int64_t own_length = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t length = lengths[static_cast<std::size_t>(i)];
      const bool fixed = !depends_on_length() || length <= s_.original_max_position_embeddings;
      if (!fixed && length != own_length) own = frequencies(own_length = length);
      const std::vector<float>& inverse = fixed ? fixed_ : own;
      for (std::int64_t j = 0; j < half(); ++j) {
        const float angle = static_cast<float>(positions[static_cast<std::size_t>(i)]) *
                            inverse[static_cast<std::size_t>(j)];
        cos.row(i)[j] = static_cast<T>(std::cos(angle) * scale_);
        sin.row(i)[j] = static_cast<T>(std::sin(angle) * scale_);
      }
    }
  }

 private:
  bool depends_on_length() const { return s_.type == "dynamic" || s_.type == "longrope"; }

  std::vector<float> plain(double base) const {
    std::vector<float> inverse;
    for (std::int64_t j = 0; j < half(); ++j) {
      const float exponent = static_cast<float>(2 * j) / static_cast<float>(dim_);
      inverse.push_back(1.0f / static_cast<float>(std::pow(base, exponent)));
    }
    return inverse;
  }

  std::vector<float> frequencies(std::int64_t length) const {
    if (s_.type == "dynamic" && length > s_.max_position_embeddings) {
      const double ratio = s_.factor * static_cast<double>(length) /
                               static_cast<double>(s_.max_position_embeddings) -
                           (s_.factor - 1);
      const double d = static_cast<double>(dim_);
      return plain(s_.theta * std::pow(ratio, d / (d - 2)));
    }
    std::vector<float> f = plain(s_.theta);
    if (s_.type == "linear")
      for (float& x : f) x /= static_cast<float>(s_.factor);
    if (s_.type == "llama3")
      for (float& x : f) x = llama3(x);
    if (s_.type == "yarn") yarn(f);
    if (s_.type == "longrope") {
      const auto& divide =
          length > s_.original_max_position_embeddings ? s_.long_factor : s_.short_factor;
      for (std::size_t j = 0; j < f.size(); ++j) f[j] /= static_cast<float>(divide[j]);
    }
    return f;
  }

  float llama3(float inverse) const {
    const double context = static_cast<double>(s_.original_max_position_embeddings);
    const double wavelength = 2 * std::numbers::pi / inverse;
    if (wavelength < context / s_.high_freq_factor) return inverse;
    const float slow = inverse / static_cast<float>(s_.factor);
    if (wavelength > context / s_.low_freq_factor) return slow;
    const double smooth =
        (context / wavelength - s_.low_freq_factor) / (s_.high_freq_factor - s_.low_freq_factor);
    return static_cast<float>((1 - smooth) * slow + smooth * inverse);
  }

  // Peng et al. 2023: long wavelengths are interpolated, short ones kept, a ramp between.
  void yarn(std::vector<float>& f) const {
    const double context = static_cast<double>(s_.original_max_position_embeddings);
    const double d = static_cast<double>(dim_);
    const auto correction = [&](double rotations) {
      return d * std::log(context / (rotations * 2 * std::numbers::pi)) / (2 * std::log(s_.theta));
    };
    double low = correction(s_.beta_fast), high = correction(s_.beta_slow);
    if (s_.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0);
    high = std::min(high, d - 1);
    if (low == high) high += 0.001;
    for (std::size_t j = 0; j < f.size(); ++j) {
      const double ramp = std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
      f[j] = static_cast<float>(f[j] / s_.factor * ramp + f[j] * (1 - ramp));
    }
  }

  float attention_scale() const {
    if (s_.type == "yarn") {
      if (s_.attention_factor) return static_cast<float>(s_.attention_factor);
      const auto scale = [&](double m) {
        return s_.factor <= 1 ? 1.0 : 0.1 * m * std::log(s_.factor) + 1;
      };
      if (s_.mscale && s_.mscale_all_dim)
        return static_cast<float>(scale(s_.mscale) / scale(s_.mscale_all_dim));
      return static_cast<float>(scale(1));
    }
    if (s_.type == "longrope") {
      if (s_.attention_factor) return static_cast<float>(s_.attention_factor);
      if (s_.factor <= 1) return 1;
      return static_cast<float>(
          std::sqrt(1 + std::log(s_.factor) /
                            std::log(static_cast<double>(s_.original_max_position_embeddings))));
    }
    return 1;
  }

  rope_settings s_;
  std::int64_t dim_ = 0;
  std::vector<float> fixed_;
  float scale_ = 1;
};

}  // namespace parlance::inline PARLANCE_ABI::nn
