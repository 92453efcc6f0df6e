// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_JUDGING_MODELS_HPP
#define QWEN3GUARD_SRC_SERVER_JUDGING_MODELS_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/guard.hpp"
#include "server/judging/classifier.hpp"
#include "server/judging/stream_pool.hpp"

namespace qwen3guard::server {

/// A model with the threads that judge by it.
struct ServedModel {
  std::string name;
  std::string digest;  ///< of its files, in hexadecimal digits; for the audit log
  Guard guard;
  std::unique_ptr<Classifier> classifier;
  std::unique_ptr<StreamPool> streams;
};

/// Those that were loaded; fixed while the server runs.
class Models {
 public:
  explicit Models(std::vector<std::unique_ptr<ServedModel>> models) : models_(std::move(models)) {}

  [[nodiscard]] const std::vector<std::unique_ptr<ServedModel>>& all() const noexcept { return models_; }
  /// By its name; null when there is none.
  [[nodiscard]] ServedModel* find(std::string_view name) const noexcept;
  /// The first one of this kind, else the first. There is always one.
  [[nodiscard]] ServedModel& first(ModelKind kind) const noexcept;

 private:
  std::vector<std::unique_ptr<ServedModel>> models_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_JUDGING_MODELS_HPP
