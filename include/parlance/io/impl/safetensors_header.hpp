// SPDX-License-Identifier: Apache-2.0
// The JSON header of a safetensors file, read strictly, event by event (it may hold millions of
// tensors), and the dtype names of the format. Whether the offsets make sense is checked by
// io/safetensors.hpp.
// Source: safetensors 0.8 (safetensors/src/tensor.rs).
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/format.hpp"
#include "parlance/core/json.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/core/shape.hpp"
#include "parlance/io/impl/input.hpp"

namespace parlance::inline PARLANCE_ABI::io {

inline constexpr std::uint64_t safetensors_header_limit = 100'000'000;

struct safetensors_dtype {
  format type;
  std::string_view name;
};

// In the order that the library gives them; files list the tensors of later types first.
inline constexpr std::array safetensors_dtypes = {
    safetensors_dtype{format::boolean, "BOOL"},
    safetensors_dtype{format::f4, "F4"},
    safetensors_dtype{format::f6_e2m3, "F6_E2M3"},
    safetensors_dtype{format::f6_e3m2, "F6_E3M2"},
    safetensors_dtype{format::u8, "U8"},
    safetensors_dtype{format::i8, "I8"},
    safetensors_dtype{format::f8_e5m2, "F8_E5M2"},
    safetensors_dtype{format::f8_e4m3, "F8_E4M3"},
    safetensors_dtype{format::f8_e8m0, "F8_E8M0"},
    safetensors_dtype{format::f8_e4m3fnuz, "F8_E4M3FNUZ"},
    safetensors_dtype{format::f8_e5m2fnuz, "F8_E5M2FNUZ"},
    safetensors_dtype{format::i16, "I16"},
    safetensors_dtype{format::u16, "U16"},
    safetensors_dtype{format::f16, "F16"},
    safetensors_dtype{format::bf16, "BF16"},
    safetensors_dtype{format::i32, "I32"},
    safetensors_dtype{format::u32, "U32"},
    safetensors_dtype{format::f32, "F32"},
    safetensors_dtype{format::c64, "C64"},
    safetensors_dtype{format::f64, "F64"},
    safetensors_dtype{format::i64, "I64"},
    safetensors_dtype{format::u64, "U64"},
};

namespace detail {

struct safetensors_entry {
  std::string name;
  std::optional<format> type;
  std::optional<shape> dims;
  std::optional<std::array<std::uint64_t, 2>> offsets;
};

// Reads the header: {"__metadata__": {text: text}, name: {dtype, shape, data_offsets}, ...}.
class safetensors_header : public json_sax {
 public:
  using json_sax::json_sax;
  std::vector<safetensors_entry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { bad("null"); }
  bool boolean(bool) override { bad("a boolean"); }
  bool number_float(double, const std::string&) override { bad("a number that is not an integer"); }
  bool number_integer(std::int64_t v) override { bad(std::to_string(v)); }
  bool number_unsigned(std::uint64_t v) override {
    if (state_ == state::dimensions) {
      if (v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        fail("dimension " + std::to_string(v) + " is too large");
      if (dims_.rank() == shape::max_rank)
        throw unsupported_error(this->where() + ": tensor " + in_quotes(entries.back().name) +
                                " has more than 8 dimensions");
      dims_.push_back(static_cast<std::int64_t>(v));
    } else if (state_ == state::offsets) {
      if (numbers_ == 2) fail("data_offsets has more than two numbers");
      range_[numbers_++] = v;
    } else {
      bad(std::to_string(v));
    }
    return true;
  }
  bool string(std::string& text) override {
    if (state_ == state::metadata) {
      if (!metadata.emplace(key_, text).second) fail("duplicate key " + in_quotes(key_));
    } else if (state_ == state::entry && key_ == "dtype") {
      set_type(text);
    } else {
      bad("a string");
    }
    return true;
  }
  bool start_object(std::size_t) override {
    if (state_ == state::start) {
      state_ = state::top;
    } else if (state_ == state::top && key_ == "__metadata__") {
      if (std::exchange(metadata_seen_, true)) fail("duplicate key '__metadata__'");
      state_ = state::metadata;
    } else if (state_ == state::top) {
      if (key_.empty()) fail("a tensor with an empty name");
      entries.push_back({std::move(key_), {}, {}, {}});
      state_ = state::entry;
    } else {
      bad("an object");
    }
    return true;
  }
  bool key(std::string& k) override {
    key_ = k;
    if (state_ == state::entry && k != "dtype" && k != "shape" && k != "data_offsets")
      fail("unknown field " + in_quotes(k), "expected dtype, shape and data_offsets");
    return true;
  }
  bool end_object() override {
    if (state_ == state::entry) {
      const safetensors_entry& e = entries.back();
      if (!e.type) fail("no dtype");
      if (!e.dims) fail("no shape");
      if (!e.offsets) fail("no data_offsets");
    }
    state_ = state_ == state::top ? state::start : state::top;
    return true;
  }
  bool start_array(std::size_t) override {
    if (state_ == state::entry && key_ == "shape") {
      if (entries.back().dims) fail("duplicate field 'shape'");
      dims_ = {};
      state_ = state::dimensions;
    } else if (state_ == state::entry && key_ == "data_offsets") {
      if (entries.back().offsets) fail("duplicate field 'data_offsets'");
      numbers_ = 0;
      state_ = state::offsets;
    } else {
      bad("an array");
    }
    return true;
  }
  bool end_array() override {
    if (state_ == state::dimensions) entries.back().dims = dims_;
    if (state_ == state::offsets) {
      if (numbers_ != 2) fail("data_offsets needs two numbers");
      entries.back().offsets = range_;
    }
    state_ = state::entry;
    return true;
  }

 private:
  enum class state { start, top, metadata, entry, dimensions, offsets };

  [[noreturn]] void fail(const std::string& what, std::string hint = {}) const {
    const bool inside = state_ >= state::entry;
    throw format_error(
        where(), -1,
        (inside ? "tensor " + in_quotes(entries.back().name) : std::string("header")) + ": " + what,
        std::move(hint));
  }
  [[noreturn]] void bad(const std::string& found) const {
    const char* expected = state_ == state::start || state_ == state::top ? "an object"
                           : state_ == state::metadata                    ? "a string"
                           : state_ == state::entry && key_ == "dtype"    ? "a string"
                           : state_ == state::entry                       ? "an array of integers"
                                                    : "an integer of at least 0";
    fail((key_.empty() ? std::string{} : in_quotes(key_) + " is ") + found + ", expected " +
         expected);
  }
  void set_type(const std::string& text) {
    safetensors_entry& e = entries.back();
    if (e.type) fail("duplicate field 'dtype'");
    std::vector<std::string_view> names;
    for (const auto& [type, name] : safetensors_dtypes) {
      if (name == text) e.type = type;
      names.push_back(name);
    }
    if (!e.type) fail("unknown dtype " + in_quotes(text), did_you_mean(text.substr(0, 32), names));
  }

  state state_ = state::start;
  std::string key_;
  bool metadata_seen_ = false;
  shape dims_;
  std::array<std::uint64_t, 2> range_{};
  int numbers_ = 0;
};

}  // namespace detail

}  // namespace parlance::inline PARLANCE_ABI::io
