// SPDX-License-Identifier: Apache-2.0
// Deterministic mutations of small valid files: a reader may accept or refuse each one, but only
// with a parlance::error, and what it accepts must be readable in bounds (checked by the sanitizer
// builds).
#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "parlance/io/checkpoint_folder.hpp"
#include "parlance/io/dequantize.hpp"
#include "parlance/io/gguf.hpp"
#include "parlance/io/safetensors.hpp"
#include "support.hpp"

using namespace io_test;
namespace io = parlance::io;

namespace {

void read_all(const io::tensor_source& source) {
  for (const io::stored_tensor& t : source.tensors()) {
    if (t.type == parlance::format::c64 || t.dims.size() > 1 << 16) continue;
    std::vector<float> values(static_cast<std::size_t>(t.dims.size()));
    io::read_floats(t, values.data());
  }
}

void read_values(const io::gguf_file& file) {
  for (const auto& pair : file.values()) {
    const std::string_view key = pair.first;
    CHECK(file.value(key) == &pair.second);
    (void)message_of([&] { file.get_integers(key); });
    (void)message_of([&] { file.get_floats(key); });
    (void)message_of([&] { file.get_strings(key); });
  }
}

// One to four changes: a bit, a byte, a whole number, or a cut.
std::string mutated(std::string text, std::mt19937& random) {
  for (unsigned n = random() % 4 + 1; n > 0 && !text.empty(); --n) {
    const std::size_t at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] ^= static_cast<char>(1 << (random() % 8));
        break;
      case 1:
        text[at] = static_cast<char>(random());
        break;
      case 2: {
        constexpr std::uint64_t numbers[] = {0, 1, 0xFFFFFFFF, 1ull << 31, 1ull << 62, ~0ull};
        const std::uint64_t v = numbers[random() % 6];
        std::memcpy(text.data() + at, &v,
                    std::min<std::size_t>(random() % 2 ? 8 : 4, text.size() - at));
        break;
      }
      default:
        if (random() % 8 == 0) text.resize(at);
        break;
    }
  }
  return text;
}

template <class Open>
void fuzz(const std::string& whole, unsigned seed, int runs, Open&& open) {
  std::mt19937 random(seed);
  int refused = 0;
  for (int i = 0; i < runs; ++i) {
    const std::string file = mutated(whole, random);
    try {
      open(file);
    } catch (const parlance::error&) {
      ++refused;
    }
  }
  CHECK(refused > 0);
  CHECK(refused < runs);
}

}  // namespace

TEST_CASE("mutations: safetensors") {
  fuzz(get(data / "dtypes.safetensors"), 1, 20000,
       [](const std::string& f) { read_all(*io::open_safetensors(bytes_of(f), "f")); });
}

TEST_CASE("mutations: gguf") {
  fuzz(get(data / "values.gguf"), 2, 20000, [](const std::string& f) {
    const auto file = io::open_gguf(bytes_of(f), "f");
    read_all(*file);
    read_values(*file);
  });
}

TEST_CASE("mutations: index.json and config.json") {
  const temporary_folder folder;
  std::filesystem::copy(data / "sharded", folder.path(), std::filesystem::copy_options::recursive);
  const auto index = folder / "model.safetensors.index.json", config = folder / "config.json";
  fuzz(get(index), 3, 2000, [&](const std::string& f) {
    put(index, f);
    read_all(*io::open_sharded_safetensors(index));
  });
  put(index, get(data / "sharded/model.safetensors.index.json"));
  fuzz(get(config), 4, 2000, [&](const std::string& f) {
    put(config, f);
    io::open_checkpoint(folder.path());
  });
}
