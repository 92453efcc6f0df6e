// SPDX-License-Identifier: Apache-2.0
#include "model/packed_stream.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "model/checkpoint/checkpoint.hpp"
#include "tensor/weight_types.hpp"
#include "util/concat.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::uint64_t kAlignmentBytes = 64;
constexpr std::size_t kLengthBytes = 8;
/// In the place of a sum that is not known yet; of the same length, so that the header keeps its size.
constexpr std::string_view kNoSum = "0000000000000000";

std::string member(std::string_view key, std::string_view value) {
  std::string text(1, '"');
  return text.append(key).append("\":\"").append(value).append("\"");
}

}  // namespace

void PackedStream::add_entry(Entry entry) {
  n_data_bytes_ += entry.n_bytes;
  entry.checksum = kNoSum;
  entries_.push_back(std::move(entry));
}

void PackedStream::add(std::string name, std::string dtype, std::vector<std::uint64_t> shape,
                       std::uint64_t n_bytes) {
  add_entry({.name = std::move(name),
             .dtype = std::move(dtype),
             .shape = std::move(shape),
             .n_bytes = n_bytes,
             .checksum = {}});
  if (const std::uint64_t beyond = n_data_bytes_ % kAlignmentBytes; beyond != 0) {
    const std::uint64_t n = kAlignmentBytes - beyond;
    add_entry({.name = concat("padding:", entries_.size()),
               .dtype = "U8",
               .shape = {n},
               .n_bytes = n,
               .checksum = {},
               .is_padding = true});
  }
}

std::string PackedStream::json(const std::string& checksum) const {
  std::string text = "{\"__metadata__\":{" + member(kPackedVersionKey, kPackedVersion) + "," +
                     member(kPackedHeaderKey, checksum);
  const auto add_form = [&text](const PackedInfo& info, const std::string& behind) {
    text += "," + member(std::string(kPackedWeightsKey) + behind, weight_type(info.type).name) + "," +
            member(std::string(kPackedGroupKey) + behind, concat(info.group));
  };
  add_form(info_.matrices, "");
  for (const auto& [tensor, info] : info_.others) add_form(info, ":" + tensor);
  for (const Entry& entry : entries_)
    text += "," + member(std::string(kPackedChecksumPrefix) + entry.name, entry.checksum);
  text += "}";
  std::uint64_t offset = 0;
  for (const Entry& entry : entries_) {
    text.append(",\"").append(entry.name).append("\":{");
    text += concat(member("dtype", entry.dtype), ",\"shape\":", shape_text(entry.shape),
                   ",\"data_offsets\":[", offset, ",", offset + entry.n_bytes, "]}");
    offset += entry.n_bytes;
  }
  text += "}";
  const std::size_t n = text.size() + kLengthBytes;
  text.append((kAlignmentBytes - n % kAlignmentBytes) % kAlignmentBytes, ' ');
  return text;
}

std::uint64_t PackedStream::n_header_bytes() const { return kLengthBytes + json(std::string(kNoSum)).size(); }

std::string PackedStream::header() const {
  // The sum covers the text with zeros in its own place.
  const std::string text =
      json(packed_header_checksum(json(std::string(kNoSum))).value_or(std::string(kNoSum)));
  std::string out(kLengthBytes, '\0');
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    out[i] = static_cast<char>(static_cast<unsigned char>(text.size() >> (8 * i)));
  return out + text;
}

Status PackedStream::open(const std::string& path, bool overwrite) {
  Q3G_ASSIGN(OutputFile out, OutputFile::create(path, overwrite));
  out_ = std::move(out);
  const std::string text = header();
  Q3G_TRY(out_->write(std::as_bytes(std::span(text))));
  n_written_ = text.size();
  return end_tensor();  // should the first tensors be empty
}

Status PackedStream::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (current_ == entries_.size())
      return Error{ErrorCode::internal, "packed file: more bytes than announced"};
    const std::uint64_t room = entries_[current_].n_bytes - n_of_current_;
    const auto part = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size())));
    Q3G_TRY(out_->write(part));
    sum_.add(part);
    n_of_current_ += part.size();
    n_written_ += part.size();
    bytes = bytes.subspan(part.size());
    Q3G_TRY(end_tensor());
  }
  return {};
}

Status PackedStream::end_tensor() {
  while (current_ < entries_.size() && n_of_current_ == entries_[current_].n_bytes) {
    entries_[current_].checksum = checksum_text(sum_.value());
    sum_ = RunningChecksum();
    n_of_current_ = 0;
    if (++current_ == entries_.size() || !entries_[current_].is_padding) continue;
    static constexpr std::array<std::byte, kAlignmentBytes> kZeros{};
    const auto padding = std::span(kZeros).first(static_cast<std::size_t>(entries_[current_].n_bytes));
    Q3G_TRY(out_->write(padding));
    sum_.add(padding);
    n_written_ += padding.size();
    n_of_current_ = padding.size();
  }
  return {};
}

Status PackedStream::write_header() {
  if (current_ != entries_.size())
    return Error{ErrorCode::internal, "packed file: fewer bytes than announced"};
  const std::string text = header();
  return out_->rewrite_start(std::as_bytes(std::span(text)));
}

Status PackedStream::finish() {
  Q3G_TRY(write_header());
  return out_->commit();
}

Result<OutputFile> PackedStream::finish_temporary() {
  Q3G_TRY(write_header());
  Q3G_TRY(out_->keep_partial());
  return *std::exchange(out_, std::nullopt);
}

}  // namespace qwen3guard::detail
