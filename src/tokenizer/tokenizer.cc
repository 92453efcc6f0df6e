// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/tokenizer.hpp"

#include <limits>
#include <span>

#include "qwen3guard/quote.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "tokenizer/snapshot.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "tokenizer/write_tiktoken.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/model_files.hpp"
#include "util/output_file.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard {
namespace {

Error out_of_range(const detail::TokenizerImpl& impl, std::size_t index, TokenId id) {
  const TokenId size = impl.vocabulary().size();
  const bool inside = id >= 0 && id < size;
  if (inside) {
    return detail::error(ErrorCode::token_out_of_range, "ids[", index, "] is ", id,
                         ", an id that the vocabulary leaves out");
  }
  return detail::error(ErrorCode::token_out_of_range, "ids[", index, "] is ", id, ", not in [0, ", size, ")");
}

/// Moves what is decided of `pending` to `out`: whole characters, and U+FFFD for ill-formed bytes. What more
/// bytes could complete stays.
void take_decided(std::string& pending, std::string& out) {
  std::size_t pos = 0;
  while (pos < pending.size()) {
    const detail::Utf8Step step = detail::utf8_step(pending, pos);
    if (step.truncated) break;
    if (step.complete) {
      out.append(pending, pos, step.n_bytes);
    } else {
      out.append(detail::kReplacement);
    }
    pos += step.n_bytes;
  }
  pending.erase(0, pos);
}

}  // namespace

bool detail::has_tokenizer(const ModelFiles& files) {
  return files.contains(kSnapshotFile) || has_tokenizer_files(files);
}

Result<Tokenizer> detail::load_tokenizer(const ModelFiles& files) {
  if (files.contains(kSnapshotFile)) {
    Q3G_ASSIGN(const Blob blob, files.open(kSnapshotFile));
    auto read = read_snapshot(blob.bytes, blob.owner, files.display_name(kSnapshotFile));
    // One of another version is passed over when the files that it was made from are there too.
    const bool is_other_version = !read.ok() && read.error().code == ErrorCode::unsupported_model;
    if (!is_other_version || !has_tokenizer_files(files)) return read;
  }
  return guarded("load the tokenizer", [&]() -> Result<Tokenizer> {
    Q3G_ASSIGN(TokenizerParts parts, load_tokenizer_files(files));
    return TokenizerAccess::make(std::move(parts));
  });
}

Result<Tokenizer> Tokenizer::load(std::string_view path) {
  return detail::guarded("load the tokenizer", [&]() -> Result<Tokenizer> {
    const std::string name(path);
    Q3G_ASSIGN(detail::TokenizerParts parts, detail::load_tokenizer_path(name));
    return Tokenizer(std::make_shared<const detail::TokenizerImpl>(std::move(parts)));
  });
}

Status Tokenizer::export_tiktoken(std::string_view file, bool overwrite) const {
  return detail::guarded("export the tokenizer", [&]() -> Status {
    const std::string path(file);
    if (!path.ends_with(detail::kRankFileEnding)) {
      return detail::error(ErrorCode::invalid_argument, printable(path), ": a name that ends in ",
                           quote(detail::kRankFileEnding), " is expected");
    }
    Q3G_ASSIGN(const detail::TiktokenTexts texts, detail::to_tiktoken(*impl_));
    Q3G_ASSIGN(auto ranks, detail::OutputFile::create(path, overwrite));
    Q3G_ASSIGN(auto settings, detail::OutputFile::create(path + ".json", overwrite));
    Q3G_TRY(ranks.write(std::as_bytes(std::span(texts.ranks))));
    Q3G_TRY(settings.write(std::as_bytes(std::span(texts.settings))));
    // At no time are old ranks beside new settings, or new ones beside old: they might load.
    Q3G_TRY(ranks.remove_replaced());
    Q3G_TRY(settings.commit());
    return ranks.commit();
  });
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text, SpecialTokens mode) const {
  std::vector<TokenId> ids;
  Q3G_TRY(encode_to(text, mode, ids));
  return ids;
}

Status Tokenizer::encode_to(std::string_view text, SpecialTokens mode, std::vector<TokenId>& out) const {
  return detail::guarded("encode the text", [&]() -> Status {
    return detail::encode_within(*impl_, text, mode, std::numeric_limits<std::size_t>::max(), out);
  });
}

Result<std::string> Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  return detail::guarded("decode the ids", [&]() -> Result<std::string> {
    std::string bytes;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!impl_->append_bytes(ids[i], skip_special, bytes)) return out_of_range(*impl_, i, ids[i]);
    }
    if (!detail::find_invalid_utf8(bytes)) return bytes;
    return detail::replace_invalid_utf8(bytes);
  });
}

std::optional<std::string_view> Tokenizer::token_bytes(TokenId id) const noexcept {
  const std::string_view bytes = impl_->vocabulary().bytes(id);
  if (bytes.empty()) return std::nullopt;
  return bytes;
}

std::optional<TokenId> Tokenizer::find_bytes(std::string_view bytes) const noexcept {
  const TokenId id = impl_->vocabulary().find(bytes);
  return id < 0 ? std::nullopt : std::optional<TokenId>(id);
}

std::optional<TokenId> Tokenizer::find_added(std::string_view text) const noexcept {
  const TokenId id = impl_->find_added(text);
  return id < 0 ? std::nullopt : std::optional<TokenId>(id);
}

bool Tokenizer::is_special(TokenId id) const noexcept { return impl_->is_special(id); }

TokenId Tokenizer::vocab_size() const noexcept { return impl_->vocabulary().size(); }

Result<std::string> StreamingDecoder::push(TokenId id) {
  return detail::guarded("decode a token", [&]() -> Result<std::string> {
    std::string pending = pending_, out;
    if (!tokenizer_.impl_->append_bytes(id, skip_special_, pending))
      return out_of_range(*tokenizer_.impl_, 0, id);
    take_decided(pending, out);
    pending_.swap(pending);
    return out;
  });
}

std::string StreamingDecoder::finish() {
  const bool unfinished = !pending_.empty();
  pending_.clear();
  return std::string(unfinished ? detail::kReplacement : std::string_view());
}

}  // namespace qwen3guard
