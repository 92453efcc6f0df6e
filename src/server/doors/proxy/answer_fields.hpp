// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_FIELDS_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_FIELDS_HPP

#include "server/doors/proxy/answer_out.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::server {

/// The members "finish_reason" and, where the guard ended it, "qwen3guard" of the choice that is open.
void put_finish(wire::JsonOut& json, std::string_view reason, const Blocked* blocked);
/// "id", "object", "created", "model" and "system_fingerprint" of the answer that is open.
void put_head(wire::JsonOut& json, const AnswerHead& head, const char* object);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_FIELDS_HPP
