// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_VERDICT_JSON_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_VERDICT_JSON_HPP

#include "qwen3guard/policy.hpp"
#include "qwen3guard/status.hpp"
#include "server/replies.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::server {

/// The member "qwen3guard": what was judged in our own words.
void put_verdict(wire::JsonOut& json, const Verdict& verdict);
/// The same for what was not judged, and is blocked by the policy's rule for that.
void put_unjudged(wire::JsonOut& json, const Ruling& ruling, const Error& error);

/// The policy blocks what was not judged, so that there is an answer; else an error is all that there is.
[[nodiscard]] bool blocks_unjudged(const Policy& policy);
/// The error of the conversation at this place in the request.
[[nodiscard]] ApiError api_error(const Error& error, std::string param);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_VERDICT_JSON_HPP
