// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/generator.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "guard/conversation/conversation.hpp"
#include "guard/conversation/message_text.hpp"
#include "guard/gen/end_tokens.hpp"
#include "guard/gen/sampler.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "util/common_prefix.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {

class Generator::Impl {
 public:
  Impl(std::shared_ptr<const Guard::Impl> guard, const SamplingOptions& options)
      : guard_(std::move(guard)),
        sampler_(options),
        cancel_(options.cancel),
        cache_(guard_->model().new_cache(static_cast<std::size_t>(guard_->max_context_tokens()))),
        ends_(detail::end_tokens(guard_->model().config(),
                                 guard_->tokenizer() ? &*guard_->tokenizer() : nullptr)),
        logits_(static_cast<std::size_t>(guard_->model().config().vocab_size)) {}

  Status set_conversation(std::span<const Message> messages) {
    if (messages.empty() || messages.back().role != Role::user)
      return Error{ErrorCode::invalid_argument, "generator: the last message must be the user's"};
    std::vector<Message> storage;
    Q3G_ASSIGN(const auto checked, detail::checked_messages(messages, InvalidUtf8::reject, storage));
    Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
    Q3G_TRY(detail::first_to_read(*tokenizer, checked, StreamOptions(),
                                  static_cast<std::size_t>(guard_->max_context_tokens())));
    Q3G_ASSIGN(const std::vector<TokenId> ids, detail::render_chat(*tokenizer, checked, true));
    return set_tokens(ids);
  }

  Status set_tokens(std::span<const TokenId> ids) {
    if (ids.empty()) return Error{ErrorCode::invalid_argument, "generator: no tokens; expected at least one"};
    const std::int32_t vocab_size = guard_->model().config().vocab_size;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] >= 0 && ids[i] < vocab_size) continue;
      return detail::error(ErrorCode::token_out_of_range, "generator: ids[", i, "] is ", ids[i],
                           "; expected 0 to ", vocab_size - 1);
    }
    Q3G_TRY(guard_->check_context(ids.size()));
    std::vector<TokenId> tape(ids.begin(), ids.end());
    const std::size_t n = detail::common_prefix(tape, ids_);
    if (n < cache_.n_tokens()) cache_.truncate(n);
    ids_ = std::move(tape);
    return {};
  }

  Result<TokenId> next() {
    if (ids_.empty())
      return Error{ErrorCode::invalid_argument,
                   "generator: nothing was said; set_conversation() comes first"};
    Q3G_TRY(guard_->check_context(ids_.size() + 1));
    // The last token's state is needed, even when it was read before (after a rewind).
    cache_.truncate(std::min(cache_.n_tokens(), ids_.size() - 1));
    const std::size_t width = guard_->model().config().hidden_size;
    hidden_.resize(width);
    auto scratch = guard_->pool().borrow(guard_->model(), 0);
    Q3G_TRY(guard_->model().forward(std::span(ids_).subspan(cache_.n_tokens()), cache_, scratch->workspace,
                                    detail::Span2d<float>(hidden_.data(), 1, width), cancel_.get()));
    guard_->model().lm_logits(detail::Span2d<const float>(hidden_.data(), 1, width),
                              detail::Span2d<float>(logits_.data(), 1, logits_.size()), scratch->workspace);
    if (!std::all_of(logits_.begin(), logits_.end(), [](float v) { return std::isfinite(v); })) {
      return Error{ErrorCode::bad_checkpoint,
                   "language-model head: a logit is not finite; the weights are damaged"};
    }
    ids_.reserve(ids_.size() + 1);
    const TokenId id = sampler_.sample(logits_);
    ids_.push_back(id);
    return id;
  }

  [[nodiscard]] bool is_end(TokenId id) const noexcept {
    return std::find(ends_.begin(), ends_.end(), id) != ends_.end();
  }
  [[nodiscard]] std::int32_t position() const noexcept { return static_cast<std::int32_t>(ids_.size()); }

  Status rewind(std::int32_t n) {
    if (n < 0 || n > position()) {
      return detail::error(ErrorCode::invalid_argument, "generator: position ", n, "; expected 0 to ",
                           position());
    }
    ids_.resize(static_cast<std::size_t>(n));
    cache_.truncate(std::min(cache_.n_tokens(), ids_.size()));
    return {};
  }

 private:
  std::shared_ptr<const Guard::Impl> guard_;
  detail::Sampler sampler_;
  std::shared_ptr<const CancelFlag> cancel_;
  detail::KvCache cache_;
  std::vector<TokenId> ids_, ends_;  // said; ids that end an answer
  std::vector<float> logits_, hidden_;
};

Generator::Generator(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

Result<Generator> Guard::open_generator(const SamplingOptions& options) const {
  return detail::guarded("generator", [&]() -> Result<Generator> {
    if (impl_->is_stream()) {
      return Error{ErrorCode::unsupported_model,
                   impl_->model().config().architecture_name +
                       " writes no text; expected a Qwen3ForCausalLM checkpoint"};
    }
    Q3G_TRY(detail::check(options));
    return Generator(std::make_unique<Generator::Impl>(impl_, options));
  });
}

Status Generator::set_conversation(std::span<const Message> messages) {
  return detail::guarded("generator", [&] { return impl_->set_conversation(messages); });
}
Status Generator::set_tokens(std::span<const TokenId> ids) {
  return detail::guarded("generator", [&] { return impl_->set_tokens(ids); });
}
Result<TokenId> Generator::next() {
  return detail::guarded("generator", [&] { return impl_->next(); });
}
bool Generator::is_end(TokenId id) const noexcept { return impl_->is_end(id); }
std::int32_t Generator::position() const noexcept { return impl_->position(); }
Status Generator::rewind(std::int32_t position) { return impl_->rewind(position); }

}  // namespace qwen3guard
