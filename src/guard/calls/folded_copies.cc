// SPDX-License-Identifier: Apache-2.0
#include "guard/calls/folded_copies.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <tuple>
#include <utility>

#include "guard/calls/verdict_parts.hpp"
#include "guard/policy/policy_impl.hpp"
#include "guard/policy/ruling.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

/// Places in a folded copy become places in the text that it was made from.
void unfold_offsets(Verdict& verdict, const FoldedText& folded) {
  const auto unfold = [&](std::int64_t& begin, std::int64_t& end) {
    std::tie(begin, end) = folded.origin(static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
  };
  for (TokenVerdict& token : verdict.token_verdicts) unfold(token.byte_begin, token.byte_end);
  unfold(verdict.ruling.byte_begin, verdict.ruling.byte_end);
  if (verdict.window) unfold(verdict.window->byte_begin, verdict.window->byte_end);
  for (Verdict& window : verdict.windows) unfold_offsets(window, folded);
  verdict.is_of_folded_copy = true;
}

/// What was judged of a message, in one piece or in windows.
void append_parts(Verdict verdict, std::vector<Verdict>& parts) {
  if (verdict.windows.empty()) {
    parts.push_back(std::move(verdict));
  } else {
    std::move(verdict.windows.begin(), verdict.windows.end(), std::back_inserter(parts));
  }
}

/// The verdict on a message of which a folded copy was judged, too.
Verdict join_copies(Verdict original, Verdict copy) {
  TokenUsage tokens = original.tokens;
  add_tokens(tokens, copy.tokens);
  // A refusal is one that both copies are.
  const bool is_answer = copy.refusal && !copy.refusal->value;
  const std::optional<Refusal> refusal = is_answer ? copy.refusal : original.refusal;
  std::vector<Verdict> parts;
  append_parts(std::move(original), parts);
  append_parts(std::move(copy), parts);
  std::vector<Ruling> rulings;
  rulings.reserve(parts.size());
  for (const Verdict& part : parts) rulings.push_back(part.ruling);
  const std::size_t kept = worst_verdict(parts);
  Verdict out = parts[kept];
  out.tokens = tokens;
  out.refusal = refusal;
  out.ruling = strictest_ruling(rulings);
  out.windows = std::move(parts);
  return out;
}

}  // namespace

void FoldedCopies::add(BatchItem& item, std::vector<BatchItem*>& to_judge) {
  to_judge.push_back(&item);
  const Policy::Impl* policy = policy_.impl();
  if (policy == nullptr || !policy->spec.lists.judge_folded_copy || item.messages.empty()) return;
  const Message& last = item.messages.back();
  const Folding& folding = policy->spec.lists.folding;
  if (last.role == Role::system || last.role == Role::tool || !is_copy_worth_judging(last.content, folding))
    return;
  FoldedText folded = fold_text(last.content, folding);
  // Nothing but what folding leaves out: there is nothing else to judge.
  if (folded.text().find_first_not_of(" \n") == std::string::npos || folded.text() == last.content) return;
  Copy& copy = copies_.emplace_back();
  copy.original = &item;
  copy.messages.assign(item.messages.begin(), item.messages.end());
  copy.messages.back().content = folded.text();
  copy.folded = std::move(folded);
  copy.item.messages = copy.messages;
  copy_of_[&item] = copy_of_[&copy.item] = &copy;
  to_judge.push_back(&copy.item);
}

BatchItem* FoldedCopies::done(BatchItem& item) {
  const auto found = copy_of_.find(&item);
  if (found == copy_of_.end()) return &item;
  Copy& copy = *found->second;
  if (!std::exchange(copy.has_one, true)) return nullptr;
  BatchItem& original = *copy.original;
  if (original.verdict.ok()) {
    if (copy.item.verdict.ok()) {
      unfold_offsets(*copy.item.verdict, copy.folded);
      original.verdict = join_copies(*std::move(original.verdict), *std::move(copy.item.verdict));
    } else {
      const Error& why = copy.item.verdict.error();
      original.verdict = error(why.code, "folded copy: ", why.detail);
    }
  }
  return &original;
}

}  // namespace qwen3guard::detail
