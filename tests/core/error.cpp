// SPDX-License-Identifier: Apache-2.0
// What errors say (kind, message, hint, place), hints of nearest names, the log sink, callbacks.
#include "parlance/core/error.hpp"

#include <doctest/doctest.h>

#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "parlance/core/log.hpp"
#include "parlance/core/nearest.hpp"
#include "parlance/core/progress.hpp"

using namespace parlance;
using namespace std::string_literals;

TEST_CASE("every error has its kind, and is caught as error and as std::runtime_error") {
  const auto kind_of = [](const auto& thrown) {
    try {
      throw thrown;
    } catch (const error& e) {
      CHECK(dynamic_cast<const std::runtime_error*>(&e) != nullptr);
      return e.kind();
    }
  };
  CHECK(kind_of(shape_error("x")) == "shape");
  CHECK(kind_of(option_error("x")) == "option");
  CHECK(kind_of(io_error("x")) == "io");
  CHECK(kind_of(format_error("f", 1, "x")) == "format");
  CHECK(kind_of(load_error("f", {}, {}, {})) == "load");
  CHECK(kind_of(unsupported_error("x")) == "unsupported");
  CHECK(kind_of(text_error("x")) == "text");
  CHECK(kind_of(cancelled_error("x")) == "cancelled");
}

TEST_CASE("messages hold what, where and the hint") {
  const option_error with("unknown name", "did you mean 'b'?");
  CHECK(with.what() == "unknown name (did you mean 'b'?)"s);
  CHECK(with.hint() == "did you mean 'b'?");
  const option_error without("unknown name");
  CHECK(without.what() == "unknown name"s);
  CHECK(without.hint().empty());
  CHECK(cancelled_error("load").what() == "load"s);

  const format_error placed("a.gguf", 24, "bad magic", "is it a GGUF file?");
  CHECK(placed.what() == "a.gguf: byte 24: bad magic (is it a GGUF file?)"s);
  CHECK(placed.offset() == 24);
  CHECK(format_error("a.gguf", 0, "bad magic").what() == "a.gguf: byte 0: bad magic"s);
  CHECK(format_error("a.gguf", -1, "bad magic").what() == "a.gguf: bad magic"s);
  CHECK(format_error("", 3, "bad magic").what() == "byte 3: bad magic"s);
  CHECK(format_error("", -1, "bad magic").what() == "bad magic"s);
}

TEST_CASE("a load error lists every name") {
  const load_error e("m.safetensors", {"a", "b"}, {}, {"c: [1] instead of [2]"});
  CHECK(e.what() ==
        "m.safetensors: tensors do not match the model; missing 2: a, b; mismatched 1: "
        "c: [1] instead of [2]"s);
  CHECK(e.missing == std::vector<std::string>{"a", "b"});
  CHECK(e.unexpected.empty());
  CHECK(e.mismatched.size() == 1);
  CHECK(load_error("m", {}, {"x"}, {}).what() ==
        "m: tensors do not match the model; unexpected 1: x"s);
}

TEST_CASE("edit distances and nearest names") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);  // Levenshtein's usual example
  CHECK(edit_distance("sunday", "saturday") == 3);
  CHECK(edit_distance("ab", "ba") == 2);
  const std::vector<std::string> names{"temperature", "top_k", "top_p"};
  CHECK(nearest("temperatur", names) == "temperature");
  CHECK(nearest("topp", names) == "top_p");
  CHECK(nearest("top_x", names) == "top_k");  // the first of equals
  CHECK(nearest("x", std::vector<std::string>{}).empty());
  CHECK(did_you_mean("topp", names) == "did you mean 'top_p'?");
  CHECK(did_you_mean("topp", std::vector<std::string>{}).empty());
}

TEST_CASE("logging is silent, and a sink belongs to its thread and scope") {
  log(log_level::warning, "nobody hears this");  // must not crash; quiet.sh checks for prints
  std::vector<std::string> heard, inner;
  {
    const scoped_log_sink sink([&](log_level level, std::string_view text) {
      heard.push_back((level == log_level::warning ? "w:" : "i:") + std::string(text));
    });
    log(log_level::warning, "one");
    {
      const scoped_log_sink nested(
          [&](log_level, std::string_view text) { inner.emplace_back(text); });
      log(log_level::info, "two");
    }
    log(log_level::info, "three");
    std::thread([] { log(log_level::warning, "another thread"); }).join();
  }
  log(log_level::warning, "after");
  CHECK(heard == std::vector<std::string>{"w:one", "i:three"});
  CHECK(inner == std::vector<std::string>{"two"});
}

TEST_CASE("callbacks return nothing or a flow") {
  int calls = 0;
  const callback<int> nothing([&](int x) { calls += x; });
  CHECK(nothing(3) == flow::next);
  CHECK(calls == 3);
  const callback<int> choosing([](int x) { return x > 1 ? flow::stop : flow::next; });
  CHECK(choosing(1) == flow::next);
  CHECK(choosing(2) == flow::stop);

  const callback<int> empty, null(nullptr);
  CHECK_FALSE(static_cast<bool>(empty));
  CHECK_FALSE(static_cast<bool>(null));
  CHECK(static_cast<bool>(nothing));
  CHECK(empty(1) == flow::next);

  // State lives in the callback; copies have their own.
  callback<int> counting([n = 0](int) mutable { return ++n == 2 ? flow::stop : flow::next; });
  const callback<int> copy = counting;
  CHECK(counting(0) == flow::next);
  CHECK(counting(0) == flow::stop);
  CHECK(copy(0) == flow::next);

  std::uint64_t done = 0;
  const progress_callback report([&](const progress& p) { done = p.done; });
  report({"load", 7, 10});
  CHECK(done == 7);
  const callback<int> throwing([](int) { throw text_error("from the callback"); });
  CHECK_THROWS_AS(throwing(1), text_error);
}

TEST_CASE("a stop request becomes a cancelled_error") {
  std::stop_source source;
  CHECK_NOTHROW(throw_if_stopped(source.get_token(), "load"));
  CHECK_NOTHROW(throw_if_stopped({}, "load"));
  source.request_stop();
  CHECK_THROWS_WITH_AS(throw_if_stopped(source.get_token(), "load"), "load: cancelled",
                       cancelled_error);
}
