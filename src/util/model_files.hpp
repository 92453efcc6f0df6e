// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_MODEL_FILES_HPP
#define QWEN3GUARD_SRC_UTIL_MODEL_FILES_HPP

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// Read-only bytes and whatever keeps them alive (a mapping; nothing for embedded data).
struct Blob {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

/// The files of one checkpoint, wherever they are. Names are relative and have no folder part.
class ModelFiles {
 public:
  virtual ~ModelFiles() = default;
  /// True when a file of this name exists.
  [[nodiscard]] virtual bool contains(std::string_view name) const = 0;
  /// The whole file, read-only; mapped, not read. Errors: file_not_found; io_error; invalid_argument (name
  /// with a folder part, so that a hostile index file cannot point outside).
  [[nodiscard]] virtual Result<Blob> open(std::string_view name) const = 0;
  /// The names of the regular files that end so (ASCII), sorted. What cannot be listed has none.
  [[nodiscard]] virtual std::vector<std::string> names_ending_in(std::string_view ending) const = 0;
  /// How errors name the place they are in: the folder's path, "embedded:nano-gen".
  [[nodiscard]] virtual std::string name() const = 0;
  /// How errors name the file, as printable() does: its path, or "embedded:nano-gen/config.json".
  [[nodiscard]] virtual std::string display_name(std::string_view name) const = 0;
  /// The path of the file of this name, whether it exists or not; empty when it is no file of its own.
  [[nodiscard]] virtual std::string path(std::string_view /*name*/) const { return {}; }
};

/// A folder on disk. The folder need not exist; then open() says so.
class DirectoryFiles final : public ModelFiles {
 public:
  explicit DirectoryFiles(std::string directory) : directory_(std::move(directory)) {}
  [[nodiscard]] bool contains(std::string_view name) const override;
  [[nodiscard]] Result<Blob> open(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> names_ending_in(std::string_view ending) const override;
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::string display_name(std::string_view name) const override;
  [[nodiscard]] std::string path(std::string_view name) const override;

 private:
  std::string directory_;
};

/// Bytes in memory, kept alive by `owner`; without one they must outlive what is opened (embedded models).
class MemoryFiles final : public ModelFiles {
 public:
  struct Entry {
    std::string name;
    std::span<const std::byte> bytes;
  };
  MemoryFiles(std::string label, std::vector<Entry> entries, std::shared_ptr<const void> owner = nullptr)
      : label_(std::move(label)), entries_(std::move(entries)), owner_(std::move(owner)) {}
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool contains(std::string_view name) const override;
  [[nodiscard]] Result<Blob> open(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> names_ending_in(std::string_view ending) const override;
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::string display_name(std::string_view name) const override;

 private:
  std::string label_;
  std::vector<Entry> entries_;
  std::shared_ptr<const void> owner_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_MODEL_FILES_HPP
