// SPDX-License-Identifier: Apache-2.0
#include "embedded/embedded_models.hpp"

#include <cstddef>
#include <utility>

#include "embedded/embedded_file.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

struct EmbeddedModel {
  const char* name;
  EmbeddedFileAt file_at;  ///< a model without files is not there
};

}  // namespace
}  // namespace qwen3guard::detail

// Written by src/embedded/CMakeLists.txt, or for the drop-in by scripts/amalgamate.py: kEmbeddedModels, ended
// by a null entry.
#include "embedded_files.inc"

namespace qwen3guard::detail {

Result<std::unique_ptr<const Checkpoint>> open_embedded(std::string_view name) {
  std::vector<MemoryFiles::Entry> entries;
  for (const EmbeddedModel* model = kEmbeddedModels; model->name != nullptr; ++model) {
    if (name != model->name) continue;
    for (EmbeddedFile file = model->file_at(0); file.name != nullptr; file = model->file_at(entries.size()))
      entries.push_back({file.name, file.bytes});
  }
  if (!entries.empty())
    return open_checkpoint(MemoryFiles("embedded:" + std::string(name), std::move(entries)));
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
  for (const EmbeddedModel* model = kEmbeddedModels; model->name != nullptr; ++model) {
    if (model->file_at(0).name == nullptr) continue;
    if (index-- == 0) return model->name;
  }
  return nullptr;
}

}  // namespace qwen3guard::detail
