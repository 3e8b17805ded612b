// SPDX-License-Identifier: Apache-2.0
// Every failure is an exception derived from `error`: what went wrong, where (file, tensor, byte),
// what was expected, what was found, and a hint when there is a usual cause. The library never
// prints or aborts. User data (prompt text) never enters a message.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parlance/core/config.hpp"

namespace parlance::inline PARLANCE_ABI {

// Base of all errors. `kind()` is the short stable name that the example commands print.
class error : public std::runtime_error {
 public:
  error(std::string_view kind, const std::string& what, std::string hint = {})
      : std::runtime_error(hint.empty() ? what : what + " (" + hint + ")"),
        kind_(kind),
        hint_(std::move(hint)) {}
  const std::string& kind() const noexcept { return kind_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  std::string kind_, hint_;
};

// Tensor shapes that do not fit an operation.
class shape_error : public error {
 public:
  explicit shape_error(const std::string& what, std::string hint = {})
      : error("shape", what, std::move(hint)) {}
};

// A value or option that is wrong, unknown or contradicts another one.
class option_error : public error {
 public:
  explicit option_error(const std::string& what, std::string hint = {})
      : error("option", what, std::move(hint)) {}
};

// A file that cannot be opened, read, mapped or written.
class io_error : public error {
 public:
  explicit io_error(const std::string& what, std::string hint = {})
      : error("io", what, std::move(hint)) {}
};

// Bytes that do not follow their format. `where` is a file name; `offset` a byte in it, or -1.
class format_error : public error {
 public:
  format_error(const std::string& where, std::int64_t offset, const std::string& what,
               std::string hint = {})
      : error("format",
              (where.empty() ? std::string{} : where + ": ") +
                  (offset < 0 ? std::string{} : "byte " + std::to_string(offset) + ": ") + what,
              std::move(hint)),
        offset_(offset) {}
  std::int64_t offset() const noexcept { return offset_; }

 private:
  std::int64_t offset_;
};

// A checkpoint that does not fit its model: all the names at once.
class load_error : public error {
 public:
  load_error(const std::string& where, std::vector<std::string> missing_names,
             std::vector<std::string> unexpected_names, std::vector<std::string> mismatched_names)
      : error("load", report(where, missing_names, unexpected_names, mismatched_names)),
        missing(std::move(missing_names)),
        unexpected(std::move(unexpected_names)),
        mismatched(std::move(mismatched_names)) {}

  std::vector<std::string> missing, unexpected, mismatched;

 private:
  static std::string report(const std::string& where, const std::vector<std::string>& missing,
                            const std::vector<std::string>& unexpected,
                            const std::vector<std::string>& mismatched) {
    std::string text = where + ": tensors do not match the model";
    const auto list = [&](const char* title, const std::vector<std::string>& names) {
      if (names.empty()) return;
      text += std::string("; ") + title + " " + std::to_string(names.size()) + ": ";
      for (std::size_t i = 0; i < names.size(); ++i) text += (i ? ", " : "") + names[i];
    };
    list("missing", missing);
    list("unexpected", unexpected);
    list("mismatched", mismatched);
    return text;
  }
};

// Something valid that this library does not do; the message names what is supported.
class unsupported_error : public error {
 public:
  explicit unsupported_error(const std::string& what, std::string hint = {})
      : error("unsupported", what, std::move(hint)) {}
};

// Text that is not valid where it has to be (UTF-8, a template, a pattern).
class text_error : public error {
 public:
  explicit text_error(const std::string& what, std::string hint = {})
      : error("text", what, std::move(hint)) {}
};

// Thrown where the caller's std::stop_token asked to stop.
class cancelled_error : public error {
 public:
  explicit cancelled_error(const std::string& what) : error("cancelled", what) {}
};

}  // namespace parlance::inline PARLANCE_ABI
