// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_POLICY_DOCUMENT_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_POLICY_DOCUMENT_HPP

#include <span>
#include <string>
#include <string_view>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/status.hpp"

/// A policy as a document, and what it says. All functions are pure; they throw std::bad_alloc.
namespace qwen3guard::detail {

/// Errors: invalid_argument (the field, by the path that it has in a file, what it holds, and what was
/// expected). Whether lists can be compiled is not looked at.
[[nodiscard]] Status check_policy(const PolicySpec& spec);

/// Reads JSON. The spec has passed check_policy(). `display_name` stands in front of errors, with line and
/// column behind it. Errors: invalid_argument; out_of_memory.
[[nodiscard]] Result<PolicySpec> read_policy(std::string_view json, std::string_view display_name = "policy");

/// An error that begins with a path in the document, "lists.deny[3]: ...", with the line and column of that
/// in front; for what is found once it is read. `json` is what read_policy() read.
[[nodiscard]] Error at_its_place(const Error& error, std::string_view json,
                                 std::string_view display_name = "policy");

/// A checked spec as JSON that read_policy() reads back to an equal one: every field, whether it has its
/// default or not, one a line. Ends with a line break.
[[nodiscard]] std::string write_policy(const PolicySpec& spec);

/// Names, in static storage, and specs of the library's policies. Errors: invalid_argument (lists them). @{
[[nodiscard]] std::span<const std::string_view> preset_names() noexcept;
[[nodiscard]] Result<PolicySpec> preset_spec(std::string_view name);  /// @}

/// What a policy does, for a person; some lines, each with its line break.
[[nodiscard]] std::string describe_policy(const PolicySpec& spec);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_POLICY_DOCUMENT_HPP
