// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/answer_fields.hpp"

#include "wire/verdict_out.hpp"

namespace qwen3guard::server {

void put_head(wire::JsonOut& json, const AnswerHead& head, const char* object) {
  json.key("id").string(head.id);
  json.key("object").string(object);
  json.key("created").integer(head.created);
  json.key("model").string(head.model);
  if (!head.fingerprint.empty()) json.key("system_fingerprint").string(head.fingerprint);
}

void put_finish(wire::JsonOut& json, std::string_view reason, const Blocked* blocked) {
  json.key("finish_reason");
  if (reason.empty()) {
    json.null();
  } else {
    json.string(reason);
  }
  if (blocked == nullptr) return;
  json.key("qwen3guard").begin_object();
  json.key("where").string(blocked->where);
  wire::put_severity(json.key("severity"), blocked->severity);
  json.key("category");
  if (blocked->ruling.category) {
    json.string(to_string(*blocked->ruling.category));
  } else {
    json.null();
  }
  wire::put_ruling(json.key("ruling"), blocked->ruling);
  json.end_object();
}

}  // namespace qwen3guard::server
