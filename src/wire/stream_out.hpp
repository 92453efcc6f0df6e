// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_STREAM_OUT_HPP
#define QWEN3GUARD_SRC_WIRE_STREAM_OUT_HPP

#include <string_view>

#include "qwen3guard/verdict.hpp"
#include "wire/json_out.hpp"

/// What streams say, as JSON: members of the object that is open.
namespace qwen3guard::wire {

/// A token and its verdict. text: the token's own. Byte ranges are an answer's only.
void put_token_fields(JsonOut& json, Role role, const TokenVerdict& token, std::string_view text);

/// What a turn came to. token: the one that decided; null when none did.
void put_decision_fields(JsonOut& json, const Decision& decision, const TokenVerdict* token);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_STREAM_OUT_HPP
