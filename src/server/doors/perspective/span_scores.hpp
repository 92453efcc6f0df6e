// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_SPAN_SCORES_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_SPAN_SCORES_HPP

#include <string_view>
#include <vector>

#include "qwen3guard/verdict.hpp"
#include "server/doors/perspective/attributes.hpp"
#include "server/doors/perspective/sentences.hpp"

namespace qwen3guard::server {

/// Of each sentence the highest score of the tokens that have a part in it, by the token verdicts that the
/// verdict keeps. 1 for a sentence of which anything but space was not judged. text: the judged message.
[[nodiscard]] std::vector<double> sentence_scores(const Attribute& attribute,
                                                  const std::vector<Sentence>& sentences,
                                                  std::string_view text, const Verdict& verdict);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_SPAN_SCORES_HPP
