// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_CONVERT_HPP
#define QWEN3GUARD_CAPI_CONVERT_HPP

#include <cstddef>
#include <string_view>
#include <vector>

#include "qwen3guard.h"
#include "qwen3guard/qwen3guard.hpp"
#include "structs.hpp"

/// Between the structs of the C interface and the values of the C++ one. All that read may fail.
namespace qwen3guard::capi {

// The defaults, as C structs.
[[nodiscard]] q3g_guard_options default_guard_options() noexcept;
[[nodiscard]] q3g_classify_options default_classify_options() noexcept;
[[nodiscard]] q3g_stream_options default_stream_options() noexcept;
[[nodiscard]] q3g_batch_options default_batch_options() noexcept;
[[nodiscard]] q3g_hold_back_options default_hold_back_options() noexcept;
[[nodiscard]] q3g_sampling_options default_sampling_options() noexcept;
[[nodiscard]] q3g_quantize_options default_quantize_options() noexcept;

// NULL: the defaults.
[[nodiscard]] Result<GuardOptions> read_options(const q3g_guard_options* options);
[[nodiscard]] Result<ClassifyOptions> read_options(const q3g_classify_options* options);
[[nodiscard]] Result<StreamOptions> read_options(const q3g_stream_options* options);
[[nodiscard]] Result<StreamBatchOptions> read_options(const q3g_batch_options* options);
[[nodiscard]] Result<HoldBackOptions> read_options(const q3g_hold_back_options* options);
[[nodiscard]] Result<SamplingOptions> read_options(const q3g_sampling_options* options);
[[nodiscard]] Result<QuantizeOptions> read_options(const q3g_quantize_options* options);

/// A path of the caller's, borrowed: text without a NUL, where systems would end it.
[[nodiscard]] Result<std::string_view> path_of(const char* path, std::size_t n_bytes, const char* name);

/// The messages of a conversation; their text is copied. NULL is an error unless n is 0.
[[nodiscard]] Result<std::vector<Message>> read_messages(const q3g_message* messages, std::size_t n);

[[nodiscard]] q3g_token_verdict to_c(const TokenVerdict& verdict) noexcept;
[[nodiscard]] Result<TokenVerdict> from_c(const q3g_token_verdict& verdict);
[[nodiscard]] q3g_decision to_c(const Decision& decision) noexcept;
[[nodiscard]] Result<Decision> from_c(const q3g_decision& decision);
[[nodiscard]] q3g_update to_c(const StreamUpdate& update) noexcept;
[[nodiscard]] q3g_turn to_c(const TurnVerdict& turn) noexcept;

/// Writes a verdict; its text goes to the caller's buffer when it fits.
void write_verdict(const Out<q3g_verdict>& out, const Verdict& verdict) noexcept;
/// What decide() needs of a verdict.
[[nodiscard]] Result<Verdict> from_c(const q3g_verdict& verdict);
/// Writes another ruling into a verdict; the rest stays.
void write_rule(const Out<q3g_verdict>& out, const Ruling& ruling) noexcept;
/// Writes the status of a conversation of a batch that has no verdict, and what the policy says of that.
void write_no_verdict(const Out<q3g_verdict>& out, q3g_status status, const Ruling& ruling) noexcept;

/// The caller's room for verdicts of tokens.
class TokenBuffer {
 public:
  /// tokens: NULL when capacity is 0.
  [[nodiscard]] static Result<TokenBuffer> of(q3g_token_verdict* tokens, std::size_t capacity) {
    Q3G_ASSIGN(const auto elements, Elements<q3g_token_verdict>::of(tokens, capacity, "tokens"));
    return TokenBuffer(elements);
  }
  /// As many as fit.
  void write(const std::vector<TokenVerdict>& verdicts) const noexcept;

 private:
  explicit TokenBuffer(const Elements<q3g_token_verdict>& elements) : elements_(elements) {}

  Elements<q3g_token_verdict> elements_;
};

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_CONVERT_HPP
