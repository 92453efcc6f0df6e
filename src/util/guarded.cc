// SPDX-License-Identifier: Apache-2.0
#include "util/guarded.hpp"

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {

Error not_enough_memory(const char* what) noexcept {
  return if_memory_lasts([&] { return error(ErrorCode::out_of_memory, what, ": not enough memory"); },
                         [] {
                           return Error{ErrorCode::out_of_memory, {}};
                         });
}

Error unexpected(const char* what, const std::exception& thrown) noexcept {
  return if_memory_lasts([&] { return error(ErrorCode::internal, what, ": ", printable(thrown.what())); },
                         [] {
                           return Error{ErrorCode::internal, {}};
                         });
}

Status copy_of(const Status& status) noexcept {
  return if_memory_lasts([&] { return status; }, [&]() -> Status { return Error{status.error().code, {}}; });
}

}  // namespace qwen3guard::detail
