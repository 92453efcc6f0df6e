// SPDX-License-Identifier: Apache-2.0
// Versions, names and defaults.
#include "convert.hpp"
#include "embedded/embedded_models.hpp"
#include "handles.hpp"
#include "qwen3guard/quote.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

/// The name of a value of an enum that has `count` of them from 0 on.
template <class Enum>
const char* enum_name(std::int32_t value, std::int32_t count) noexcept {
  return value >= 0 && value < count ? to_string(static_cast<Enum>(value)) : "unknown";
}

template <class T, class Defaults>
q3g_status init(T* at, std::size_t size, const Defaults& defaults) noexcept {
  if (at == nullptr || !is_size_of<T>(size)) return Q3G_E_INVALID_ARGUMENT;
  write_struct(at, size, defaults());
  return Q3G_OK;
}

template <class Value>
q3g_status parse(const char* function, const char* name, std::size_t n, std::int32_t* out, q3g_error* err,
                 const Value& value) noexcept {
  return call(err, function, [&]() -> Status {
    if (out == nullptr) return bad_argument("the place for the value is NULL");
    Q3G_ASSIGN(const std::string_view text, text_of(name, n, "name"));
    const auto found = value(text);
    if (!found) return bad_argument("no such name: ", quote(text));
    *out = static_cast<std::int32_t>(*found);
    return {};
  });
}

}  // namespace

const char* q3g_version(void) noexcept { return version(); }
uint32_t q3g_abi_version(void) noexcept { return Q3G_ABI_VERSION; }

const char* q3g_status_name(q3g_status status) noexcept {
  switch (status) {
    case Q3G_OK:
      return "ok";
    case Q3G_E_BUFFER_TOO_SMALL:
      return "buffer_too_small";
    case Q3G_E_BAD_HANDLE:
      return "bad_handle";
    default:
      return to_string(static_cast<ErrorCode>(status));
  }
}
const char* q3g_severity_name(int32_t severity) noexcept {
  return enum_name<Severity>(severity, kSeverityCount + 1);
}
const char* q3g_category_name(int32_t category) noexcept {
  return enum_name<Category>(category, kCategoryCount);
}
const char* q3g_action_name(int32_t action) noexcept { return enum_name<Action>(action, 4); }
const char* q3g_rule_name(int32_t rule) noexcept { return enum_name<Rule>(rule, 8); }
const char* q3g_role_name(int32_t role) noexcept { return enum_name<Role>(role, 4); }
const char* q3g_source_name(int32_t source) noexcept { return enum_name<VerdictSource>(source, 4); }
const char* q3g_reason_name(int32_t reason) noexcept {
  switch (reason) {
    case Q3G_REASON_NONE:
      return "none";
    case Q3G_REASON_RUN:
      return "run";
    case Q3G_REASON_END_OF_TURN:
      return "end_of_turn";
    case Q3G_REASON_WRITTEN:
      return "written";
    case Q3G_REASON_MIXED_RUN:
      return "mixed_run";
    default:
      return "unknown";
  }
}

q3g_status q3g_parse_severity(const char* name, size_t name_bytes, int32_t* severity,
                              q3g_error* err) noexcept {
  return parse("q3g_parse_severity", name, name_bytes, severity, err, parse_severity);
}
q3g_status q3g_parse_category(const char* name, size_t name_bytes, int32_t* category,
                              q3g_error* err) noexcept {
  return parse("q3g_parse_category", name, name_bytes, category, err, parse_category);
}

const char* q3g_embedded_model_name(size_t index) noexcept { return detail::embedded_model_name(index); }

q3g_status q3g_guard_options_init(q3g_guard_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_guard_options);
}
q3g_status q3g_classify_options_init(q3g_classify_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_classify_options);
}
q3g_status q3g_stream_options_init(q3g_stream_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_stream_options);
}
q3g_status q3g_batch_options_init(q3g_batch_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_batch_options);
}
q3g_status q3g_hold_back_options_init(q3g_hold_back_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_hold_back_options);
}
q3g_status q3g_sampling_options_init(q3g_sampling_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_sampling_options);
}
q3g_status q3g_quantize_options_init(q3g_quantize_options* options, size_t struct_size) noexcept {
  return init(options, struct_size, default_quantize_options);
}

q3g_status q3g_cancel_new(q3g_cancel** out, q3g_error* err) noexcept {
  return call(err, "q3g_cancel_new", [&]() -> Status {
    Q3G_TRY(need_out(out));
    *out = make_handle<q3g_cancel>(std::make_shared<CancelFlag>());
    return {};
  });
}
q3g_status q3g_cancel_set(q3g_cancel* cancel) noexcept {
  const Use flag(cancel);
  if (flag) (*flag)->cancel();
  return flag ? Q3G_OK : Q3G_E_BAD_HANDLE;
}
q3g_status q3g_cancel_reset(q3g_cancel* cancel) noexcept {
  const Use flag(cancel);
  if (flag) (*flag)->reset();
  return flag ? Q3G_OK : Q3G_E_BAD_HANDLE;
}
int32_t q3g_cancel_is_set(const q3g_cancel* cancel) noexcept {
  const Use flag(cancel);
  return flag && (*flag)->is_cancelled() ? 1 : 0;
}
void q3g_cancel_free(q3g_cancel* cancel) noexcept { free_handle(cancel); }
