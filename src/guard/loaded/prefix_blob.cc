// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/prefix_blob.hpp"

#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kAlignment = 64;

/// Little-endian, at the start of the blob; then the ids (int32), then zeros up to a multiple of 64 bytes,
/// then the pages (KvPage).
struct Header {
  char magic[8] = {'Q', '3', 'G', 'P', 'R', 'E', 'F', '\0'};
  std::uint32_t version = kVersion;
  std::uint32_t n_tokens = 0, n_layers = 0, n_kv_heads = 0, head_dim = 0;
  std::uint32_t page_tokens = static_cast<std::uint32_t>(kKvPageTokens);
  std::uint32_t kv_type = 0;  // KvType
};

std::size_t pages_offset(std::size_t n_tokens) {
  const std::size_t end = sizeof(Header) + n_tokens * sizeof(TokenId);
  return (end + kAlignment - 1) / kAlignment * kAlignment;
}

std::size_t n_pages(std::size_t n_tokens) { return (n_tokens + kKvPageTokens - 1) / kKvPageTokens; }

Header header_of(const KvLayout& layout, std::size_t n_tokens) {
  Header header;
  header.n_tokens = static_cast<std::uint32_t>(n_tokens);
  header.n_layers = static_cast<std::uint32_t>(layout.n_layers);
  header.n_kv_heads = static_cast<std::uint32_t>(layout.n_kv_heads);
  header.head_dim = static_cast<std::uint32_t>(layout.head_dim);
  header.kv_type = static_cast<std::uint32_t>(layout.type);
  return header;
}

}  // namespace

std::string prefix_file_name(Role last_role) {
  return last_role == Role::user ? "prefix.prompt.kv" : "prefix.response.kv";
}

std::vector<std::byte> write_prefix(const KeptPrefix& prefix) {
  const KvLayout& layout = prefix.cache.layout();
  const std::size_t n = prefix.ids.size(), begin = pages_offset(n);
  std::vector<std::byte> out(begin + n_pages(n) * layout.page_bytes());
  const Header header = header_of(layout, n);
  std::memcpy(out.data(), &header, sizeof header);
  if (n > 0) std::memcpy(out.data() + sizeof header, prefix.ids.data(), n * sizeof(TokenId));
  std::byte* at = out.data() + begin;
  for (const KvCache::Segment& segment : prefix.cache.segments()) {
    std::memcpy(at, segment.page->bytes(), layout.page_bytes());
    at += layout.page_bytes();
  }
  return out;
}

Result<KeptPrefix> read_prefix(const Blob& blob, const ModelConfig& config, KvType type,
                               const std::string& name) {
  const auto bad = [&](const auto&... what) { return error(ErrorCode::bad_checkpoint, name, ": ", what...); };
  const KvLayout layout(config, type);
  Header header;
  if (blob.bytes.size() < sizeof header) return bad("ends inside its header");
  std::memcpy(&header, blob.bytes.data(), sizeof header);
  const std::size_t n = header.n_tokens;
  Header expected = header_of(layout, n);
  if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0) return bad("is no kept prefix");
  if (header.version != kVersion) {
    return bad("has version ", header.version, ", this library reads ", kVersion);
  }
  if (header.kv_type != expected.kv_type) {
    const bool is_known = header.kv_type < std::size(kKvFormats);
    return bad("has keys and values as ", is_known ? kKvFormats[header.kv_type].name : "an unknown type",
               ", expected ", layout.format().name);
  }
  if (std::memcmp(&header, &expected, sizeof header) != 0)
    return bad("is of a model with other layers or heads, or has pages of another size");
  if (n > static_cast<std::size_t>(config.max_position_embeddings))
    return bad("has ", n, " tokens, more than the model's context");
  const std::size_t begin = pages_offset(n);
  if (blob.bytes.size() != begin + n_pages(n) * layout.page_bytes()) {
    return bad("has ", blob.bytes.size(), " bytes, expected ", begin + n_pages(n) * layout.page_bytes());
  }
  KeptPrefix prefix;
  prefix.ids.resize(n);
  if (n > 0) std::memcpy(prefix.ids.data(), blob.bytes.data() + sizeof header, n * sizeof(TokenId));
  for (const TokenId id : prefix.ids) {
    if (id < 0 || id >= config.vocab_size) return bad("has the token ", id);
  }
  prefix.cache = KvCache(config, n, type);
  prefix.cache.map(blob.bytes.data() + begin, n, blob.owner);
  return prefix;
}

}  // namespace qwen3guard::detail
