// SPDX-License-Identifier: Apache-2.0
#include "util/concat.hpp"

namespace qwen3guard::detail {

std::string concat_texts(std::initializer_list<std::string_view> texts) {
  std::size_t n_bytes = 0;
  for (const std::string_view text : texts) n_bytes += text.size();
  std::string out;
  out.reserve(n_bytes);
  for (const std::string_view text : texts) out += text;
  return out;
}

}  // namespace qwen3guard::detail
