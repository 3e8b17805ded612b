// SPDX-License-Identifier: Apache-2.0
// The weight_map of a model.safetensors.index.json, read event by event. File names must be plain
// names, so that an index never leads out of its folder.
// Source: transformers 4.57 (utils/hub.py, get_checkpoint_shard_files).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "parlance/core/json.hpp"
#include "parlance/io/impl/input.hpp"

namespace parlance::inline PARLANCE_ABI::io::detail {

// Reads the weight_map of an index file; everything else in it is skipped.
class safetensors_index : public json_sax {
 public:
  using json_sax::json_sax;
  std::map<std::string, std::string> weight_map;  // tensor to file
  bool found = false;

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(std::int64_t) override { return other(); }
  bool number_unsigned(std::uint64_t) override { return other(); }
  bool number_float(double, const std::string&) override { return other(); }
  bool string(std::string& text) override {
    if (!inside_) return other();
    check_name(text);
    if (!weight_map.emplace(key_, text).second)
      throw format_error(where(), -1, "weight_map: duplicate tensor " + in_quotes(key_));
    return true;
  }
  bool key(std::string& k) override {
    key_ = k;
    return true;
  }
  bool start_object(std::size_t) override {
    if (inside_) other();
    enter();
    if (++level_ == 2 && key_ == "weight_map") {
      if (found) throw format_error(where(), -1, "duplicate key 'weight_map'");
      inside_ = found = true;
    }
    return true;
  }
  bool end_object() override {
    leave();
    --level_;
    inside_ = false;
    return true;
  }
  bool start_array(std::size_t) override {
    other();
    enter();
    ++level_;
    return true;
  }
  bool end_array() override {
    leave();
    --level_;
    return true;
  }

 private:
  bool other() const {
    if (level_ == 0) throw format_error(where(), -1, "expected an object with a 'weight_map'");
    if (inside_)
      throw format_error(where(), -1, "weight_map: " + in_quotes(key_) + " is not a file name");
    return true;
  }
  void check_name(const std::string& file) const {
    bool plain = !file.empty() && file != "." && file != "..";
    for (const char c : file)
      plain = plain && c != '/' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
    if (!plain)
      throw format_error(where(), -1,
                         "weight_map: " + in_quotes(key_) + " is in " + in_quotes(file) +
                             ", expected a plain file name in the same folder");
    if (!file.ends_with(".safetensors"))
      throw unsupported_error(where() + ": " + in_quotes(file) + " is not a .safetensors file",
                              "convert the checkpoint in Python with save_pretrained(folder, "
                              "safe_serialization=True)");
  }
  std::string key_;
  int level_ = 0;
  bool inside_ = false;
};

}  // namespace parlance::inline PARLANCE_ABI::io::detail
