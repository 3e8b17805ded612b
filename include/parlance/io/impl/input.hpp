// SPDX-License-Identifier: Apache-2.0
// What the readers share: opening a file with helpful errors, telling from the first bytes what a
// wrong file really is, printing untrusted names, and a bounds-checked little-endian cursor.
// Not a public header.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/file.hpp"
#include "parlance/core/json.hpp"
#include "parlance/core/nearest.hpp"

namespace parlance::inline PARLANCE_ABI::io::detail {

static_assert(std::endian::native == std::endian::little, "files are read in place, little-endian");

// A name out of a file, fit for a message: quoted, printable, not too long.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t longest = 120;
  std::string text = "'";
  for (const char c : name.substr(0, longest)) {
    const auto u = static_cast<unsigned char>(c);
    text += u < 0x20 || u >= 0x7F ? '?' : c;
  }
  return text + (name.size() > longest ? "...'" : "'");
}

// What the bytes look like when they are not what they should be; empty when nothing is known.
inline std::string wrong_file_hint(std::string_view text) {
  const auto starts = [&](std::string_view magic) { return text.starts_with(magic); };
  using namespace std::string_view_literals;
  if (starts("version https://git-lfs"))
    return "this is a Git LFS pointer, not the file itself: fetch it with 'git lfs pull'";
  if (starts("<!") || starts("<html") || starts("<HTML") || starts("<?xml"))
    return "this is a web page saved in place of the file: download the file itself";
  if (starts("PK\x03\x04"))
    return "this is a zip archive (PyTorch .bin/.pt or NumPy .npz): convert it to safetensors in "
           "Python with save_pretrained(folder, safe_serialization=True)";
  if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5)
    return "this is a Python pickle, which can run code when loaded and is never read here: "
           "convert it to safetensors in Python";
  if (starts("GGUF")) return "this is a GGUF file: open it with open_gguf";
  if (starts("FUGG")) return "this is a big-endian GGUF file: convert it to little-endian";
  if (starts("tjgg") || starts("fmgg") || starts("lmgg"))
    return "this is a GGML file from before GGUF: convert it again with a current llama.cpp";
  if (starts("\x1F\x8B")) return "this is gzip-compressed: decompress it first";
  if (starts("\x89HDF")) return "this is an HDF5 file (TensorFlow): convert it to safetensors";
  if (starts("\x28\xB5\x2F\xFD"sv)) return "this is zstd-compressed: decompress it first";
  if (text.size() > 8 && text[8] == '{' && text.substr(0, 8).find('\0') != text.npos)
    return "this looks like a safetensors file";
  if (starts("{") || starts("["))
    return "this is JSON text: a configuration, or the error message of a server";
  return {};
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The names in a folder; empty when it cannot be read.
inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  std::filesystem::directory_iterator it(folder.empty() ? "." : folder, ignored), end;
  for (; !ignored && it != end; it.increment(ignored)) names.push_back(it->path().filename());
  return names;
}

// did_you_mean, but only for a candidate that differs in at most a third of the name.
template <class Range>
std::string near_miss(std::string_view name, const Range& candidates) {
  const std::string best = nearest(name, candidates);
  if (best.empty() || 3 * edit_distance(name, best) > name.size()) return {};
  return "did you mean '" + best + "'?";
}

// Maps a file; a missing file, a folder or an empty file gets an error that says what to do.
inline std::shared_ptr<const mapped_file> open_mapped(const std::filesystem::path& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found)
    throw io_error(path.string() + ": no such file",
                   near_miss(path.filename().string(), names_in(path.parent_path())));
  if (std::filesystem::is_directory(status))
    throw io_error(path.string() + ": is a folder, expected a file",
                   "a model folder is opened with open_checkpoint");
  auto file = std::make_shared<const mapped_file>(path);
  if (file->bytes().empty())
    throw format_error(path.string(), 0, "the file is empty", "was the download interrupted?");
  return file;
}

// Reads and parses a small JSON file.
inline json read_json(const std::filesystem::path& path) {
  constexpr std::uint64_t limit = std::uint64_t{64} << 20;
  const std::string text = read_text(path, limit);
  if (text.find_first_not_of(" \t\r\n") == text.npos)
    throw format_error(path.string(), 0, "the file is empty, expected JSON");
  const std::string hint = wrong_file_hint(text);
  if (!hint.empty() && text[0] != '{' && text[0] != '[')
    throw format_error(path.string(), 0, "not JSON", hint);
  return parse_json(text, path.string());
}

// A cursor over untrusted bytes; every step checks what is left.
class byte_reader {
 public:
  byte_reader(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return bytes_.size() - position_; }
  const std::string& where() const { return where_; }

  [[noreturn]] void fail(const std::string& what, std::string hint = {}) const {
    throw format_error(where_, static_cast<std::int64_t>(position_), what, std::move(hint));
  }
  std::span<const std::byte> take(std::uint64_t n, std::string_view what) {
    if (n > left())
      fail("the file ends inside " + std::string(what) + ": " + std::to_string(n) +
               " bytes expected, " + std::to_string(left()) + " left",
           "was the download interrupted?");
    const auto part = bytes_.subspan(position_, n);
    position_ += n;
    return part;
  }
  template <class T>
  T read(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  // A u64 length and that many bytes.
  std::string_view text(std::string_view what) {
    const auto n = read<std::uint64_t>(what);
    return as_text(take(n, what));
  }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  std::uint64_t position_ = 0;
};

}  // namespace parlance::inline PARLANCE_ABI::io::detail
