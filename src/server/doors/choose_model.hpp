// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_CHOOSE_MODEL_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_CHOOSE_MODEL_HPP

#include "server/judging/models.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// What becomes of a request that names a model which is not served.
enum class UnknownModel {
  is_default,  ///< the door's own judges: clients of OpenAI's name its models
  is_error,    ///< 404
};

/// The model of a request's "model"; without it the first of this kind. Throws BadRequestError.
[[nodiscard]] ServedModel& choose_model(const Models& models, const wire::JsonValue& body, ModelKind kind,
                                        UnknownModel unknown);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_CHOOSE_MODEL_HPP
