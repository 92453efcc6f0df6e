// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "tokenizer/load_tokenizer.hpp"
#include "util/error.hpp"
#include "util/mapped_file.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::string_view kTokenizerJson = "tokenizer.json", kVocabularyJson = "vocab.json",
                           kTokenizerConfig = "tokenizer_config.json";

}  // namespace

bool has_tokenizer_files(const ModelFiles& files) {
  if (files.contains(kTokenizerJson) || files.contains(kVocabularyJson)) return true;
  const std::vector<std::string> ranks = files.names_ending_in(kRankFileEnding);
  return std::any_of(ranks.begin(), ranks.end(), [&](const std::string& name) {
    return files.contains(name + ".json") || files.contains(kTokenizerConfig);
  });
}

Result<TokenizerParts> load_tokenizer_files(const ModelFiles& files) {
  if (!files.contains(kTokenizerJson)) {
    if (files.contains(kVocabularyJson)) return load_vocab_and_merges(files);
    const std::vector<std::string> rank_files = files.names_ending_in(kRankFileEnding);
    if (rank_files.size() > 1) {
      return error(ErrorCode::bad_tokenizer, files.display_name(rank_files[0]), " and ",
                   printable(rank_files[1]), ": two rank files; one is expected");
    }
    if (!rank_files.empty()) return load_rank_file(files, rank_files.front());
  }
  Q3G_ASSIGN(const Blob blob, files.open(kTokenizerJson));
  return parse_tokenizer_json(blob.text(), files.display_name(kTokenizerJson));
}

Result<TokenizerParts> load_tokenizer_path(const std::string& path) {
  if (is_directory(path)) return load_tokenizer_files(DirectoryFiles(path));
  if (path.ends_with(kRankFileEnding)) {
#ifdef _WIN32
    const std::size_t slash = path.find_last_of("/\\");
#else
    const std::size_t slash = path.find_last_of('/');
#endif
    if (slash == std::string::npos) return load_rank_file(DirectoryFiles("."), path);
    return load_rank_file(DirectoryFiles(path.substr(0, slash + 1)), path.substr(slash + 1));
  }
  Q3G_ASSIGN(const Blob blob, map_file(path));
  return parse_tokenizer_json(blob.text(), printable(path));
}

}  // namespace qwen3guard::detail
