// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "embedded/embedded_models.hpp"
#include "guard/calls/classify_batch.hpp"
#include "guard/conversation/gen_template.hpp"
#include "guard/conversation/message_text.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/policy/list_ruling.hpp"
#include "guard/policy/policy_impl.hpp"
#include "guard/session/gen_stream.hpp"
#include "guard/session/head_stream.hpp"
#include "guard/session/push_together.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "qwen3guard/guard.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

/// Errors: unsupported_model (PhraseLists::judge_folded_copy, which nothing carries out yet).
Status check_lists(const Policy& policy) {
  if (policy.impl() == nullptr || !policy.impl()->spec.lists.judge_folded_copy) return {};
  return Error{ErrorCode::unsupported_model,
               "options.policy: lists.judge_folded_copy is true; this version judges no folded copies, "
               "expected false"};
}

Status check_options(const StreamOptions& options, std::int32_t max_context_tokens) {
  Q3G_TRY(check_lists(options.policy));
  if (options.gen_interval_tokens < 1) {
    return detail::error(ErrorCode::invalid_argument,
                         "options.gen_interval_tokens: ", options.gen_interval_tokens,
                         "; expected 1 or more");
  }
  if (options.max_tokens < 0 || options.max_tokens > max_context_tokens) {
    return detail::error(ErrorCode::invalid_argument, "options.max_tokens: ", options.max_tokens,
                         "; expected 0 (all) to ", max_context_tokens);
  }
  return {};
}

Status check_options(const ClassifyOptions& options, bool is_gen) {
  Q3G_TRY(check_lists(options.policy));
  if (options.thinking < Thinking::none || options.thinking > Thinking::skip)
    return Error{ErrorCode::invalid_argument, "options.thinking: no value of Thinking"};
  if (is_gen && options.thinking == Thinking::skip) {
    return Error{ErrorCode::invalid_argument,
                 "options.thinking: classify() of a Gen checkpoint cannot skip thinking; give it the answer "
                 "alone, or use a StreamSession"};
  }
  return {};
}

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// A conversation of the host's as it may be judged. Errors: those of checked_messages(), and check_dropped()
/// for a Gen checkpoint.
Result<std::span<const Message>> accepted(std::span<const Message> messages, const ClassifyOptions& options,
                                          bool is_gen, std::size_t max_bytes, std::vector<Message>& storage) {
  Q3G_ASSIGN(const auto checked,
             detail::checked_messages(messages, options.invalid_utf8, storage, max_bytes));
  if (is_gen) {
    Q3G_TRY(detail::check_dropped(
        checked, options.dropped_messages.value_or(options.policy.rules().dropped_messages)));
  }
  return checked;
}

/// The verdict on a conversation whose last message has a phrase that the policy denies: no model is asked.
std::optional<Verdict> denied_verdict(const Policy& policy, std::span<const Message> messages, bool is_gen) {
  if (messages.empty()) return std::nullopt;
  const Message& last = messages.back();
  if (last.role != Role::user && last.role != Role::assistant) return std::nullopt;
  auto ruling = detail::rule_by_lists(policy, last.content);
  if (!ruling) return std::nullopt;
  Verdict out;
  out.role = last.role;
  out.ruling = *std::move(ruling);
  if (is_gen) out.dropped_messages = detail::dropped_by_gen(messages);
  return out;
}

/// What every verdict gets at the end. A Stream checkpoint's has its role and ruling already.
void finish(detail::BatchItem& item, const ClassifyOptions& options, bool is_gen,
            std::chrono::steady_clock::time_point start) {
  item.is_done = true;
  if (!item.verdict.ok()) return;
  Verdict& verdict = *item.verdict;
  if (is_gen) {
    verdict.dropped_messages = detail::dropped_by_gen(item.messages);
    verdict.role = item.messages.back().role;
    auto ruling = detail::rule_on_model(options.policy, verdict);
    if (!ruling.ok()) {
      item.verdict = std::move(ruling).error();
      return;
    }
    verdict.ruling = *std::move(ruling);
  }
  verdict.latency_ms = ms_since(start);
}

/// Guard::classify().
Result<Verdict> classify_one(const std::shared_ptr<const Guard::Impl>& guard,
                             std::span<const Message> messages, const ClassifyOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const bool is_gen = !guard->is_stream();
  Q3G_TRY(check_options(options, is_gen));
  std::vector<Message> storage;
  Q3G_ASSIGN(const auto checked, accepted(messages, options, is_gen, guard->max_text_bytes(), storage));
  if (auto denied = denied_verdict(options.policy, messages, is_gen)) {
    denied->latency_ms = ms_since(start);
    return *std::move(denied);
  }
  detail::BatchItem item{checked};
  detail::BatchItem* const items[] = {&item};
  Q3G_TRY(detail::classify_items(guard, items, options, [&](detail::BatchItem& done) -> Status {
    finish(done, options, is_gen, start);
    return {};
  }));
  return std::move(item.verdict);
}

}  // namespace

const char* to_string(ModelKind kind) noexcept { return kind == ModelKind::gen ? "gen" : "stream"; }

const char* to_string(ChatTemplate kind) noexcept {
  switch (kind) {
    case ChatTemplate::absent:
      return "absent";
    case ChatTemplate::known:
      return "known";
    case ChatTemplate::unknown:
      return "unknown";
  }
  return "unknown";
}

Result<Guard> Guard::load(std::string_view model_dir, const GuardOptions& options) {
  return detail::guarded("load", [&]() -> Result<Guard> {
    Q3G_ASSIGN(const auto checkpoint, detail::open_checkpoint(std::string(model_dir)));
    return Impl::load(*checkpoint, options);
  });
}

Result<Guard> Guard::load_embedded(std::string_view name, const GuardOptions& options) {
  return detail::guarded("load_embedded", [&]() -> Result<Guard> {
    Q3G_ASSIGN(const auto checkpoint, detail::open_embedded(name));
    return Impl::load(*checkpoint, options);
  });
}

Result<Guard> Guard::load_memory(std::span<const ModelFile> files, std::shared_ptr<const void> owner,
                                 const GuardOptions& options) {
  return detail::guarded("load_memory", [&]() -> Result<Guard> {
    if (files.empty()) return Error{ErrorCode::invalid_argument, "files: none; expected a model's"};
    std::vector<detail::MemoryFiles::Entry> entries;
    for (const ModelFile& file : files) entries.push_back({file.name, file.bytes});
    Q3G_ASSIGN(const auto checkpoint,
               detail::open_checkpoint(detail::MemoryFiles("memory", std::move(entries), std::move(owner))));
    GuardOptions how = options;
    // The bytes are in memory, so that reading them costs little; and whoever brought them there saw no file
    // system's errors.
    if (how.verify == Verify::automatic) how.verify = Verify::full;
    return Impl::load(*checkpoint, how);
  });
}

std::vector<std::string> Guard::embedded_models() { return detail::embedded_model_names(); }

Result<Verdict> Guard::classify_prompt(std::string_view prompt, const ClassifyOptions& options) const {
  return detail::guarded("classify", [&] {
    const Message message{Role::user, std::string(prompt)};
    return classify_one(impl_, {&message, 1}, options);
  });
}

Result<Verdict> Guard::classify_response(std::string_view prompt, std::string_view response,
                                         const ClassifyOptions& options) const {
  return detail::guarded("classify", [&] {
    const std::vector<Message> messages = {{Role::user, std::string(prompt)},
                                           {Role::assistant, std::string(response)}};
    return classify_one(impl_, messages, options);
  });
}

Result<Verdict> Guard::classify(std::span<const Message> messages, const ClassifyOptions& options) const {
  return detail::guarded("classify", [&] { return classify_one(impl_, messages, options); });
}

std::vector<Result<Verdict>> Guard::classify_batch(std::span<const std::vector<Message>> conversations,
                                                   const ClassifyOptions& options) const {
  const auto start = std::chrono::steady_clock::now();
  std::vector<detail::BatchItem> items(conversations.size());
  Status status = detail::guarded("classify_batch", [&]() -> Status {
    const bool is_gen = !impl_->is_stream();
    Q3G_TRY(check_options(options, is_gen));
    std::vector<std::vector<Message>> storage(conversations.size());
    std::vector<detail::BatchItem*> good;
    for (std::size_t i = 0; i < conversations.size(); ++i) {
      auto checked = accepted(conversations[i], options, is_gen, impl_->max_text_bytes(), storage[i]);
      auto denied = checked.ok() ? denied_verdict(options.policy, conversations[i], is_gen) : std::nullopt;
      if (denied) {
        denied->latency_ms = ms_since(start);
        items[i].verdict = *std::move(denied);
        items[i].is_done = true;
      } else if (checked.ok()) {
        items[i].messages = *checked;
        good.push_back(&items[i]);
      } else {
        items[i].verdict = checked.error();
        items[i].is_done = true;
      }
    }
    std::size_t n_done = items.size() - good.size();
    const auto on_done = [&](detail::BatchItem& item) -> Status {
      finish(item, options, is_gen, start);
      if (!options.progress || options.progress(++n_done, items.size())) return {};
      return Error{ErrorCode::cancelled, "classify_batch: the progress callback asked to stop"};
    };
    return detail::classify_items(impl_, good, options, on_done);
  });
  std::vector<Result<Verdict>> out;
  out.reserve(items.size());
  for (detail::BatchItem& item : items) {
    if (status.ok() || item.is_done) {
      out.push_back(std::move(item.verdict));
    } else {
      out.emplace_back(status.error());
    }
  }
  return out;
}

void Guard::push_batch(std::span<StreamPush> pushes) const {
  Status status = detail::guarded("push_batch", [&]() -> Status {
    std::vector<StreamSession::Impl*> sessions;
    sessions.reserve(pushes.size());
    for (const StreamPush& push : pushes)
      sessions.push_back(push.session != nullptr ? push.session->impl_.get() : nullptr);
    detail::push_together(*impl_, pushes, sessions);
    return {};
  });
  if (status.ok()) return;
  for (StreamPush& push : pushes) push.status = status;
}

Result<StreamSession> Guard::open_stream(const StreamOptions& options) const {
  return detail::guarded("open_stream", [&]() -> Result<StreamSession> {
    Q3G_TRY(check_options(options, impl_->max_context_tokens()));
    const std::int32_t capacity = options.max_tokens > 0 ? options.max_tokens : impl_->max_context_tokens();
    if (impl_->is_stream())
      return StreamSession(std::make_unique<detail::HeadStream>(impl_, options, capacity));
    Q3G_TRY(impl_->need_tokenizer());
    return StreamSession(std::make_unique<detail::GenStream>(impl_, options, capacity));
  });
}

Result<std::vector<HeadLogits>> Guard::logits(std::span<const TokenId> ids, bool last_only,
                                              const CancelFlag* cancel) const {
  return detail::guarded("logits", [&] { return impl_->logits(ids, last_only, cancel); });
}

ModelInfo Guard::info() const { return impl_->info(); }

ModelKind Guard::kind() const noexcept { return impl_->is_stream() ? ModelKind::stream : ModelKind::gen; }

const Tokenizer* Guard::tokenizer() const noexcept {
  return impl_->tokenizer().has_value() ? &*impl_->tokenizer() : nullptr;
}

}  // namespace qwen3guard
