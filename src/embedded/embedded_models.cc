// SPDX-License-Identifier: Apache-2.0
#include "embedded/embedded_models.hpp"

#include <cstddef>
#include <span>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

/// One embedded file. `begin` and `end` are symbols of the assembly file that CMake writes.
struct EmbeddedFile {
  const char* model;
  const char* name;
  const std::byte* begin;
  const std::byte* end;
};

}  // namespace
}  // namespace qwen3guard::detail

// Written by src/embedded/CMakeLists.txt: declares the symbols and fills kEmbeddedFiles, ended by a null
// entry.
#include "embedded_files.inc"

namespace qwen3guard::detail {

std::unique_ptr<ModelFiles> find_embedded_model(std::string_view name) {
  std::vector<MemoryFiles::Entry> entries;
  for (const EmbeddedFile* file = kEmbeddedFiles; file->model != nullptr; ++file) {
    if (name == file->model)
      entries.push_back({file->name, std::span<const std::byte>(file->begin, file->end)});
  }
  if (entries.empty()) return nullptr;
  return std::make_unique<MemoryFiles>("embedded:" + std::string(name), std::move(entries));
}

Result<std::unique_ptr<ModelFiles>> need_embedded_model(std::string_view name) {
  if (auto files = find_embedded_model(name)) return files;
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
  // A model's files follow each other.
  std::string_view last;
  for (const EmbeddedFile* file = kEmbeddedFiles; file->model != nullptr; ++file) {
    if (last == file->model) continue;
    if (index-- == 0) return file->model;
    last = file->model;
  }
  return nullptr;
}

}  // namespace qwen3guard::detail
