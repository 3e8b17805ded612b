// SPDX-License-Identifier: Apache-2.0
#include "parlance/io/safetensors.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <vector>

#include "parlance/io/dequantize.hpp"
#include "support.hpp"

using namespace io_test;
namespace io = parlance::io;

namespace {

std::string open_message(const std::string& file) {
  return message_of([&] { io::open_safetensors(bytes_of(file), "test file"); });
}
// {"a": {dtype, shape, data_offsets}} and its data.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets,
                std::size_t data) {
  return safetensors("{\"a\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
                         ",\"data_offsets\":" + offsets + "}}",
                     data);
}

}  // namespace

TEST_CASE("safetensors: every dtype that Python writes reads back with the same values") {
  const auto file = io::open_safetensors(data / "dtypes.safetensors");
  const auto wide = io::open_safetensors(data / "dtypes_as_f64.safetensors");
  CHECK(file->tensors().size() == 23);
  CHECK(file->metadata().at("format") == "pt");
  int compared = 0;
  for (const io::stored_tensor& expected : wide->tensors()) {
    CAPTURE(expected.name);
    const io::stored_tensor& t = file->at(expected.name);
    std::vector<double> want(static_cast<std::size_t>(expected.dims.size()));
    std::vector<double> got(static_cast<std::size_t>(t.dims.size()));
    io::read_floats(expected, want.data());
    io::read_floats(t, got.data());
    CHECK(got == want);
    if (t.type != parlance::format::f4) CHECK(t.dims == expected.dims);
    std::vector<float> narrow(got.size());
    io::read_floats(t, narrow.data());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(narrow[i] == static_cast<float>(want[i]));
    ++compared;
  }
  CHECK(compared == 22);
  CHECK(file->at("complex").type == parlance::format::c64);
  float unused[1];
  CHECK_THROWS_AS(io::read_floats(file->at("complex"), unused), parlance::unsupported_error);
  CHECK(file->at("scalar").dims.rank() == 0);
  CHECK(file->at("empty").dims == parlance::shape{0, 3});
  CHECK(file->find("odd \"name\" \\ é\n") != nullptr);
  CHECK(file->find("nothing") == nullptr);
  CHECK(has(message_of([&] { file->at("scalr"); }), "did you mean 'scalar'?"));
}

TEST_CASE("safetensors: tensors outlive the source that mapped them") {
  std::vector<io::stored_tensor> kept;
  {
    const auto file = io::open_safetensors(data / "dtypes.safetensors");
    kept.push_back(file->at("scalar"));
  }
  float value = 0;
  io::read_floats(kept[0], &value);
  CHECK(value == 2.5f);
}

TEST_CASE("safetensors: shards saved by huggingface_hub") {
  const auto all = io::open_sharded_safetensors(data / "sharded" / "model.safetensors.index.json");
  CHECK(all->tensors().size() == 8);
  std::vector<float> big(64);
  io::read_floats(all->at("big"), big.data());
  for (int i = 0; i < 64; ++i) CHECK(big[static_cast<std::size_t>(i)] == static_cast<float>(i));
  float seven = 0;
  io::read_floats(all->at("small.é"), &seven);
  CHECK(seven == 7.0f);
  CHECK(has(all->at("big").file, "model-00004-of-00006.safetensors"));
}

TEST_CASE("safetensors: a file shortened by any number of bytes is refused") {
  const std::string whole = get(data / "dtypes.safetensors");
  REQUIRE(whole.size() > 2000);
  REQUIRE(open_message(whole) == "no error");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string part = whole.substr(0, n);  // its own allocation: overreads show
    CHECK_THROWS_AS(io::open_safetensors(bytes_of(part), "part"), parlance::format_error);
  }
  CHECK(has(open_message(whole + "x"), "1 bytes after the last tensor"));
}

TEST_CASE("safetensors: broken headers") {
  const std::string good = one("F32", "[2]", "[0,8]", 8);
  REQUIRE(open_message(good) == "no error");
  CHECK(open_message(safetensors("{}", 0)) == "no error");
  CHECK(open_message(safetensors("{}      ", 0)) == "no error");
  CHECK(has(open_message(raw<std::uint64_t>(1ull << 62) + "{}"), "header length"));
  CHECK(has(open_message(raw<std::uint64_t>(99'999'999) + "{}"), "the file has only 2"));
  CHECK(has(open_message(safetensors("[]", 0)), "does not start with '{'"));
  CHECK(has(open_message(safetensors("\xEF\xBB\xBF{}", 0)), "does not start with '{'"));
  CHECK(has(open_message(safetensors(std::string("{}\0{}", 5), 0)), "zero byte"));
  CHECK(has(open_message(safetensors("{} x", 0)), "invalid JSON"));
  CHECK(has(open_message(safetensors("{\"\xFF\":1}", 0)), "invalid JSON"));
  CHECK(has(open_message(safetensors(R"({"a":1})", 0)), "'a' is 1, expected an object"));
  CHECK(has(open_message(safetensors(R"({"a":{}})", 0)), "tensor 'a': no dtype"));
  CHECK(has(open_message(safetensors(R"({"":{}})", 0)), "empty name"));
  CHECK(has(open_message(safetensors(R"({"a":{"dtype":"F32","x":1}})", 0)), "unknown field 'x'"));
  CHECK(has(open_message(safetensors(R"({"__metadata__":{"a":1}})", 0)), "expected a string"));
  CHECK(
      has(open_message(safetensors(R"({"__metadata__":{"a":"b","a":"c"}})", 0)), "duplicate key"));
  CHECK(has(open_message(safetensors(R"({"__metadata__":{},"__metadata__":{}})", 0)), "duplicate"));
  const std::string entry = R"("a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  CHECK(
      has(open_message(safetensors("{" + entry + "," + entry + "}", 0)), "two tensors named 'a'"));
  CHECK(has(open_message(safetensors(R"({"a":{"dtype":"U8","dtype":"U8"}})", 0)), "duplicate"));
  CHECK(has(open_message(one("FLOAT", "[2]", "[0,8]", 8)), "unknown dtype 'FLOAT'"));
  std::string nested = "{\"a\":";
  for (int i = 0; i < 100000; ++i) nested += '[';
  CHECK(has(open_message(safetensors(nested, 0)), "an array, expected an object"));
  nested = "{\"a\":{\"shape\":";
  for (int i = 0; i < 100000; ++i) nested += '[';
  CHECK(has(open_message(safetensors(nested, 0)), "an array, expected an integer"));
}

TEST_CASE("safetensors: shapes and offsets that lie") {
  CHECK(has(open_message(one("F32", "[-1]", "[0,8]", 8)), "is -1, expected an integer"));
  CHECK(has(open_message(one("F32", "[1.5]", "[0,8]", 8)), "not an integer"));
  CHECK(has(open_message(one("F32", "[2]", "[0]", 8)), "needs two numbers"));
  CHECK(has(open_message(one("F32", "[2]", "[0,4,8]", 8)), "more than two"));
  CHECK(has(open_message(one("F32", "[2]", "[8,0]", 8)), "the end lies before the begin"));
  CHECK(has(open_message(one("F32", "[2]", "[4,12]", 12)), "leaves a hole"));
  CHECK(has(open_message(one("F32", "[2]", "[0,8]", 7)), "the file has only 7 bytes"));
  CHECK(has(open_message(one("F32", "[3]", "[0,8]", 8)), "takes 12 bytes, not 8"));
  CHECK(has(open_message(one("F32", "[18446744073709551614,2]", "[0,8]", 8)), "too large"));
  CHECK(has(open_message(one("F32", "[4611686018427387904,4]", "[0,8]", 8)), "overflows"));
  CHECK(has(open_message(one("F64", "[4611686018427387904]", "[0,8]", 8)), "overflows"));
  CHECK(has(open_message(one("F32", "[99999999999999999999]", "[0,8]", 8)), "not an integer"));
  CHECK(has(open_message(one("F32", "[2]", "[0,18446744073709551615]", 8)), "the file has only"));
  CHECK(has(open_message(one("F4", "[3]", "[0,2]", 2)), "whole bytes"));
  CHECK(has(open_message(one("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]", 1)), "more than 8 dimensions"));
  CHECK(open_message(one("F4", "[2,2]", "[0,2]", 2)) == "no error");
  CHECK(open_message(one("F6_E2M3", "[4]", "[0,3]", 3)) == "no error");
  CHECK(open_message(one("F32", "[4611686018427387904,0]", "[0,0]", 0)) == "no error");
  const std::string overlap = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                              R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})";
  CHECK(has(open_message(safetensors(overlap, 6)), "tensor 'b': data_offsets [2, 6]: overlaps"));
}

TEST_CASE("safetensors: other files under its name are told apart") {
  CHECK(has(open_message("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "git lfs"));
  CHECK(has(open_message("<!DOCTYPE html><html></html>"), "web page"));
  CHECK(has(open_message(std::string("PK\x03\x04", 4) + std::string(40, 'x')), "zip archive"));
  CHECK(has(open_message(std::string("\x80\x02}q\x00.", 6) + "padding"), "pickle"));
  CHECK(has(open_message("GGUF\x03" + std::string(40, '\0')), "GGUF"));
  CHECK(has(open_message("{\"error\":\"Invalid username or password.\"}"), "JSON text"));
  CHECK(has(open_message(""), "fewer than 8 bytes"));
}

TEST_CASE("safetensors: paths that are no such file") {
  const temporary_folder folder;
  const auto message = [&](const std::filesystem::path& p) {
    return message_of([&] { io::open_safetensors(p); });
  };
  put(folder / "model.safetensors", "");
  CHECK(has(message(folder / "model.safetensors"), "the file is empty"));
  CHECK(has(message(folder / "modle.safetensors"), "did you mean 'model.safetensors'?"));
  CHECK(has(message(folder.path()), "is a folder"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(has(message(folder / "pipe"), "not a regular file"));
}

TEST_CASE("safetensors: index files that lead astray") {
  const temporary_folder folder;
  const auto index = folder / "model.safetensors.index.json";
  const auto message = [&](const std::string& text) {
    put(index, text);
    return message_of([&] { io::open_sharded_safetensors(index); });
  };
  put(folder / "a.safetensors", one("F32", "[2]", "[0,8]", 8));
  put(folder / "b.safetensors", one("F32", "[2]", "[0,8]", 8));
  CHECK(message(R"({"metadata":{"x":[1,{"y":[]}]},"weight_map":{"a":"a.safetensors"}})") ==
        "no error");
  CHECK(has(message(R"({"weight_map":{"a":"../a.safetensors"}})"), "plain file name"));
  CHECK(has(message(R"({"weight_map":{"a":"/etc/passwd"}})"), "plain file name"));
  CHECK(has(message(R"({"weight_map":{"a":".."}})"), "plain file name"));
  CHECK(has(message(R"({"weight_map":{"a":""}})"), "plain file name"));
  CHECK(has(message(R"({"weight_map":{"a":"a\u0000.safetensors"}})"), "plain file name"));
  CHECK(has(message(R"({"weight_map":{"a":"a.bin"}})"), "not a .safetensors file"));
  CHECK(has(message(R"({"weight_map":{"a":1}})"), "not a file name"));
  CHECK(has(message(R"({"weight_map":{"a":{}}})"), "not a file name"));
  CHECK(has(message(R"({"weight_map":[]})"), "no 'weight_map'"));
  CHECK(has(message(R"({})"), "no 'weight_map'"));
  CHECK(has(message(R"([])"), "expected an object"));
  CHECK(has(message(""), "not JSON"));
  CHECK(has(message(R"({"weight_map":{"a":"a.safetensors","a":"b.safetensors"}})"), "duplicate"));
  CHECK(has(message(R"({"weight_map":{"b":"a.safetensors"}})"), "'b' is not in 'a.safetensors'"));
  CHECK(has(message(R"({"weight_map":{"a":"c.safetensors"}})"), "no such file"));
  CHECK(has(message(R"({"weight_map":{"a":"a.safetensors","x":"b.safetensors"}})"),
            "two tensors named 'a'"));
  std::string deep = "{\"weight_map\":{},\"x\":";
  for (int i = 0; i < 100000; ++i) deep += '[';
  CHECK(has(message(deep), "nested deeper"));
}
