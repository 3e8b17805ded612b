// SPDX-License-Identifier: Apache-2.0
// Files: maps, reads and their limits, and writes that either finish or leave the old file.
#include "parlance/core/file.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

using namespace parlance;
namespace fs = std::filesystem;

namespace {

class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (fs::temp_directory_path() / "parlance_file_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~temporary_folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

// Lets files grow to `bytes` only, so that writing fails half way.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit lower = before_;
    lower.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &lower);
  }
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const io_error& e) {
    return e.what();
  }
  return "no error";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("write, read and map the same bytes") {
  const temporary_folder folder;
  const fs::path path = folder / "a";
  for (const std::string& text : {std::string(), std::string("one"),
                                  std::string("zero\0inside\n", 12), std::string(1 << 20, 'x')}) {
    write_atomic(path, text);
    CHECK(read_text(path) == text);
    const mapped_file map(path);
    CHECK(map.text() == text);
    CHECK(map.bytes().size() == text.size());
    CHECK(map.path() == path.string());
    CHECK(folder.entries() == 1);
  }
}

TEST_CASE("missing files, folders and devices are errors that name the path") {
  const temporary_folder folder;
  const std::string missing = (folder / "missing").string();
  for (const std::string& message : {message_of([&] { read_text(missing); }),
                                     message_of([&] { const mapped_file map(missing); })}) {
    CHECK(contains(message, missing));
    CHECK(contains(message, "cannot open"));
    CHECK(contains(message, "No such file"));
  }
  for (const char* path : {"/tmp", "/dev/null"}) {
    CHECK(contains(message_of([&] { read_text(path); }), "not a regular file"));
    CHECK(contains(message_of([&] { const mapped_file map(path); }), "not a regular file"));
  }
  // A pipe without a writer must not block.
  const std::string pipe = (folder / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(contains(message_of([&] { read_text(pipe); }), "not a regular file"));
  CHECK(contains(message_of([&] { write_atomic(folder / "no" / "a", "x"); }), "cannot open"));
}

TEST_CASE("reads stop at the limit") {
  const temporary_folder folder;
  write_atomic(folder / "a", "12345");
  CHECK(read_text(folder / "a", 5) == "12345");
  const std::string message = message_of([&] { read_text(folder / "a", 4); });
  CHECK(contains(message, "5 bytes"));
  CHECK(contains(message, "limit of 4"));
}

TEST_CASE("a write that fails half way leaves the old file and nothing else") {
  const temporary_folder folder;
  const fs::path path = folder / "a";
  write_atomic(path, "old");
  std::string message;
  {
    const file_size_limit limit(1000);
    message = message_of([&] { write_atomic(path, std::string(5000, 'n')); });
  }
  CHECK(contains(message, "cannot write"));
  CHECK(contains(message, "File too large"));
  CHECK(read_text(path) == "old");
  CHECK(folder.entries() == 1);
}

TEST_CASE("a writer without commit, or one that cannot rename, leaves nothing behind") {
  const temporary_folder folder;
  write_atomic(folder / "a", "old");
  {
    atomic_writer out(folder / "a");
    out.write("new");
    CHECK(folder.entries() == 2);
  }
  CHECK(read_text(folder / "a") == "old");
  fs::create_directories(folder / "b" / "inside");
  CHECK(contains(message_of([&] { write_atomic(folder / "b", "x"); }), "cannot rename"));
  CHECK(folder.entries() == 2);
  CHECK(fs::is_directory(folder / "b"));
}

TEST_CASE("replacing a file leaves maps of the old one intact") {
  const temporary_folder folder;
  write_atomic(folder / "a", std::string(10000, 'o'));
  const mapped_file map(folder / "a");
  write_atomic(folder / "a", "new");
  CHECK(map.text() == std::string(10000, 'o'));
  CHECK(read_text(folder / "a") == "new");
}

TEST_CASE("a writer takes pieces; released pages can be read again") {
  const temporary_folder folder;
  std::string expected;
  {
    atomic_writer out(folder / "a");
    for (int i = 0; i < 3000; ++i) {
      const std::string piece = std::to_string(i) + "\n";
      out.write(piece);
      expected += piece;
    }
    CHECK_FALSE(fs::exists(folder / "a"));
    out.commit();
  }
  const mapped_file map(folder / "a");
  release_mapped_pages(map.bytes());
  release_mapped_pages(map.bytes().subspan(1, 10));
  CHECK(map.text() == expected);
}
