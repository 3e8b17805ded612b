// SPDX-License-Identifier: Apache-2.0
// Finds a model by name on this machine: a folder, a .gguf file, or "org/name" in a Hugging Face
// hub cache (models--org--name/{refs,snapshots}). Nothing is downloaded and no environment variable
// is read: the caller says where the cache is.
// Source: huggingface_hub 0.36 (file_download.py, cache layout).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "parlance/core/error.hpp"
#include "parlance/core/file.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/io/impl/input.hpp"

namespace parlance::inline PARLANCE_ABI::io {

namespace detail {

constexpr std::string_view hub_prefix = "models--";

// "org/name" or "name", of the characters that the hub allows.
inline bool is_hub_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.find("..") != name.npos) return false;
  int slashes = 0;
  for (const char c : name) {
    slashes += c == '/';
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/';
    if (!allowed) return false;
  }
  return slashes <= 1 && name.front() != '/' && name.back() != '/' && name.front() != '.';
}

inline std::string hub_folder(std::string_view name) {
  std::string folder(hub_prefix);
  for (const char c : name) folder += c == '/' ? std::string("--") : std::string(1, c);
  return folder;
}

inline bool is_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

// The folder that holds models--*: the given one or its "hub".
inline std::filesystem::path hub_root(const std::filesystem::path& cache_folder,
                                      const std::string& model) {
  const auto inner = cache_folder / "hub";
  if (!is_folder(cache_folder / model) && is_folder(inner)) return inner;
  return cache_folder;
}

// "org/name" of every model in the cache.
inline std::vector<std::string> cached_models(const std::filesystem::path& root) {
  std::vector<std::string> names;
  for (const std::string& folder : names_in(root)) {
    if (!folder.starts_with(hub_prefix)) continue;
    std::string name = folder.substr(hub_prefix.size());
    if (const auto dashes = name.find("--"); dashes != name.npos) {
      name[dashes] = '/';
      name.erase(dashes + 1, 1);
    }
    names.push_back(std::move(name));
  }
  return names;
}

// The snapshot of a cached model: the commit of refs/<revision>, a commit itself, or the only one.
inline std::filesystem::path snapshot(const std::filesystem::path& model,
                                      std::string_view revision) {
  const auto snapshots = model / "snapshots";
  std::string commit(revision);
  if (const auto ref = model / "refs" / revision; std::filesystem::is_regular_file(ref)) {
    commit = read_text(ref, 4096);
    commit.erase(commit.find_last_not_of(" \r\n\t") + 1);
    bool plain = !commit.empty();
    for (const char c : commit)
      plain = plain && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    if (!plain) throw format_error(ref.string(), 0, "expected the name of a commit");
  }
  if (is_folder(snapshots / commit)) return snapshots / commit;
  const auto found = names_in(snapshots);
  if (found.size() == 1 && revision == "main" && is_folder(snapshots / found[0]))
    return snapshots / found[0];
  throw io_error(
      snapshots.string() + ": no snapshot of revision '" + std::string(revision) + "'",
      found.empty() ? "the model was never downloaded completely" : near_miss(revision, found));
}

}  // namespace detail

// The folder or .gguf file of a model. `cache_folder` is a hub cache (.../hub or its parent) and
// may be empty; `revision` is a branch, tag or commit in it.
inline std::filesystem::path resolve_model(std::string_view name_or_path,
                                           const std::filesystem::path& cache_folder,
                                           std::string_view revision = "main") {
  if (name_or_path.empty() || name_or_path.find('\0') != name_or_path.npos)
    throw option_error("the model name is empty or has a zero byte");
  const std::filesystem::path path(name_or_path);
  if (detail::is_folder(path)) return path;
  std::error_code code;
  if (std::filesystem::exists(path, code)) {
    if (path.extension() == ".gguf") return path;
    throw io_error(path.string() + ": neither a model folder nor a .gguf file",
                   "pass the folder that holds config.json");
  }
  if (!detail::is_hub_name(revision))
    throw option_error("bad revision '" + std::string(revision) + "'");
  const bool hub_name = detail::is_hub_name(name_or_path);
  std::vector<std::string> candidates;
  std::string looked = "looked for the folder " + path.string();
  if (hub_name && !cache_folder.empty()) {
    const std::string folder = detail::hub_folder(name_or_path);
    const auto root = detail::hub_root(cache_folder, folder);
    if (detail::is_folder(root / folder)) return detail::snapshot(root / folder, revision);
    looked += " and for " + (root / folder).string();
    candidates = detail::cached_models(root);
  }
  const auto parent = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (const std::string& sibling : detail::names_in(parent))
    candidates.push_back(path.has_parent_path() ? (parent / sibling).string() : sibling);
  throw io_error("no model '" + std::string(name_or_path) + "': " + looked,
                 detail::near_miss(name_or_path, candidates));
}

}  // namespace parlance::inline PARLANCE_ABI::io
