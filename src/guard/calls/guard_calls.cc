// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "embedded/embedded_models.hpp"
#include "guard/calls/classify_batch.hpp"
#include "guard/calls/folded_copies.hpp"
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
#include "tokenizer/aligned_tokens.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

Status check_options(const StreamOptions& options, std::int32_t max_context_tokens) {
  if (options.policy.impl() != nullptr && options.policy.impl()->spec.lists.judge_folded_copy) {
    return Error{ErrorCode::invalid_argument,
                 "options.policy: lists.judge_folded_copy: a stream judges no folded copy; expected a policy "
                 "without it, or classify()"};
  }
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
  const std::size_t max_last_bytes =
      detail::uses_windows(options) ? std::numeric_limits<std::size_t>::max() : max_bytes;
  Q3G_ASSIGN(const auto checked,
             detail::checked_messages(messages, options.invalid_utf8, storage, max_bytes, max_last_bytes));
  if (is_gen) {
    Q3G_TRY(detail::check_dropped(
        checked, options.dropped_messages.value_or(options.policy.rules().dropped_messages)));
  }
  return checked;
}

/// Offsets into a text that was repaired become offsets into that which was given.
void restore_offsets(Verdict& verdict, const detail::ReplacedText& repaired) {
  const auto restore = [&](std::int64_t& begin, std::int64_t& end) {
    const detail::ByteRange range =
        repaired.range({static_cast<std::size_t>(begin), static_cast<std::size_t>(end)});
    begin = static_cast<std::int64_t>(range.begin);
    end = static_cast<std::int64_t>(range.end);
  };
  for (TokenVerdict& token : verdict.token_verdicts) restore(token.byte_begin, token.byte_end);
  restore(verdict.ruling.byte_begin, verdict.ruling.byte_end);
  if (verdict.window) restore(verdict.window->byte_begin, verdict.window->byte_end);
  for (Verdict& window : verdict.windows) restore_offsets(window, repaired);
}

/// What every verdict gets at the end. given: the conversation as the host gave it.
void finish(detail::BatchItem& item, std::span<const Message> given, bool is_gen,
            std::chrono::steady_clock::time_point start) {
  if (!item.verdict.ok()) {
    item.is_done = true;
    return;
  }
  Verdict& verdict = *item.verdict;
  const std::string& text = given.back().content;
  if (item.messages.back().content != text) restore_offsets(verdict, detail::replaced_text(text, true));
  if (is_gen) verdict.dropped_messages = detail::dropped_by_gen(item.messages);
  verdict.latency_ms = ms_since(start);
  item.is_done = true;  // when nothing can fail any more
}

/// The verdict on a conversation whose last message has a phrase that the policy denies: the model is not
/// asked. Empty when there is none.
std::optional<Verdict> denied(std::span<const Message> given, const Policy& policy, bool is_gen,
                              std::chrono::steady_clock::time_point start) {
  if (given.empty() || given.back().role == Role::system || given.back().role == Role::tool)
    return std::nullopt;
  auto ruling = detail::rule_by_lists(policy, given.back().content);
  if (!ruling) return std::nullopt;
  Verdict out;
  out.role = given.back().role;
  out.ruling = *std::move(ruling);
  if (is_gen) out.dropped_messages = detail::dropped_by_gen(given);
  out.latency_ms = ms_since(start);
  return out;
}

/// Guard::classify().
Result<Verdict> classify_one(const std::shared_ptr<const Guard::Impl>& guard,
                             std::span<const Message> messages, const ClassifyOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const bool is_gen = !guard->is_stream();
  Q3G_TRY(check_options(options, is_gen));
  std::vector<Message> storage;
  Q3G_ASSIGN(const auto checked, accepted(messages, options, is_gen, guard->max_text_bytes(), storage));
  if (auto verdict = denied(messages, options.policy, is_gen, start)) return *std::move(verdict);
  detail::BatchItem item{checked};
  std::vector<detail::BatchItem*> items;
  detail::FoldedCopies copies(options.policy);
  copies.add(item, items);
  detail::BatchCalls calls;
  calls.on_done = [&](detail::BatchItem& part) -> Status {
    if (detail::BatchItem* const done = copies.done(part)) finish(*done, messages, is_gen, start);
    return {};
  };
  Q3G_TRY(detail::classify_items(guard, items, options, calls));
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
    std::vector<detail::BatchItem*> to_judge;
    detail::FoldedCopies copies(options.policy);
    std::size_t n_done = 0;
    for (std::size_t i = 0; i < conversations.size(); ++i) {
      auto checked = accepted(conversations[i], options, is_gen, impl_->max_text_bytes(), storage[i]);
      if (checked.ok()) {
        auto verdict = denied(conversations[i], options.policy, is_gen, start);
        if (!verdict) {
          items[i].messages = *checked;
          copies.add(items[i], to_judge);
          continue;
        }
        items[i].verdict = *std::move(verdict);
      } else {
        items[i].verdict = checked.error();
      }
      items[i].is_done = true;
      ++n_done;
    }
    const auto tell = [&]() -> Status {
      if (!options.progress || options.progress(n_done, items.size())) return {};
      return Error{ErrorCode::cancelled, "classify_batch: the progress callback asked to stop"};
    };
    const auto on_done = [&](detail::BatchItem& part) -> Status {
      detail::BatchItem* const item = copies.done(part);
      if (item == nullptr) return {};
      finish(*item, conversations[static_cast<std::size_t>(item - items.data())], is_gen, start);
      ++n_done;
      return tell();
    };
    return detail::classify_items(impl_, to_judge, options, {on_done, tell});
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
