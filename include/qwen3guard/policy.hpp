// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_POLICY_HPP
#define QWEN3GUARD_POLICY_HPP

/// @file
/// From what the model says to what a host does about it.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

/// A checked policy, with its lists compiled. Immutable; cheap to move and to copy (shared). The default is
/// PolicySpec's: everything Unsafe or Controversial is blocked, by the published evaluation's rule.
/// Thread-safety: any number of threads at once.
class Policy {
 public:
  /// The default policy. Allocates nothing.
  Policy() noexcept = default;

  /// Checks a spec and compiles its lists. Errors: invalid_argument (the field, by the path that it has in a
  /// file, what it holds, and what was expected); unsupported_model (lists, in a build without RE2);
  /// out_of_memory.
  [[nodiscard]] static Result<Policy> make(PolicySpec spec);

  /// Reads a policy's JSON text (docs/policy.md; policy.schema.json). Errors: as make(); invalid_argument
  /// (line and path of what is unknown, given twice, contradictory, or no JSON).
  [[nodiscard]] static Result<Policy> parse(std::string_view json);
  /// Reads a policy's file. `path`: UTF-8 on every OS. Errors: as parse(), with the path in front;
  /// file_not_found; io_error.
  [[nodiscard]] static Result<Policy> load(std::string_view path);
  /// A policy of the library, by its name. Errors: invalid_argument (lists the names there are).
  [[nodiscard]] static Result<Policy> preset(std::string_view name);
  /// "strict", "loose", "chat-game", "assistant". Static storage.
  [[nodiscard]] static std::span<const std::string_view> presets() noexcept;

  /// As in its spec. @{
  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] std::string_view version() const noexcept;
  [[nodiscard]] const PolicyRules& rules() const noexcept;  /// @}
  /// What it was made from.
  [[nodiscard]] PolicySpec spec() const;
  /// The spec as a file that parse() reads back to an equal one.
  [[nodiscard]] std::string to_json() const;
  /// What it does, in plain words: some lines for a person.
  [[nodiscard]] std::string describe() const;

  class Impl;  ///< internal
  /// Null for the default; internal.
  [[nodiscard]] const Impl* impl() const noexcept { return impl_.get(); }

 private:
  std::shared_ptr<const Impl> impl_;  // null: the default
};

/// What the policy says of what could not be judged, for a host that gives an error an action: never allow.
[[nodiscard]] Ruling rule_unjudged(const Policy& policy);

/// The ruling on a verdict that Guard::classify() gave, or that was stored, under another policy: bit for bit
/// what classify() would have ruled under it. Only what was stored is looked at: Verdict::role,
/// severity, probabilities and categories, of a Stream checkpoint `token_verdicts`, and of a message that was
/// judged in windows the same of each of them (Verdict::windows). `text`: the judged
/// message, which a policy with lists needs. A verdict that a deny list decided without the model has no
/// severity, so that without that entry nothing was judged. Pure. Errors: invalid_argument (the verdict is a
/// Stream checkpoint's and its token verdicts were not kept; it is one window's, without the others; `text`
/// is empty and the policy has lists).
[[nodiscard]] Result<Ruling> decide(const Policy& policy, const Verdict& verdict, std::string_view text = {});

/// The policy over the verdicts of one turn, whose `action` is set. has_ended: the turn is over. Tokens whose
/// `counts` is false are passed over: they neither make nor end a run. The decision is about the text up to
/// the last token: it is Safe only when there is one that counts, and each that counts has a verdict or is
/// covered by a written one behind it. Lists have no part in it. Time: O(n).
[[nodiscard]] Decision decide(const Policy& policy, Role role, std::span<TokenVerdict> tokens,
                              bool has_ended);

/// One sentence for a person: severity, category, where, why; and what the policy made of it.
[[nodiscard]] std::string explain(const Decision& decision);

}  // namespace qwen3guard

#endif  // QWEN3GUARD_POLICY_HPP
