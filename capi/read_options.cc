// SPDX-License-Identifier: Apache-2.0
#include <memory_resource>
#include <string_view>

#include "convert.hpp"
#include "handles.hpp"
#include "util/concat.hpp"
#include "util/exceptions.hpp"
#include "util/rollback.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::capi {
namespace {

/// Large blocks from the caller's functions.
class CallersMemory final : public std::pmr::memory_resource {
 public:
  explicit CallersMemory(const q3g_allocator& allocator) : allocator_(allocator) {}
  CallersMemory(const CallersMemory&) = delete;
  CallersMemory& operator=(const CallersMemory&) = delete;
  ~CallersMemory() override {
    if (allocator_.release != nullptr) allocator_.release(allocator_.user);
  }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    void* const block = allocator_.allocate(allocator_.user, bytes, alignment);
    if (block == nullptr) detail::throw_bad_alloc();
    if (reinterpret_cast<std::uintptr_t>(block) % alignment == 0) return block;
    // Kernels would fault on it.
    allocator_.deallocate(allocator_.user, block, bytes, alignment);
    detail::throw_bad_alloc();
  }
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
    allocator_.deallocate(allocator_.user, block, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  q3g_allocator allocator_;
};

/// A choice that may be left to the policy.
template <class Enum>
Result<std::optional<Enum>> choice_of(std::int32_t value, std::int32_t n, const char* name) {
  if (value == Q3G_FROM_POLICY) return std::optional<Enum>();
  Q3G_ASSIGN(const Enum choice, enum_of<Enum>(value, n, name));
  return std::optional<Enum>(choice);
}

/// The caller's functions, copied. On an error, who gave them is told so if the struct itself is good.
Result<std::shared_ptr<CallersMemory>> memory_of(const q3g_allocator* allocator) {
  Q3G_ASSIGN(const auto in, read_struct(allocator, "options.allocator", q3g_allocator{}));
  detail::Rollback untold([&] {
    if (in.release != nullptr) in.release(in.user);
  });
  const auto memory = std::make_shared<CallersMemory>(in);
  untold.keep();
  Q3G_TRY(need_zero(in.reserved, "options.allocator"));
  if (in.allocate == nullptr || in.deallocate == nullptr)
    return bad_argument("options.allocator: a function is NULL");
  return memory;
}

std::string_view c_text(const char* text) { return text == nullptr ? std::string_view() : text; }

/// All zeros but the size.
template <class T>
T zeroed() noexcept {
  T out{};
  out.struct_size = static_cast<std::uint32_t>(sizeof(T));
  return out;
}

}  // namespace

q3g_guard_options default_guard_options() noexcept {
  const GuardOptions defaults;
  auto out = zeroed<q3g_guard_options>();
  out.n_threads = defaults.n_threads;
  out.max_context_tokens = defaults.max_context_tokens;
  out.kept_tokens = defaults.kept_tokens;
  out.require_tokenizer = defaults.require_tokenizer ? 1 : 0;
  out.verify = static_cast<std::int32_t>(defaults.verify);
  return out;
}

q3g_classify_options default_classify_options() noexcept {
  auto out = zeroed<q3g_classify_options>();
  out.dropped_messages = out.long_text = Q3G_FROM_POLICY;
  return out;
}

q3g_stream_options default_stream_options() noexcept {
  const StreamOptions defaults;
  auto out = zeroed<q3g_stream_options>();
  out.context = out.dropped_messages = Q3G_FROM_POLICY;
  out.judge_unsettled = defaults.judge_unsettled ? 1 : 0;
  out.gen_interval_tokens = defaults.gen_interval_tokens;
  out.allow_control_ids = defaults.allow_control_ids ? 1 : 0;
  return out;
}

q3g_batch_options default_batch_options() noexcept {
  const StreamBatchOptions defaults;
  auto out = zeroed<q3g_batch_options>();
  out.max_step_tokens = defaults.max_step_tokens;
  out.max_session_tokens = defaults.max_session_tokens;
  out.memory_budget_bytes = defaults.memory_budget_bytes;
  out.max_waiting_bytes = defaults.max_waiting_bytes;
  out.default_deadline_ms = defaults.default_deadline_ms;
  return out;
}

q3g_hold_back_options default_hold_back_options() noexcept {
  const HoldBackOptions defaults;
  auto out = zeroed<q3g_hold_back_options>();
  out.buffer_tokens = defaults.buffer_tokens;
  out.max_retries = defaults.max_retries;
  out.reports_provisional = defaults.reports_provisional ? 1 : 0;
  out.release_after_ms = defaults.release_after_ms;
  out.deadline_ms = defaults.deadline_ms;
  return out;
}

q3g_sampling_options default_sampling_options() noexcept {
  const SamplingOptions defaults;
  auto out = zeroed<q3g_sampling_options>();
  out.temperature = defaults.temperature;
  out.top_k = defaults.top_k;
  out.top_p = defaults.top_p;
  out.seed = defaults.seed;
  return out;
}

q3g_quantize_options default_quantize_options() noexcept {
  const QuantizeOptions defaults;
  auto out = zeroed<q3g_quantize_options>();
  out.type = static_cast<std::int32_t>(defaults.type);
  out.group_size = defaults.group_size;
  out.embeddings = static_cast<std::int32_t>(defaults.embeddings);
  return out;
}

Result<GuardOptions> read_options(const q3g_guard_options* options) {
  GuardOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_guard_options()));
  if (in.allocator != nullptr) {
    Q3G_ASSIGN(out.memory, memory_of(in.allocator));
  }
  out.n_threads = in.n_threads;
  out.max_context_tokens = in.max_context_tokens;
  out.kept_tokens = in.kept_tokens;
  Q3G_ASSIGN(out.require_tokenizer, bool_of(in.require_tokenizer, "options.require_tokenizer"));
  Q3G_ASSIGN(out.verify, enum_of<Verify>(in.verify, 3, "options.verify"));
  Q3G_ASSIGN(out.unknown_template,
             enum_of<UnknownTemplate>(in.unknown_template, 2, "options.unknown_template"));
  Q3G_TRY(need_zero(in.reserved, "options"));
  out.known_template = c_text(in.known_template);
  out.isa = c_text(in.isa);
  if (in.log != nullptr) {
    out.log = [log = in.log, user = in.log_user](LogLevel level, std::string_view line) {
      log(user, static_cast<std::int32_t>(level), line.data(), line.size());
    };
  }
  return out;
}

Result<ClassifyOptions> read_options(const q3g_classify_options* options) {
  ClassifyOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_classify_options()));
  Q3G_ASSIGN(out.decoder, enum_of<Decoder>(in.decoder, 2, "options.decoder"));
  Q3G_ASSIGN(out.invalid_utf8, enum_of<InvalidUtf8>(in.invalid_utf8, 2, "options.invalid_utf8"));
  Q3G_ASSIGN(out.dropped_messages,
             choice_of<DroppedMessages>(in.dropped_messages, 2, "options.dropped_messages"));
  Q3G_ASSIGN(out.long_text, choice_of<LongText>(in.long_text, 2, "options.long_text"));
  Q3G_ASSIGN(out.policy, policy_of(in.policy));
  Q3G_ASSIGN(out.thinking, enum_of<Thinking>(in.thinking, 3, "options.thinking"));
  Q3G_ASSIGN(out.cancel, flag_of(in.cancel));
  if (in.progress != nullptr) {
    out.progress = [progress = in.progress, user = in.progress_user](std::size_t n_done,
                                                                     std::size_t n_total) {
      return progress(user, static_cast<std::int64_t>(n_done), static_cast<std::int64_t>(n_total)) == 0;
    };
  }
  return out;
}

Result<StreamOptions> read_options(const q3g_stream_options* options) {
  StreamOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_stream_options()));
  Q3G_ASSIGN(out.policy, policy_of(in.policy));
  out.max_tokens = in.max_tokens;
  Q3G_ASSIGN(out.invalid_utf8, enum_of<InvalidUtf8>(in.invalid_utf8, 2, "options.invalid_utf8"));
  Q3G_ASSIGN(out.context, choice_of<ContextPolicy>(in.context, 3, "options.context"));
  Q3G_ASSIGN(out.thinking, enum_of<Thinking>(in.thinking, 3, "options.thinking"));
  Q3G_ASSIGN(out.judge_unsettled, bool_of(in.judge_unsettled, "options.judge_unsettled"));
  out.gen_interval_tokens = in.gen_interval_tokens;
  Q3G_ASSIGN(out.allow_control_ids, bool_of(in.allow_control_ids, "options.allow_control_ids"));
  Q3G_ASSIGN(out.dropped_messages,
             choice_of<DroppedMessages>(in.dropped_messages, 2, "options.dropped_messages"));
  Q3G_TRY(need_zero(static_cast<std::uint32_t>(in.reserved), "options"));
  Q3G_ASSIGN(out.cancel, flag_of(in.cancel));
  return out;
}

Result<StreamBatchOptions> read_options(const q3g_batch_options* options) {
  StreamBatchOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_batch_options()));
  Q3G_TRY(need_zero(static_cast<std::uint32_t>(in.reserved), "options"));
  out.memory_budget_bytes = in.memory_budget_bytes;
  out.max_waiting_bytes = in.max_waiting_bytes;
  out.max_step_tokens = in.max_step_tokens;
  out.max_session_tokens = in.max_session_tokens;
  out.default_deadline_ms = in.default_deadline_ms;
  return out;
}

Result<HoldBackOptions> read_options(const q3g_hold_back_options* options) {
  HoldBackOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_hold_back_options()));
  out.buffer_tokens = in.buffer_tokens;
  out.max_retries = in.max_retries;
  Q3G_ASSIGN(out.reports_provisional, bool_of(in.reports_provisional, "options.reports_provisional"));
  out.release_after_ms = in.release_after_ms;
  out.deadline_ms = in.deadline_ms;
  return out;
}

Result<SamplingOptions> read_options(const q3g_sampling_options* options) {
  SamplingOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_sampling_options()));
  out.temperature = in.temperature;
  out.top_k = in.top_k;
  out.top_p = in.top_p;
  out.seed = in.seed;
  Q3G_ASSIGN(out.cancel, flag_of(in.cancel));
  return out;
}

Result<QuantizeOptions> read_options(const q3g_quantize_options* options) {
  QuantizeOptions out;
  if (options == nullptr) return out;
  Q3G_ASSIGN(const auto in, read_struct(options, "options", default_quantize_options()));
  const auto n_types = static_cast<std::int32_t>(all_packed_weights().size());
  Q3G_ASSIGN(out.type, enum_of<PackedWeights>(in.type, n_types, "options.type"));
  out.group_size = in.group_size;
  Q3G_ASSIGN(out.embeddings, enum_of<PackedEmbeddings>(in.embeddings, 3, "options.embeddings"));
  Q3G_TRY(need_zero(in.reserved, "options"));
  Q3G_ASSIGN(out.overwrite, bool_of(in.overwrite, "options.overwrite"));
  Q3G_ASSIGN(out.keep_prefix, bool_of(in.keep_prefix, "options.keep_prefix"));
  out.n_threads = in.n_threads;
  if (in.progress != nullptr) {
    out.progress = [progress = in.progress, user = in.progress_user](std::int64_t n_done,
                                                                     std::int64_t n_total) {
      return progress(user, n_done, n_total) == 0;
    };
  }
  Q3G_ASSIGN(out.cancel, flag_of(in.cancel));
  return out;
}

Result<std::string_view> path_of(const char* path, std::size_t n_bytes, const char* name) {
  Q3G_ASSIGN(const std::string_view text, text_of(path, n_bytes, name));
  for (std::size_t i = 0; i < text.size();) {
    const detail::Utf8Step step = detail::utf8_step(text, i);
    if (!step.complete) {
      return failure(Q3G_E_INVALID_UTF8, name, ": ill-formed UTF-8 at byte ", i);
    }
    if (step.code_point == 0) return bad_argument(name, ": a NUL at byte ", i, "; paths have none");
    i += step.n_bytes;
  }
  return text;
}

Result<std::vector<Message>> read_messages(const q3g_message* messages, std::size_t n) {
  Q3G_ASSIGN(const auto all, Elements<const q3g_message>::of(messages, n, "messages"));
  std::vector<Message> out;
  out.reserve(std::min<std::size_t>(n, 1024));
  for (std::size_t i = 0; i < n; ++i) {
    Q3G_ASSIGN(const q3g_message in, all.read(i));
    const std::string name = detail::concat("messages[", i, "]");
    Q3G_ASSIGN(const Role role, enum_of<Role>(in.role, 4, (name + ".role").c_str()));
    Q3G_ASSIGN(const std::string_view text, text_of(in.text, in.text_bytes, (name + ".text").c_str()));
    out.push_back({role, std::string(text)});
  }
  return out;
}

}  // namespace qwen3guard::capi
