// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/safetensors.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "model/checkpoint/checkpoint.hpp"
#include "qwen3guard/quote.hpp"
#include "util/checked.hpp"
#include "util/error.hpp"
#include "util/foreign_format.hpp"
#include "util/json.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::uint64_t kHeaderLengthBytes = 8;
/// The reference reader's limit.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxDimensions = 16;

/// Bits of one element; empty for a dtype this list does not know (only its extent can be checked then).
std::optional<std::uint64_t> dtype_bits(std::string_view dtype) noexcept {
  static constexpr std::pair<std::string_view, std::uint64_t> kBits[] = {
      {"BOOL", 8}, {"U8", 8},   {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"U16", 16}, {"I16", 16}, {"F16", 16}, {"BF16", 16},   {"U32", 32},    {"I32", 32},
      {"F32", 32}, {"U64", 64}, {"I64", 64}, {"F64", 64},    {"C64", 64},    {"F4", 4}};
  for (const auto& [name, bits] : kBits) {
    if (dtype == name) return bits;
  }
  return std::nullopt;
}

struct Extent {
  std::uint64_t begin = 0, end = 0;
  std::string name;
};

template <class... Parts>
Error bad_file(const std::string& file, const Parts&... what) {
  return error(ErrorCode::bad_checkpoint, file, ": ", what...);
}

template <class... Parts>
Error bad_tensor(const std::string& file, const std::string& tensor, const Parts&... what) {
  return bad_file(file, "tensor ", quote(tensor), ": ", what...);
}

Result<std::vector<std::uint64_t>> read_numbers(const JsonFile& json, const std::string& tensor,
                                                const char* key, simdjson::dom::object entry) {
  simdjson::dom::array array;
  if (entry[key].get(array) != simdjson::SUCCESS)
    return bad_tensor(json.name(), tensor, "has no list ", quote(key));
  std::vector<std::uint64_t> sizes;
  for (const simdjson::dom::element value : array) {
    std::uint64_t size = 0;
    if (value.get(size) != simdjson::SUCCESS) {
      return bad_tensor(json.name(), tensor, quote(key), " holds something that is no non-negative integer");
    }
    sizes.push_back(size);
    if (sizes.size() > kMaxDimensions)
      return bad_tensor(json.name(), tensor, quote(key), " has more than 16 entries");
  }
  return sizes;
}

/// shape times dtype, in bytes. Empty when the dtype is unknown.
Result<std::optional<std::uint64_t>> expected_bytes(const std::string& file, const std::string& name,
                                                    const StoredTensor& tensor) {
  const auto bits = dtype_bits(tensor.dtype);
  std::optional<std::uint64_t> total = bits.value_or(8);
  for (const std::uint64_t size : tensor.shape) total = total ? checked_mul(*total, size) : total;
  if (!total) return bad_tensor(file, name, "shape ", shape_text(tensor.shape), " is too large");
  if (!bits) return std::optional<std::uint64_t>();
  return std::optional<std::uint64_t>(*total / 8);
}

/// Reads one header entry; its bytes are a part of `data`.
Result<StoredTensor> read_entry(const JsonFile& json, const std::string& name, simdjson::dom::element value,
                                std::span<const std::byte> data, Extent& extent) {
  simdjson::dom::object entry;
  if (value.get(entry) != simdjson::SUCCESS)
    return bad_tensor(json.name(), name, "its header entry is no object");
  StoredTensor tensor;
  std::string_view dtype;
  if (entry["dtype"].get(dtype) != simdjson::SUCCESS)
    return bad_tensor(json.name(), name, "has no string \"dtype\"");
  tensor.dtype = dtype;
  Q3G_ASSIGN(tensor.shape, read_numbers(json, name, "shape", entry));
  Q3G_ASSIGN(const auto offsets, read_numbers(json, name, "data_offsets", entry));
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    return bad_tensor(json.name(), name, "\"data_offsets\" is ", shape_text(offsets),
                      ", expected [begin, end]");
  if (offsets[1] > data.size()) {
    return bad_tensor(json.name(), name, "data_offsets ", shape_text(offsets),
                      " end outside the file, which has ", data.size(), " bytes of data (truncated?)");
  }
  Q3G_ASSIGN(const auto n_bytes, expected_bytes(json.name(), name, tensor));
  if (n_bytes && *n_bytes != offsets[1] - offsets[0]) {
    return bad_tensor(json.name(), name, "has ", offsets[1] - offsets[0], " bytes of data, but shape ",
                      shape_text(tensor.shape), " of ", tensor.dtype, " needs ", *n_bytes);
  }
  extent = {offsets[0], offsets[1], name};
  tensor.bytes =
      data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(offsets[1] - offsets[0]));
  return tensor;
}

/// The reference reader takes strings only, and null for none, too.
Status read_metadata(const JsonFile& json, simdjson::dom::element value,
                     std::map<std::string, std::string>& metadata) {
  simdjson::dom::object entries;
  if (value.is_null()) return {};
  if (value.get(entries) != simdjson::SUCCESS)
    return json.error("\"__metadata__\" is neither an object nor null");
  for (const auto& [key, entry] : entries) {
    std::string_view text;
    if (entry.get(text) != simdjson::SUCCESS)
      return json.error("\"__metadata__\": ", quote(key), " is no string");
    if (!metadata.emplace(key, text).second)
      return json.error("\"__metadata__\": ", quote(key), " is there twice");
  }
  return {};
}

/// What is wrong with a file that does not begin as the format does.
template <class... Parts>
Error no_safetensors(const std::string& file, std::span<const std::byte> bytes, const Parts&... what) {
  const std::string_view format = foreign_format(bytes);
  return format.empty() ? bad_file(file, "not a safetensors file: ", what...) : bad_file(file, "is ", format);
}

/// The format wants the tensors to cover the data exactly.
Status check_cover(const std::string& file, std::vector<Extent>& extents, std::uint64_t data_bytes) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t end = 0;
  const std::string* previous = nullptr;
  for (const Extent& extent : extents) {
    if (extent.begin < end)
      return bad_tensor(file, extent.name, "overlaps tensor ", quote(previous ? *previous : ""));
    if (extent.begin > end) {
      return bad_tensor(file, extent.name, "begins at ", extent.begin, ", which leaves a hole after offset ",
                        end);
    }
    end = extent.end;
    previous = &extent.name;
  }
  if (end != data_bytes) {
    return bad_file(file, data_bytes - end, " bytes follow the last tensor",
                    previous ? " " + quote(*previous) : std::string(), "; a sound file has none");
  }
  return {};
}

}  // namespace

Result<SafetensorsFile> SafetensorsFile::open(const ModelFiles& files, std::string_view name) {
  Q3G_ASSIGN(Blob blob, files.open(name));
  return open(std::move(blob), files.display_name(name), files.path(name));
}

Result<SafetensorsFile> SafetensorsFile::open(Blob blob, std::string display_name, std::string path) {
  SafetensorsFile file;
  file.blob_ = std::move(blob);
  file.display_name_ = std::move(display_name);
  file.path_ = std::move(path);
  const std::string& shown = file.display_name_;
  const auto bytes = file.blob_.bytes;
  if (bytes.size() < kHeaderLengthBytes) {
    return no_safetensors(shown, bytes, "it has ", bytes.size(),
                          " bytes, and the length of its header alone takes 8");
  }
  std::uint64_t header_bytes = 0;
  for (std::size_t i = 0; i < kHeaderLengthBytes; ++i)
    header_bytes |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  if (header_bytes > kMaxHeaderBytes) {
    return no_safetensors(shown, bytes, "a header of ", header_bytes,
                          " bytes (at most 100000000 are allowed)");
  }
  if (header_bytes > bytes.size() - kHeaderLengthBytes) {
    return bad_file(shown, "truncated: the header should have ", header_bytes, " bytes, the file has ",
                    bytes.size());
  }
  const std::string_view header =
      file.blob_.text().substr(kHeaderLengthBytes, static_cast<std::size_t>(header_bytes));
  file.header_ = header;
  if (header.empty() || header.front() != '{')
    return no_safetensors(shown, bytes, "the header is no JSON object");
  Q3G_ASSIGN(const JsonFile json, JsonFile::parse(header, shown, ErrorCode::bad_checkpoint));
  simdjson::dom::object root;
  if (json.root().get(root) != simdjson::SUCCESS) return bad_file(shown, "the header is no JSON object");

  const auto data = bytes.subspan(static_cast<std::size_t>(kHeaderLengthBytes + header_bytes));
  std::vector<Extent> extents;
  for (const auto& [key, value] : root) {
    std::string tensor_name(key);
    if (tensor_name == "__metadata__") {
      Q3G_TRY(read_metadata(json, value, file.metadata_));
      continue;
    }
    Extent extent;
    Q3G_ASSIGN(StoredTensor tensor, read_entry(json, tensor_name, value, data, extent));
    if (!file.tensors_.emplace(tensor_name, std::move(tensor)).second)
      return bad_tensor(shown, tensor_name, "is there twice");
    extents.push_back(std::move(extent));
  }
  Q3G_TRY(check_cover(shown, extents, data.size()));
  Q3G_ASSIGN(file.packed_info_, read_packed_info(shown, file.metadata_, header));
  return file;
}

const StoredTensor* SafetensorsFile::find(const std::string& tensor) const noexcept {
  const auto found = tensors_.find(tensor);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace qwen3guard::detail
