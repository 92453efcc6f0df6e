// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_PACKED_STREAM_HPP
#define QWEN3GUARD_SRC_MODEL_PACKED_STREAM_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/packed_info.hpp"
#include "qwen3guard/status.hpp"
#include "util/checksum.hpp"
#include "util/output_file.hpp"

namespace qwen3guard::detail {

/// Writes a packed model file from front to back: first every tensor is announced, then their bytes are
/// appended in the same order. Tensors begin at multiples of 64 bytes; what is needed between them becomes
/// tensors of its own, as safetensors allows no holes. Not thread-safe.
class PackedStream {
 public:
  explicit PackedStream(PackedFileInfo info) : info_(std::move(info)) {}

  /// Announces the next tensor. Names need no escapes in JSON.
  void add(std::string name, std::string dtype, std::vector<std::uint64_t> shape, std::uint64_t n_bytes);
  /// Bytes the file will have. Call after the last add().
  [[nodiscard]] std::uint64_t file_bytes() const { return n_header_bytes() + n_data_bytes_; }

  /// Makes the file. Call once, after the last add(). Errors: those of OutputFile.
  [[nodiscard]] Status open(const std::string& path, bool overwrite);
  /// The next bytes of the tensors; never more than were announced. Errors: those of OutputFile.
  [[nodiscard]] Status append(std::span<const std::byte> bytes);
  /// Writes the checksums and gives the file its name. Precondition: all bytes are there. Errors: those of
  /// OutputFile.
  [[nodiscard]] Status finish();
  /// The same, but leaves the file under its temporary name until the object that it returns goes
  /// (OutputFile::keep_partial).
  [[nodiscard]] Result<OutputFile> finish_temporary();

  [[nodiscard]] std::uint64_t n_written() const noexcept { return n_written_; }

 private:
  struct Entry {
    std::string name, dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t n_bytes = 0;
    std::string checksum;
    bool is_padding = false;
  };
  void add_entry(Entry entry);
  [[nodiscard]] std::uint64_t n_header_bytes() const;
  /// The length field and the JSON, padded.
  [[nodiscard]] std::string header() const;
  [[nodiscard]] std::string json(const std::string& checksum) const;
  [[nodiscard]] Status end_tensor();
  [[nodiscard]] Status write_header();

  PackedFileInfo info_;
  std::vector<Entry> entries_;
  std::uint64_t n_data_bytes_ = 0, n_written_ = 0;
  std::size_t current_ = 0;         ///< the entry that the next byte belongs to
  std::uint64_t n_of_current_ = 0;  ///< its bytes so far
  RunningChecksum sum_;
  std::optional<OutputFile> out_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_PACKED_STREAM_HPP
