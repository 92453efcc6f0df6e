// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>

#include "util/exceptions.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::capi {
namespace {

constexpr std::size_t kMessageOffset = offsetof(q3g_error, message);
constexpr std::string_view kCut = "...";

/// The longest beginning of `text` of at most n bytes that does not cut a character.
std::string_view cut_behind_character(std::string_view text, std::size_t n) noexcept {
  if (text.size() <= n) return text;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U) --n;
  return text.substr(0, n);
}

/// Messages quote what they are about, which may be no text.
void make_text(char* begin, const char* end) noexcept {
  const std::string_view text(begin, static_cast<std::size_t>(end - begin));
  for (std::size_t i = 0; i < text.size();) {
    const detail::Utf8Step step = detail::utf8_step(text, i);
    if (!step.complete || begin[i] == '\0') std::fill_n(begin + i, step.n_bytes, '?');
    i += step.n_bytes;
  }
}

}  // namespace

bool is_error_slot(const q3g_error* err) noexcept {
  // Room for a NUL and a cut message's dots.
  return err->struct_size >= kMessageOffset + kCut.size() + 1 && err->struct_size <= (1U << 20U);
}

void write_error(q3g_error* err, std::size_t size, q3g_status code, std::string_view message) noexcept {
  err->code = code;
  const std::size_t room = size - kMessageOffset - 1;
  const bool fits = message.size() <= room;
  const std::string_view kept = fits ? message : cut_behind_character(message, room - kCut.size());
  char* at = reinterpret_cast<char*>(err) + kMessageOffset;
  at = std::copy(kept.begin(), kept.end(), at);
  if (!fits) at = std::copy(kCut.begin(), kCut.end(), at);
  make_text(reinterpret_cast<char*>(err) + kMessageOffset, at);
  *at = '\0';
}

q3g_status finish(q3g_error* err, const char* function, const Status& status) noexcept {
  if (err == nullptr) return code_of(status);
  if (status.ok()) {
    err->code = Q3G_OK;
    err->message[0] = '\0';
    return Q3G_OK;
  }
  const Error& error = status.error();
  const bool is_written = detail::if_memory_lasts(
      [&] { write_error(err, code_of(error), detail::concat(function, ": ", error.detail)); });
  if (!is_written) write_error(err, code_of(error), error.detail);
  return code_of(error);
}

#if Q3G_HAS_EXCEPTIONS
q3g_status finish_with_current_exception(q3g_error* err) noexcept {
  const auto fail = [&](q3g_status code, std::string_view message) {
    write_error(err, code, message);
    return code;
  };
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return fail(Q3G_E_OUT_OF_MEMORY, "not enough memory");
  } catch (const std::exception& error) {
    return fail(Q3G_E_INTERNAL, error.what());
  } catch (...) {
    return fail(Q3G_E_INTERNAL, "an exception of unknown type, perhaps from a callback");
  }
}
#endif

}  // namespace qwen3guard::capi
