// SPDX-License-Identifier: Apache-2.0
#include "server/judging/models.hpp"

namespace qwen3guard::server {

ServedModel* Models::find(std::string_view name) const noexcept {
  for (const auto& model : models_) {
    if (model->name == name) return model.get();
  }
  return nullptr;
}

ServedModel& Models::first(ModelKind kind) const noexcept {
  for (const auto& model : models_) {
    if (model->guard.kind() == kind) return *model;
  }
  return *models_.front();
}

}  // namespace qwen3guard::server
