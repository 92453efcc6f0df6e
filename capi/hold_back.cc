// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <utility>

#include "convert.hpp"
#include "handles.hpp"

namespace qwen3guard::capi {

/// A HoldBack, and the handle of what it is over, which it keeps alive.
class HeldAnswer {
 public:
  HeldAnswer(Use<q3g_stream> stream, HoldBack hold)
      : stream_(std::move(stream)), batch_(nullptr), hold_(std::move(hold)) {}
  HeldAnswer(Use<q3g_batch> batch, HoldBack hold)
      : stream_(nullptr), batch_(std::move(batch)), hold_(std::move(hold)) {}
  [[nodiscard]] HoldBack& hold() noexcept { return hold_; }
  [[nodiscard]] const HoldBack& hold() const noexcept { return hold_; }

 private:
  Use<q3g_stream> stream_;
  Use<q3g_batch> batch_;
  HoldBack hold_;
};

}  // namespace qwen3guard::capi

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

q3g_hold_back_release c_release_of(const HoldBackRelease& release) noexcept {
  q3g_hold_back_release out{};
  out.state = static_cast<std::int32_t>(release.state);
  out.text_bytes = release.text.size();
  out.waited_ms = release.waited_ms;
  out.has_more = release.has_more ? 1 : 0;
  out.is_overdue = release.is_overdue ? 1 : 0;
  if (!release.block) return out;
  const HoldBackBlock& block = *release.block;
  out.has_block = 1;
  out.is_prompt = block.is_prompt ? 1 : 0;
  out.is_settled = block.is_settled ? 1 : 0;
  out.retries_left = block.retries_left;
  out.byte_begin = block.byte_begin;
  out.shown_bytes = block.shown_bytes;
  out.continue_byte = block.continue_byte;
  return out;
}

}  // namespace

q3g_status q3g_hold_back_open(q3g_stream* stream, const q3g_hold_back_options* options, q3g_hold_back** out,
                              q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_open", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(auto session, needed(stream));
    if (is_borrowed(stream))
      return bad_argument("the stream is a batch's; expected q3g_hold_back_open_batch");
    Q3G_ASSIGN(const HoldBackOptions how, read_options(options));
    Q3G_ASSIGN(HoldBack hold, HoldBack::over(*session, how));
    *out = make_handle<q3g_hold_back>({std::move(session), std::move(hold)});
    return {};
  });
}

q3g_status q3g_hold_back_open_batch(q3g_batch* batch, uint64_t session, const q3g_hold_back_options* options,
                                    q3g_hold_back** out, q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_open_batch", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(auto all, needed(batch));
    Q3G_ASSIGN(const HoldBackOptions how, read_options(options));
    Q3G_ASSIGN(HoldBack hold, HoldBack::over(*all, session, how));
    *out = make_handle<q3g_hold_back>({std::move(all), std::move(hold)});
    return {};
  });
}

q3g_status q3g_hold_back_put(q3g_hold_back* hold_back, const char* text, size_t text_bytes,
                             q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_put", [&]() -> Status {
    Q3G_ASSIGN(const auto answer, needed(hold_back));
    Q3G_ASSIGN(const std::string_view bytes, text_of(text, text_bytes, "text"));
    return answer->hold().put(bytes);
  });
}

q3g_status q3g_hold_back_take(q3g_hold_back* hold_back, double timeout_ms, char* text, size_t capacity,
                              q3g_hold_back_release* out, q3g_decision* decision, q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_take", [&]() -> Status {
    // Whatever is ill-formed, four bytes have room for something.
    constexpr std::size_t kLeastBytes = 4;
    Q3G_ASSIGN(const auto answer, needed(hold_back));
    if (!(timeout_ms >= 0)) return bad_argument("timeout_ms is ", timeout_ms, "; expected 0 or more");
    if (text == nullptr) return bad_argument("text is NULL");
    if (capacity < kLeastBytes) {
      return failure(Q3G_E_BUFFER_TOO_SMALL, "the buffer has room for ", capacity, "; expected at least ",
                     kLeastBytes);
    }
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const auto decision_place, wanted(decision, "decision"));
    Q3G_ASSIGN(const HoldBackRelease release, answer->hold().take(timeout_ms, capacity));
    if (!release.text.empty()) std::memcpy(text, release.text.data(), release.text.size());
    place.write(c_release_of(release));
    if (release.block) decision_place.write(to_c(release.block->decision));
    return {};
  });
}

q3g_status q3g_hold_back_finish(q3g_hold_back* hold_back, q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_finish", [&]() -> Status {
    Q3G_ASSIGN(const auto answer, needed(hold_back));
    return answer->hold().finish();
  });
}

q3g_status q3g_hold_back_retry(q3g_hold_back* hold_back, int64_t n_bytes, q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_retry", [&]() -> Status {
    Q3G_ASSIGN(const auto answer, needed(hold_back));
    return answer->hold().retry(n_bytes);
  });
}

q3g_status q3g_hold_back_withdraw(q3g_hold_back* hold_back, q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_withdraw", [&]() -> Status {
    Q3G_ASSIGN(const auto answer, needed(hold_back));
    return answer->hold().withdraw();
  });
}

q3g_status q3g_hold_back_get_stats(const q3g_hold_back* hold_back, q3g_hold_back_stats* out,
                                   q3g_error* err) noexcept {
  return call(err, "q3g_hold_back_get_stats", [&]() -> Status {
    Q3G_ASSIGN(const auto answer, needed(hold_back));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    const HoldBackStats in = answer->hold().stats();
    q3g_hold_back_stats value{};
    value.n_retries = in.n_retries;
    value.n_overdue = in.n_overdue;
    value.put_bytes = in.put_bytes;
    value.shown_bytes = in.shown_bytes;
    value.withdrawn_bytes = in.withdrawn_bytes;
    value.retracted_bytes = in.retracted_bytes;
    value.shown_tokens = in.shown_tokens;
    value.delayed_tokens = in.delayed_tokens;
    value.withdrawn_tokens = in.withdrawn_tokens;
    value.held_tokens = in.held_tokens;
    value.wait_ms = in.wait_ms;
    value.n_waits = in.n_waits;
    value.max_wait_ms = in.max_wait_ms;
    place.write(value);
    return {};
  });
}

void q3g_hold_back_free(q3g_hold_back* hold_back) noexcept { free_handle(hold_back); }
