// SPDX-License-Identifier: Apache-2.0
// Files: read-only memory maps, whole reads with a size limit, and atomic writes (temporary file in
// the same folder, fsync, rename), so that a failed save never damages what was there.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "parlance/core/error.hpp"

namespace parlance::inline PARLANCE_ABI {

namespace detail {

inline std::string system_message(const std::string& what, const std::string& path) {
  return path + ": " + what + ": " + std::strerror(errno);
}

// A file descriptor that closes itself.
class descriptor {
 public:
  descriptor(const std::string& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (fd_ < 0) throw io_error(system_message("cannot open", path));
  }
  descriptor(const descriptor&) = delete;
  ~descriptor() { close(); }
  int get() const { return fd_; }
  int close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 ? 0 : ::close(fd);
  }
  // Size of a regular file; anything else (folder, pipe, device) is refused.
  std::uint64_t regular_size(const std::string& path) const {
    struct stat s {};
    if (::fstat(fd_, &s) != 0) throw io_error(system_message("cannot stat", path));
    if (!S_ISREG(s.st_mode)) throw io_error(path + ": not a regular file");
    return static_cast<std::uint64_t>(s.st_size);
  }

 private:
  int fd_;
};

}  // namespace detail

// A whole file mapped read-only. The file must not be truncated while it is mapped: replace files
// with write_atomic, which leaves existing maps intact.
class mapped_file {
 public:
  explicit mapped_file(const std::filesystem::path& path) : path_(path.string()) {
    const detail::descriptor file(path_, O_RDONLY | O_NONBLOCK);
    size_ = file.regular_size(path_);
    if (size_ == 0) return;
    data_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (data_ == MAP_FAILED) {
      data_ = nullptr;
      throw io_error(detail::system_message("cannot map", path_));
    }
    ::madvise(data_, size_, MADV_WILLNEED);
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file() {
    if (data_) ::munmap(data_, size_);
  }

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data_), static_cast<std::size_t>(size_)};
  }
  std::string_view text() const { return {static_cast<const char*>(data_), size_}; }

 private:
  std::string path_;
  void* data_ = nullptr;
  std::uint64_t size_ = 0;
};

// Tells the system that the pages wholly inside this part of a file map will not be read again
// soon. Only for maps of files: private memory would be lost.
inline void release_mapped_pages(std::span<const std::byte> part) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(part.data()) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(part.data() + part.size()) / page * page;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

inline constexpr std::uint64_t read_text_limit = std::uint64_t{1} << 30;

// The whole of a regular file of at most `limit` bytes.
inline std::string read_text(const std::filesystem::path& path,
                             std::uint64_t limit = read_text_limit) {
  const std::string name = path.string();
  const detail::descriptor file(name, O_RDONLY | O_NONBLOCK);
  const std::uint64_t size = file.regular_size(name);
  if (size > limit)
    throw io_error(name + ": " + std::to_string(size) + " bytes, more than the limit of " +
                   std::to_string(limit));
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(file.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw io_error(detail::system_message("cannot read", name));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.resize(done);
  return text;
}

// Writes a file piece by piece under a temporary name; commit() makes it appear, complete, under
// its own. Without commit() nothing is left behind.
class atomic_writer {
 public:
  explicit atomic_writer(const std::filesystem::path& path)
      : path_(path.string()),
        temporary_(path_ + ".tmp" + std::to_string(::getpid())),
        file_(temporary_, O_WRONLY | O_CREAT | O_TRUNC, 0644) {}
  ~atomic_writer() {
    if (!committed_) ::unlink(temporary_.c_str());
  }
  void write(const void* data, std::size_t size) {
    const char* p = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t n = ::write(file_.get(), p, size);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw io_error(detail::system_message("cannot write", temporary_));
      p += n;
      size -= static_cast<std::size_t>(n);
    }
  }
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit() {
    if (::fsync(file_.get()) != 0 || file_.close() != 0)
      throw io_error(detail::system_message("cannot write", temporary_));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0)
      throw io_error(detail::system_message("cannot rename to", path_));
    committed_ = true;
  }

 private:
  std::string path_, temporary_;
  detail::descriptor file_;
  bool committed_ = false;
};

inline void write_atomic(const std::filesystem::path& path, std::string_view text) {
  atomic_writer out(path);
  out.write(text);
  out.commit();
}

}  // namespace parlance::inline PARLANCE_ABI
