// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/io/hub_cache.hpp"
#include "support.hpp"

using namespace io_test;
namespace io = parlance::io;

namespace {

const std::string no_tensors = safetensors("{}", 0);

std::string checkpoint_message(const std::filesystem::path& folder) {
  return message_of([&] { io::open_checkpoint(folder); });
}
std::string resolve_message(const std::string& name, const std::filesystem::path& cache,
                            const std::string& revision = "main") {
  return message_of([&] { io::resolve_model(name, cache, revision); });
}

}  // namespace

TEST_CASE("open_checkpoint: sharded and single, with and without generation_config.json") {
  const auto sharded = io::open_checkpoint(data / "sharded");
  CHECK(sharded.config["model_type"] == "tiny");
  CHECK(sharded.generation_config.is_null());
  CHECK(sharded.tensors->tensors().size() == 8);
  const temporary_folder folder;
  put(folder / "config.json", "{}");
  put(folder / "generation_config.json", R"({"eos_token_id":2})");
  put(folder / "model.safetensors", safetensors("{}", 0));
  put(folder / "model.safetensors.index.json", "not read while there is a single file");
  const auto single = io::open_checkpoint(folder.path());
  CHECK(single.generation_config["eos_token_id"] == 2);
  CHECK(single.tensors->tensors().empty());
}

TEST_CASE("open_checkpoint: says what was looked for and what is there") {
  const temporary_folder folder;
  CHECK(has(checkpoint_message(folder.path()), "no config.json"));
  CHECK(has(checkpoint_message(folder / "none"), "no such folder"));
  put(folder / "models/llama/x", "");
  CHECK(has(checkpoint_message(folder / "models/llana"), "did you mean 'llama'?"));
  put(folder / "config.jsn", "{}");
  CHECK(has(checkpoint_message(folder.path()), "did you mean 'config.jsn'?"));
  put(folder / "config.json", "{}");
  CHECK(has(checkpoint_message(folder / "config.json"), "pass the folder"));
  CHECK(has(checkpoint_message(folder.path()),
            "looked for model.safetensors and model.safetensors.index.json"));
  put(folder / "other.safetensors", no_tensors);
  CHECK(has(checkpoint_message(folder.path()), "rename it to model.safetensors"));
  put(folder / "m.gguf", "");
  CHECK(has(checkpoint_message(folder.path()), "pass that file itself"));
  put(folder / "pytorch_model.bin", "");
  CHECK(has(checkpoint_message(folder.path()), "pytorch_model.bin is not read"));
  put(folder / "model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  CHECK(has(checkpoint_message(folder.path()), "git lfs pull"));
}

TEST_CASE("open_checkpoint: broken config.json") {
  const temporary_folder folder;
  put(folder / "model.safetensors", no_tensors);
  const auto message = [&](const std::string& config) {
    put(folder / "config.json", config);
    return checkpoint_message(folder.path());
  };
  CHECK(message("{}") == "no error");
  CHECK(has(message(""), "the file is empty"));
  CHECK(has(message(" \n"), "the file is empty"));
  CHECK(has(message("[]"), "expected a JSON object"));
  CHECK(has(message("{"), "invalid JSON"));
  CHECK(has(message("<!DOCTYPE html>"), "web page"));
  CHECK(has(message("version https://git-lfs.github.com/spec/v1"), "git lfs pull"));
  CHECK(has(message(std::string(200, '[')), "nested deeper"));
}

TEST_CASE("resolve_model: folders, GGUF files and the hub cache") {
  const temporary_folder folder;
  const auto hub = folder / "cache/hub";
  const auto model = hub / "models--org--tiny-model";
  put(model / "refs/main", "abc123\n");
  put(model / "refs/pr", "../../..");
  put(model / "refs/gone", "def456");
  put(model / "snapshots/abc123/config.json", "{}");
  put(hub / "models--gpt2/snapshots/777/config.json", "{}");
  put(hub / "models--two/snapshots/1/config.json", "{}");
  put(hub / "models--two/snapshots/2/config.json", "{}");
  put(folder / "m.gguf", "x");
  put(folder / "m.bin", "x");

  CHECK(io::resolve_model(folder.path().string(), {}) == folder.path());
  CHECK(io::resolve_model((folder / "m.gguf").string(), {}) == folder / "m.gguf");
  CHECK(io::resolve_model("org/tiny-model", hub) == model / "snapshots/abc123");
  CHECK(io::resolve_model("org/tiny-model", folder / "cache") == model / "snapshots/abc123");
  CHECK(io::resolve_model("org/tiny-model", hub, "abc123") == model / "snapshots/abc123");
  CHECK(io::resolve_model("gpt2", hub) == hub / "models--gpt2/snapshots/777");

  CHECK(has(resolve_message("org/tiny-modle", hub), "did you mean 'org/tiny-model'?"));
  CHECK(has(resolve_message("org/tiny-model", {}), "no model 'org/tiny-model'"));
  CHECK(has(resolve_message("org/tiny-model", hub, "gone"), "no snapshot of revision 'gone'"));
  CHECK(has(resolve_message("org/tiny-model", hub, "pr"), "expected the name of a commit"));
  CHECK(has(resolve_message("org/tiny-model", hub, "../refs"), "bad revision"));
  CHECK(has(resolve_message("two", hub), "no snapshot of revision 'main'"));
  CHECK(has(resolve_message((folder / "m.bin").string(), hub), "neither a model folder"));
  CHECK(has(resolve_message((folder / "m.ggug").string(), hub), "m.gguf'?"));
  CHECK(has(resolve_message("../models--gpt2", hub), "no model"));
  CHECK(has(resolve_message("", hub), "empty"));
  CHECK(has(resolve_message(std::string("a\0b", 3), hub), "zero byte"));
}
