// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_FILES_OVER_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_FILES_OVER_HPP

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// The files `upper`, and of `lower` those that the upper ones lack: one set of files with some that differ.
/// Immutable: any thread.
class FilesOver final : public ModelFiles {
 public:
  FilesOver(std::unique_ptr<const ModelFiles> upper, std::unique_ptr<const ModelFiles> lower) noexcept
      : upper_(std::move(upper)), lower_(std::move(lower)) {}
  [[nodiscard]] bool contains(std::string_view name) const override { return holder(name).contains(name); }
  [[nodiscard]] Result<Blob> open(std::string_view name) const override { return holder(name).open(name); }
  [[nodiscard]] std::vector<std::string> names_ending_in(std::string_view ending) const override {
    std::vector<std::string> out = upper_->names_ending_in(ending);
    for (std::string& name : lower_->names_ending_in(ending)) {
      if (!upper_->contains(name)) out.push_back(std::move(name));
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  [[nodiscard]] std::string name() const override { return upper_->name(); }
  [[nodiscard]] std::string display_name(std::string_view name) const override {
    return holder(name).display_name(name);
  }
  [[nodiscard]] std::string path(std::string_view name) const override { return holder(name).path(name); }

 private:
  [[nodiscard]] const ModelFiles& holder(std::string_view name) const {
    return upper_->contains(name) ? *upper_ : *lower_;
  }
  std::unique_ptr<const ModelFiles> upper_, lower_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_FILES_OVER_HPP
