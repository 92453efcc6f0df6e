// SPDX-License-Identifier: Apache-2.0
#include "server/doors/choose_model.hpp"

#include "qwen3guard/quote.hpp"
#include "server/doors/request_json.hpp"

namespace qwen3guard::server {

ServedModel& choose_model(const Models& models, const wire::JsonValue& body, ModelKind kind,
                          UnknownModel unknown) {
  const auto name = optional_text(body, "model");
  if (!name) return models.first(kind);
  if (ServedModel* model = models.find(*name)) return *model;
  if (unknown == UnknownModel::is_default) return models.first(kind);
  std::string names;
  for (const auto& model : models.all()) names += (names.empty() ? "" : ", ") + model->name;
  throw BadRequestError("model: " + quote(*name) + " is not served; these are " + names, "model", 404);
}

}  // namespace qwen3guard::server
