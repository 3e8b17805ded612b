// SPDX-License-Identifier: Apache-2.0
#include "parlance/io/gguf.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "parlance/io/dequantize.hpp"
#include "parlance/io/safetensors.hpp"
#include "support.hpp"

using namespace io_test;
namespace io = parlance::io;
using parlance::format;

namespace {

std::string open_message(const std::string& file) {
  return message_of([&] { io::open_gguf(bytes_of(file), "test file"); });
}
std::string one_value(const std::string& pair) { return gguf_head(0, 1) + pair; }
std::string one_tensor(const std::string& info, std::size_t data) {
  return padded(gguf_head(1, 0) + info) + std::string(data, '\0');
}
constexpr std::uint32_t u8 = 0, u32 = 4, f32 = 6, boolean = 7, string = 8, array = 9, u64 = 10;

}  // namespace

TEST_CASE("gguf: metadata written by Python") {
  const auto file = io::open_gguf(data / "values.gguf");
  CHECK(file->architecture() == "tiny");
  CHECK(file->version() == 3);
  CHECK(file->get_u64("v.u8") == 200u);
  CHECK(file->get_i64("v.i8") == -100);
  CHECK(file->get_i64("v.u16") == 60000);
  CHECK(file->get_i64("v.i16") == -30000);
  CHECK(file->get_u64("v.u32") == 4000000000u);
  CHECK(file->get_i64("v.i32") == -2000000000);
  CHECK(file->get_u64("v.u64") == 18446744073709551615u);
  CHECK(file->get_i64("v.i64") == INT64_MIN);
  CHECK(file->get_f64("v.f32") == static_cast<double>(0.1f));
  CHECK(file->get_f64("v.f64") == 0.1);
  CHECK(file->get_bool("v.bool") == true);
  CHECK(file->get_string("v.string") == "naïve ✓");
  CHECK(file->get_strings("v.strings") == std::vector<std::string>{"a", "", "▁the"});
  CHECK(file->get_integers("v.ints") == std::vector<std::int64_t>{1, -2, 3});
  CHECK(file->get_floats("v.floats") == std::vector<float>{0.5f, -1.5f});
  CHECK(file->value("v.bools")->count == 2);
  CHECK(file->metadata().at("v.i8") == "-100");
  CHECK(file->metadata().at("v.u64") == "18446744073709551615");
  CHECK(file->metadata().at("v.bool") == "true");
}

TEST_CASE("gguf: getters check types and name the key") {
  const auto file = io::open_gguf(data / "values.gguf");
  CHECK(!file->get_u64("absent"));
  CHECK(!file->get_floats("absent"));
  CHECK(file->get_u64("absent", 7) == 7);
  CHECK(file->get_string("absent", "x") == "x");
  CHECK(file->require_u64("v.u8") == 200);
  const auto message = [&](auto&& run) { return message_of([&] { run(*file); }); };
  CHECK(has(message([](auto& f) { f.get_u64("v.i8"); }), "key 'v.i8' is negative"));
  CHECK(has(message([](auto& f) { f.get_i64("v.u64"); }), "above 2^63 - 1"));
  CHECK(has(message([](auto& f) { f.get_u64("v.f32"); }), "is f32, expected an integer"));
  CHECK(has(message([](auto& f) { f.get_u64("v.ints"); }), "array of i32, expected an integer"));
  CHECK(has(message([](auto& f) { f.get_f64("v.u8"); }), "is u8, expected f32 or f64"));
  CHECK(has(message([](auto& f) { f.get_bool("v.u8"); }), "expected bool"));
  CHECK(has(message([](auto& f) { f.get_string("v.strings"); }), "expected string"));
  CHECK(has(message([](auto& f) { f.get_strings("v.string"); }), "expected array of string"));
  CHECK(has(message([](auto& f) { f.get_floats("v.ints"); }), "array of i32, expected array of f"));
  CHECK(has(message([](auto& f) { f.get_integers("v.floats"); }), "expected array of integers"));
  CHECK(has(message([](auto& f) { f.get_integers("v.bools"); }), "expected array of integers"));
  CHECK(has(message([](auto& f) { f.require_u64("v.u7"); }), "no key 'v.u7'"));
}

TEST_CASE("gguf: tensors written by Python, whole and split") {
  const auto expected = io::open_safetensors(data / "values_as_f32.safetensors");
  for (const char* name : {"values.gguf", "split-00001-of-00003.gguf"}) {
    CAPTURE(name);
    const auto file = io::open_gguf(data / name);
    REQUIRE(file->tensors().size() == 5);
    for (const io::stored_tensor& want : expected->tensors()) {
      CAPTURE(want.name);
      const io::stored_tensor& t = file->at(want.name);
      CHECK(t.dims == want.dims);
      std::vector<float> a(static_cast<std::size_t>(t.dims.size())), b(a.size());
      io::read_floats(t, a.data());
      io::read_floats(want, b.data());
      CHECK(a == b);
    }
    CHECK(file->at("c.q8_0").type == format::q8_0);
    CHECK(file->at("b.f16").dims == parlance::shape{4, 5});
  }
}

TEST_CASE("gguf: broken splits") {
  const temporary_folder folder;
  const auto copy = [&](int i, const std::string& to) {
    put(folder / to, get(data / ("split-0000" + std::to_string(i) + "-of-00003.gguf")));
  };
  const auto message = [&](const std::string& name) {
    return message_of([&] { io::open_gguf(folder / name); });
  };
  copy(1, "split-00001-of-00003.gguf");
  copy(2, "split-00002-of-00003.gguf");
  CHECK(has(message("split-00001-of-00003.gguf"), "split-00003-of-00003.gguf: no such file"));
  CHECK(has(message("split-00002-of-00003.gguf"), "open the first part"));
  copy(2, "split-00003-of-00003.gguf");
  CHECK(has(message("split-00001-of-00003.gguf"), "does not belong"));
  copy(1, "renamed.gguf");
  CHECK(has(message("renamed.gguf"), "is not named"));
  const std::string part = get(folder / "renamed.gguf");
  CHECK(has(open_message(part), "cannot be read from memory"));
  put(folder / "split-00003-of-00003.gguf", get(data / "values.gguf"));
  CHECK(has(message("split-00001-of-00003.gguf"), "does not belong"));
}

TEST_CASE("gguf: a file shortened by any number of bytes is refused") {
  const std::string whole = get(data / "values.gguf");
  REQUIRE(open_message(whole) == "no error");
  // The last tensor is e.i32: 12 bytes, padded to 32 by the writer.
  const std::size_t last = whole.size() - 20;
  CHECK(open_message(whole.substr(0, last)) == "no error");
  for (std::size_t n = 0; n < last; ++n) {
    const std::string part = whole.substr(0, n);
    CHECK_THROWS_AS(io::open_gguf(bytes_of(part), "part"), parlance::format_error);
  }
}

TEST_CASE("gguf: heads") {
  CHECK(open_message(gguf_head(0, 0)) == "no error");
  CHECK(open_message(gguf_head(0, 0, 2)) == "no error");
  CHECK(has(open_message("GGML"), "not a GGUF file"));
  CHECK(has(open_message("<html>"), "web page"));
  CHECK(has(open_message(raw<std::uint64_t>(2) + "{}"), "safetensors"));
  CHECK(has(open_message(gguf_head(0, 0, 1)), "version 1"));
  CHECK(has(open_message(gguf_head(0, 0, 0)), "version 0"));
  CHECK(has(open_message(gguf_head(0, 0, 4)), "version 4"));
  CHECK(has(open_message(gguf_head(0, 0, 0x03000000)), "big-endian"));
  for (const std::uint64_t n : {std::uint64_t{1}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    CHECK(has(open_message(gguf_head(n, 0)), "tensors do not fit"));
    CHECK(has(open_message(gguf_head(0, n)), "entries do not fit"));
  }
}

TEST_CASE("gguf: broken metadata") {
  CHECK(open_message(one_value(gguf_pair<std::uint32_t>("k", u32, 1))) == "no error");
  const auto text = [](std::uint64_t n, const char* s) { return raw(n) + std::string(s); };
  CHECK(
      has(open_message(one_value(text(~0ull, "key") + std::string(30, 'x'))), "file ends inside"));
  CHECK(has(open_message(one_value(gguf_pair<std::uint32_t>("", u32, 1))), "empty metadata key"));
  CHECK(
      has(open_message(one_value(gguf_pair<std::uint64_t>("k", 13, 1))), "unknown value type 13"));
  CHECK(has(open_message(one_value(gguf_pair<std::uint8_t>("k", boolean, 2))), "a bool is 2"));
  CHECK(has(open_message(gguf_head(0, 2) + gguf_pair<std::uint8_t>("k", u8, 1) +
                         gguf_pair<std::uint8_t>("k", u8, 1)),
            "duplicate metadata key 'k'"));
  const auto list = [](std::uint32_t type, std::uint64_t count, const std::string& items) {
    return one_value(gguf_text("k") + raw(array) + raw(type) + raw(count) + items);
  };
  CHECK(open_message(list(f32, 2, std::string(8, '\0'))) == "no error");
  CHECK(open_message(list(string, 0, "")) == "no error");
  CHECK(has(open_message(list(f32, 1ull << 62, "")), "items do not fit"));
  CHECK(has(open_message(list(string, 1ull << 61, std::string(16, '\0'))), "items do not fit"));
  CHECK(has(open_message(list(boolean, 3, std::string("\0\1\7", 3))), "a bool is 7"));
  CHECK(has(open_message(list(array, 1, std::string(30, '\0'))), "array of arrays"));
  CHECK(has(open_message(list(99, 1, std::string(30, '\0'))), "unknown value type 99"));
  CHECK(has(open_message(list(string, 2, gguf_text("a") + raw<std::uint64_t>(1ull << 40))),
            "file ends inside"));
}

TEST_CASE("gguf: general.alignment") {
  const auto with = [](auto value, std::uint32_t type, std::size_t alignment) {
    return padded(gguf_head(1, 1) + gguf_pair("general.alignment", type, value) +
                      gguf_tensor("t", {4}, 0, 0),
                  alignment) +
           std::string(16, '\0');
  };
  CHECK(open_message(with(std::uint32_t{8}, u32, 8)) == "no error");
  CHECK(open_message(with(std::uint32_t{4096}, u32, 4096)) == "no error");
  CHECK(has(open_message(with(std::uint32_t{0}, u32, 8)), "power of two"));
  CHECK(has(open_message(with(std::uint32_t{24}, u32, 8)), "power of two"));
  CHECK(has(open_message(with(std::uint64_t{32}, u64, 32)), "expected u32"));
  CHECK(has(open_message(with(std::uint32_t{1} << 31, u32, 32)), "has only 0 left"));
}

TEST_CASE("gguf: broken tensors") {
  CHECK(open_message(one_tensor(gguf_tensor("t", {4, 2}, 0, 0), 32)) == "no error");
  CHECK(open_message(one_tensor(gguf_tensor("t", {}, 0, 0), 4)) == "no error");
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {4, 2}, 0, 0), 31)), "takes 32 bytes"));
  CHECK(has(open_message(one_tensor(gguf_tensor("", {4}, 0, 0), 16)), "expected 1 to 63"));
  CHECK(has(open_message(one_tensor(gguf_tensor(std::string(64, 'n'), {4}, 0, 0), 16)),
            "expected 1 to 63"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {1, 1, 1, 1, 1}, 0, 0), 4)), "at most 4"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {0}, 0, 0), 0)), "dimension 0"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {-4}, 0, 0), 16)), "dimension -4"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {1ll << 40, 1ll << 40}, 0, 0), 16)),
            "overflows"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {1ll << 62}, 0, 0), 16)), "overflows"));
  CHECK(
      has(open_message(one_tensor(gguf_tensor("t", {(1ll << 42) + 1}, 0, 0), 16)), "left for it"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {33}, 8, 0), 64)), "whole blocks of q8_0"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {16, 2}, 8, 0), 64)), "whole blocks of q8_0"));
  for (const std::uint32_t removed : {4u, 5u, 31u, 36u, 38u, 43u, 0xFFFFFFFFu})
    CHECK(has(open_message(one_tensor(gguf_tensor("t", {32}, removed, 0), 64)), "has type"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {4}, 0, 32), 64)), "offset 32"));
  CHECK(has(open_message(one_tensor(gguf_tensor("t", {4}, 0, ~0ull - 31), 64)), "expected 0"));
  const auto two = [](const char* name, std::uint64_t offset) {
    return padded(gguf_head(2, 0) + gguf_tensor("t", {4}, 0, 0) +
                  gguf_tensor(name, {4}, 0, offset)) +
           std::string(64, '\0');
  };
  CHECK(open_message(two("u", 32)) == "no error");
  CHECK(has(open_message(two("u", 16)), "expected 32"));
  CHECK(has(open_message(two("u", 0)), "expected 32"));
  CHECK(has(open_message(two("t", 32)), "two tensors named 't'"));
}
