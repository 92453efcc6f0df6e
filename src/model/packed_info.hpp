// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_PACKED_INFO_HPP
#define QWEN3GUARD_SRC_MODEL_PACKED_INFO_HPP

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/packed_weights.hpp"
#include "qwen3guard/status.hpp"

/// What the header of a packed model file says about it: docs/packed_format.md.
namespace qwen3guard::detail {

inline constexpr std::string_view kPackedVersionKey = "qwen3guard_packed";
inline constexpr std::string_view kPackedVersion = "1";
inline constexpr std::string_view kPackedHeaderKey = "xxh3_header";
/// Of all matrices, or with `:` and its name behind it of one that is packed otherwise.
inline constexpr std::string_view kPackedWeightsKey = "type";
inline constexpr std::string_view kPackedGroupKey = "group";
/// Before a tensor's name: the metadata key of its checksum.
inline constexpr std::string_view kPackedChecksumPrefix = "xxh3:";
/// Before the name of one of the checkpoint's other files: the tensor that holds it.
inline constexpr std::string_view kPackedFilePrefix = "file:";
/// After the published name of a matrix: its packed data, and their scales.
inline constexpr std::string_view kPackedSuffix = ".packed";
inline constexpr std::string_view kScalesSuffix = ".scales";

/// How a matrix is packed.
struct PackedInfo {
  PackedWeights type = PackedWeights::bf16;
  std::size_t group = 0;

  friend bool operator==(const PackedInfo&, const PackedInfo&) = default;
};

/// How the matrices of a packed file are stored.
struct PackedFileInfo {
  PackedInfo matrices;                       ///< all that `others` does not name
  std::map<std::string, PackedInfo> others;  ///< by their published names

  [[nodiscard]] const PackedInfo& of(const std::string& tensor) const noexcept {
    const auto at = others.find(tensor);
    return at == others.end() ? matrices : at->second;
  }
};

/// "int8 (group 64)", "int8 (per row)", "bf16 (packed)".
[[nodiscard]] std::string to_text(const PackedInfo& info);
/// "int8 (group 64), embeddings int8 (per row)". embeddings: the same of a packed table, or a dtype's name.
[[nodiscard]] std::string to_text(const PackedInfo& matrices, std::string_view embeddings);

/// What a safetensors file's metadata says; empty when the file is no packed one. Checks the header's
/// checksum. Errors: unsupported_model (another version; an unknown type or group, of the file or of one of
/// its tensors); bad_checkpoint (checksum). `file` is how errors name it, `header` its JSON text.
[[nodiscard]] Result<std::optional<PackedFileInfo>> read_packed_info(
    const std::string& file, const std::map<std::string, std::string>& metadata, std::string_view header);

/// The checksum of a packed file's header: of its JSON text with zeros in the place of the sum itself.
/// Empty when the sum has no place in it.
[[nodiscard]] std::optional<std::string> packed_header_checksum(std::string_view header);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_PACKED_INFO_HPP
