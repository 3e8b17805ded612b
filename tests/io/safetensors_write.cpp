// SPDX-License-Identifier: Apache-2.0
#include "parlance/io/safetensors_write.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "parlance/io/dequantize.hpp"
#include "parlance/io/safetensors.hpp"
#include "support.hpp"

using namespace io_test;
namespace io = parlance::io;
using parlance::format;

namespace {

std::vector<io::tensor_to_write> all_of(const io::tensor_source& source) {
  std::vector<io::tensor_to_write> list;
  for (const io::stored_tensor& t : source.tensors())
    list.push_back({t.name, t.type, t.dims, t.data});
  return list;
}

}  // namespace

TEST_CASE("write_safetensors: the bytes of Python's file, whatever the order given") {
  const temporary_folder folder;
  for (const char* name : {"dtypes.safetensors", "dtypes_as_f64.safetensors"}) {
    const auto python = io::open_safetensors(data / name);
    auto tensors = all_of(*python);
    std::reverse(tensors.begin(), tensors.end());
    io::write_safetensors(folder / name, tensors, python->metadata());
    CHECK(get(folder / name) == get(data / name));
  }
}

TEST_CASE("write_safetensors: replaces a file that is mapped, and itself") {
  const temporary_folder folder;
  const auto path = folder / "model.safetensors";
  const float first[] = {1, 2}, second[] = {3, 4, 5};
  io::write_safetensors(path, std::vector<io::tensor_to_write>{
                                  {"x", format::f32, {2}, std::as_bytes(std::span(first))}});
  const auto old = io::open_safetensors(path);
  io::write_safetensors(path, std::vector<io::tensor_to_write>{
                                  {"x", format::f32, {3}, std::as_bytes(std::span(second))}});
  float kept[2];
  io::read_floats(old->at("x"), kept);
  CHECK(kept[1] == 2.0f);
  float fresh[3];
  io::read_floats(io::open_safetensors(path)->at("x"), fresh);
  CHECK(fresh[2] == 5.0f);
  const auto again = io::open_safetensors(path);
  io::write_safetensors(path, all_of(*again), again->metadata());
  CHECK(io::open_safetensors(path)->metadata().at("format") == "pt");
}

TEST_CASE("safetensors_writer: streamed in pieces; nothing is left without commit") {
  const temporary_folder folder;
  const auto path = folder / "s.safetensors";
  const std::vector<io::tensor_to_write> tensors = {{"small", format::u8, {3}, {}},
                                                    {"none", format::f32, {0}, {}},
                                                    {"big", format::f64, {2}, {}}};
  const std::string big(16, 'b'), small(3, 's');
  {
    io::safetensors_writer writer(path, tensors);
    CHECK(writer.order()[0].name == "big");
    CHECK_THROWS_AS(writer.write("small", bytes_of(small)), parlance::option_error);
    writer.write("big", bytes_of(big).first(5));
    CHECK_THROWS_AS(writer.commit(), parlance::option_error);
    CHECK_THROWS_AS(writer.write("big", bytes_of(big)), parlance::shape_error);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  io::safetensors_writer writer(path, tensors);
  writer.write("big", bytes_of(big).first(5));
  writer.write("big", bytes_of(big).subspan(5));
  writer.write("small", bytes_of(small));
  CHECK_THROWS_AS(writer.write("small", bytes_of(small)), parlance::option_error);
  writer.commit();
  const auto file = io::open_safetensors(path);
  CHECK(file->tensors().size() == 3);
  CHECK(io::detail::as_text(file->at("small").data) == small);
  CHECK(reinterpret_cast<std::uintptr_t>(file->at("big").data.data()) % 8 == 0);
}

TEST_CASE("write_safetensors: what cannot be written") {
  const temporary_folder folder;
  const std::string bytes(64, 'x');
  const auto message = [&](std::vector<io::tensor_to_write> tensors,
                           std::map<std::string, std::string> metadata = {}) {
    return message_of([&] { io::write_safetensors(folder / "f", tensors, metadata); });
  };
  const auto part = [&](std::size_t n) { return bytes_of(bytes).first(n); };
  CHECK(has(message({{"a", format::f32, {2}, part(4)}}), "takes 8 bytes, got 4"));
  CHECK(has(message({{"a", format::q8_0, {32}, part(34)}}), "no dtype for q8_0"));
  CHECK(has(message({{"", format::u8, {1}, part(1)}}), "cannot be named"));
  CHECK(has(message({{"__metadata__", format::u8, {1}, part(1)}}), "cannot be named"));
  CHECK(has(message({{"a", format::u8, {1}, part(1)}, {"a", format::f32, {1}, part(4)}}),
            "two tensors named 'a'"));
  CHECK(has(message({{"\xFF", format::u8, {1}, part(1)}}), "UTF-8"));
  CHECK(has(message({}, {{"k", "\xFF"}}), "UTF-8"));
  CHECK(has(message({{"a", format::f4, {3}, part(2)}}), "whole bytes"));
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK_THROWS_AS(io::write_safetensors(folder / "no/such/folder", {}), parlance::io_error);
}

TEST_CASE("write_sharded_safetensors: files and index of huggingface_hub, byte for byte") {
  const temporary_folder folder;
  const auto python = io::open_sharded_safetensors(data / "sharded/model.safetensors.index.json");
  std::vector<io::tensor_to_write> tensors;
  for (const char* name : {"layer.0.weight", "layer.1.weight", "layer.2.weight", "layer.3.weight",
                           "layer.4.weight", "layer.5.weight", "big", "small.é"}) {
    const io::stored_tensor& t = python->at(name);
    tensors.push_back({t.name, t.type, t.dims, t.data});
  }
  put(folder / "model.safetensors", "of an earlier save");
  put(folder / "model-00001-of-00002.safetensors", "of an earlier save");
  put(folder / "model-extra.safetensors", "not ours");
  io::write_sharded_safetensors(folder.path(), tensors, 100);
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data / "sharded")) {
    if (entry.path().filename() == "config.json") continue;
    CAPTURE(entry.path());
    CHECK(get(folder / entry.path().filename().string()) == get(entry.path()));
    ++compared;
  }
  CHECK(compared == 7);
  CHECK(!std::filesystem::exists(folder / "model.safetensors"));
  CHECK(!std::filesystem::exists(folder / "model-00001-of-00002.safetensors"));
  CHECK(std::filesystem::exists(folder / "model-extra.safetensors"));

  io::write_sharded_safetensors(folder.path(), tensors);
  CHECK(io::open_safetensors(folder / "model.safetensors")->tensors().size() == 8);
  CHECK(!std::filesystem::exists(folder / "model.safetensors.index.json"));
  CHECK(!std::filesystem::exists(folder / "model-00001-of-00006.safetensors"));
}
