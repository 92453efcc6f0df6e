// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <list>
#include <utility>

#include "guard/calls/wave.hpp"
#include "guard/gen/classify_gen.hpp"
#include "guard/gen/gen_decode.hpp"
#include "guard/gen/verdict_decoder.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// A conversation under way.
struct GenRequest {
  BatchItem* item;
  KvCache cache;
  GenPrompt prompt;
  VerdictDecoder decoder;

  [[nodiscard]] Result<Verdict> verdict() {
    Q3G_ASSIGN(Verdict out, decoder.result());
    prompt.count_tokens(out);
    return out;
  }
};

/// What the two kinds of waves have in common.
class AnyGenWave : public Wave {
 public:
  AnyGenWave(const Guard::Impl& guard, const CancelFlag* cancel) : guard_(guard), cancel_(cancel) {}

  Result<Placed> place(std::span<const Message> messages) override {
    Placed out;
    Q3G_ASSIGN(out.ids, render_gen(guard_, messages));
    out.n_needed = out.ids.size() + static_cast<std::size_t>(kMaxVerdictTokens);
    return out;
  }

  Result<SharedBeginning> read(Role last_role, std::vector<TokenId> ids) override {
    return read_gen_beginning(guard_, last_role, std::move(ids), cancel_);
  }

 protected:
  const Guard::Impl& guard_;
  const CancelFlag* cancel_;
};

class GenSingleWave final : public AnyGenWave {
 public:
  GenSingleWave(const Guard::Impl& guard, const ClassifyOptions& options)
      : AnyGenWave(guard, options.cancel.get()), options_(options) {}

  Result<std::size_t> add(BatchItem& item) override {
    Q3G_ASSIGN(item.verdict, classify_gen(guard_, item.messages, options_, item.beginning));
    item_ = &item;
    return std::numeric_limits<std::size_t>::max();
  }

  Status run(const std::function<Status(BatchItem&)>& on_done) override {
    BatchItem* const item = std::exchange(item_, nullptr);
    return item != nullptr ? on_done(*item) : Status();
  }

 private:
  const ClassifyOptions& options_;
  BatchItem* item_ = nullptr;
};

class GenWave final : public AnyGenWave {
 public:
  GenWave(const Guard::Impl& guard, const CancelFlag* cancel)
      : AnyGenWave(guard, cancel), scratch_(guard.pool().borrow(guard.model(), 0)) {}

  Result<std::size_t> add(BatchItem& item) override {
    KvCache cache = guard_.model().new_cache(0);
    Q3G_ASSIGN(GenPrompt prompt,
               begin_gen(guard_, item.messages, item.beginning, cache, scratch_->workspace, cancel_));
    VerdictDecoder decoder(guard_.model(), *guard_.tokenizer(), prompt.rest(), prompt.subject());
    if (!decoder.needs_tokens()) return decoder.result().error();
    const std::size_t n_tokens = prompt.rest().size();
    requests_.push_back({&item, std::move(cache), std::move(prompt), std::move(decoder)});
    return n_tokens;
  }

  Status run(const std::function<Status(BatchItem&)>& on_done) override {
    while (!requests_.empty()) {
      const Status status = feed_all();
      for (auto request = requests_.begin(); request != requests_.end();) {
        if (status.ok() && request->decoder.needs_tokens()) {
          ++request;
          continue;
        }
        BatchItem& item = *request->item;
        item.verdict = status.ok() ? request->verdict() : status.error();
        Q3G_TRY(on_done(item));
        request = requests_.erase(request);
      }
    }
    return {};
  }

 private:
  /// Feeds what the decoders need, in one forward.
  Status feed_all() {
    const std::size_t width = guard_.model().config().hidden_size;
    Workspace& workspace = scratch_->workspace;
    workspace.parts.clear();
    for (GenRequest& request : requests_)
      workspace.parts.push_back({request.decoder.tokens(), &request.cache, 1});
    workspace.hidden.reserve_discard(requests_.size() * width);
    const Span2d<float> hidden(workspace.hidden.data(), requests_.size(), width);
    Q3G_TRY(guard_.model().forward_batch(workspace.parts, workspace, hidden, cancel_));
    std::size_t row = 0;
    for (GenRequest& request : requests_) request.decoder.answer(hidden.row(row++));
    return {};
  }

  WorkspacePool::Lease scratch_;
  std::list<GenRequest> requests_;
};

}  // namespace

std::unique_ptr<Wave> gen_single_wave(const Guard::Impl& guard, const ClassifyOptions& options) {
  return std::make_unique<GenSingleWave>(guard, options);
}

std::unique_ptr<Wave> gen_wave(const Guard::Impl& guard, const ClassifyOptions& options) {
  return std::make_unique<GenWave>(guard, options.cancel.get());
}

}  // namespace qwen3guard::detail
