// SPDX-License-Identifier: Apache-2.0
#include "embedded/embedded_models.hpp"

#include <cstddef>
#include <utility>

#include "embedded/embedded_file.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

// Written by src/embedded/CMakeLists.txt, or for the drop-in by scripts/amalgamate.py: embedded_file(index),
// those of a model one behind the other; none behind the last.
#include "embedded_files.inc"

namespace qwen3guard::detail {

Result<std::unique_ptr<const Checkpoint>> open_embedded(std::string_view name) {
  std::vector<MemoryFiles::Entry> files;
  std::string packed;
  EmbeddedFile file;
  for (std::size_t i = 0; (file = embedded_file(i)).model != nullptr; ++i) {
    if (name != file.model) continue;
    files.push_back({file.name, file.bytes});
    if (files.back().name.ends_with(".q3g")) packed = file.name;
  }
  if (!files.empty()) {
    MemoryFiles memory("embedded:" + std::string(name), std::move(files));
    return packed.empty() ? open_checkpoint(std::move(memory)) : open_packed_among(std::move(memory), packed);
  }
  std::string known;
  for (const std::string& n : embedded_model_names()) known += (known.empty() ? "" : ", ") + n;
  return error(ErrorCode::file_not_found, "no embedded model ", quote(name), "; there is ",
               known.empty() ? "none in this build" : known);
}

std::vector<std::string> embedded_model_names() {
  std::vector<std::string> out;
  while (const char* name = embedded_model_name(out.size())) out.emplace_back(name);
  return out;
}

const char* embedded_model_name(std::size_t index) noexcept {
  std::string_view previous;
  EmbeddedFile file;
  for (std::size_t i = 0; (file = embedded_file(i)).model != nullptr; ++i) {
    if (previous == file.model) continue;
    previous = file.model;
    if (index-- == 0) return file.model;
  }
  return nullptr;
}

}  // namespace qwen3guard::detail
