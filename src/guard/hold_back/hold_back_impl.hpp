// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_HOLD_BACK_HOLD_BACK_IMPL_HPP
#define QWEN3GUARD_SRC_GUARD_HOLD_BACK_HOLD_BACK_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "guard/batch/time_source.hpp"
#include "guard/hold_back/held_text.hpp"
#include "guard/hold_back/hold_back_source.hpp"
#include "qwen3guard/hold_back.hpp"
#include "util/guarded.hpp"

namespace qwen3guard {

/// What a host may do when, over a HeldText and whoever judges it.
class HoldBack::Impl {
 public:
  Impl(const HoldBackOptions& options, detail::OpenedSource opened, std::shared_ptr<detail::TimeSource> time)
      : time_(std::move(time)),
        source_(std::move(opened.source)),
        held_(options, opened.begin_byte, opened.update.first) {
    held_.update(opened.update, opened.decision);
    if (source_->prompt()) held_.judge_prompt(source_->prompt()->decision);
  }

  /// HoldBack::over(), with another time or another source. @{
  [[nodiscard]] static Result<HoldBack> over(StreamSession& session, const HoldBackOptions& options,
                                             std::shared_ptr<detail::TimeSource> time);
  [[nodiscard]] static Result<HoldBack> over(StreamBatch& batch, StreamId id, const HoldBackOptions& options,
                                             std::shared_ptr<detail::TimeSource> time);
  [[nodiscard]] static Result<HoldBack> over(std::unique_ptr<detail::HoldBackSource> source,
                                             const HoldBackOptions& options,
                                             std::shared_ptr<detail::TimeSource> time);  /// @}

  [[nodiscard]] Status put(std::string_view text);
  [[nodiscard]] Result<HoldBackRelease> take(double timeout_ms, std::size_t max_bytes);
  [[nodiscard]] Status finish();
  [[nodiscard]] Status retry(std::int64_t byte);
  [[nodiscard]] Status withdraw();
  [[nodiscard]] HoldBackState state() const noexcept;
  [[nodiscard]] HoldBackStats stats() const noexcept { return held_.stats(); }
  [[nodiscard]] const detail::HoldBackSource& source() const noexcept { return *source_; }

  /// Runs change(), which returns a Status or a Result. What stops it half-way has left the text and the one
  /// who judges it in different places: nothing leaves any more.
  template <class Change>
  [[nodiscard]] static auto changing(Impl& impl, const Change& change) -> decltype(change()) {
    auto result = detail::guarded("hold back", change);
    if (!result.ok() &&
        (result.error().code == ErrorCode::out_of_memory || result.error().code == ErrorCode::internal))
      static_cast<void>(impl.fail(result.error()));
    return result;
  }

 private:
  /// Nothing leaves any more. Returns the error.
  [[nodiscard]] Status fail(Status status) noexcept;
  [[nodiscard]] Status check_open(const char* what) const;

  std::shared_ptr<detail::TimeSource> time_;
  std::unique_ptr<detail::HoldBackSource> source_;
  detail::HeldText held_;
  Status error_;
  bool is_finishing_ = false;  // the end of the turn was asked for
  bool is_over_ = false;       // withdraw() could not end the turn
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_SRC_GUARD_HOLD_BACK_HOLD_BACK_IMPL_HPP
