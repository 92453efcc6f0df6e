// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/guard_impl.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "kernels/isa.hpp"
#include "model/checkpoint/checkpoint.hpp"
#include "qwen3guard/quote.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/cpu_count.hpp"
#include "util/error.hpp"
#include "util/number_text.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

Status check_guard_options(const GuardOptions& options) {
  Q3G_TRY(detail::check_n_threads(options.n_threads));
  if (options.max_context_tokens < 0) {
    return detail::error(ErrorCode::invalid_argument,
                         "options.max_context_tokens: ", options.max_context_tokens, "; expected 0 or more");
  }
  if (options.verify < Verify::automatic || options.verify > Verify::full)
    return Error{ErrorCode::invalid_argument, "options.verify: no value of Verify"};
  if (options.unknown_template < UnknownTemplate::report ||
      options.unknown_template > UnknownTemplate::refuse)
    return detail::error(ErrorCode::invalid_argument,
                         "options.unknown_template: no value of UnknownTemplate");
  if (!options.known_template.empty() && !detail::is_fingerprint(options.known_template)) {
    return detail::error(ErrorCode::invalid_argument,
                         "options.known_template: ", quote(options.known_template),
                         "; expected 16 hexadecimal digits, as in ModelInfo::chat_template_fingerprint");
  }
  if (options.kept_tokens < 0) {
    return detail::error(ErrorCode::invalid_argument, "options.kept_tokens: ", options.kept_tokens,
                         "; expected 0 or more");
  }
  return {};
}

void log_load(const std::function<void(LogLevel, std::string_view)>& log, const std::string& name,
              const ModelInfo& info, bool is_packed, std::chrono::steady_clock::time_point start) {
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  constexpr std::int64_t kManyParameters = 50'000'000;
  log(LogLevel::info,
      detail::concat(name, ": a ", to_string(info.kind), " checkpoint of ", info.n_parameters,
                     " parameters as ", info.weight_dtype, ", loaded in ", detail::number_text(ms, 1),
                     " ms; instruction set ", info.isa, ", ", info.n_threads, " threads, context of ",
                     info.max_context_tokens, " tokens"));
  if (info.chat_template == ChatTemplate::unknown) {
    log(LogLevel::warning, name + ": its chat template (fingerprint " + info.chat_template_fingerprint +
                               ") is none of those that are known; conversations are rendered as for the "
                               "published " +
                               to_string(info.kind) + " checkpoints");
  }
  if (!is_packed && info.n_parameters >= kManyParameters) {
    log(LogLevel::warning, name +
                               ": the weights are not packed and are computed with in float32; a file packed "
                               "by quantize() is several times faster");
  }
}

}  // namespace

Result<Guard> Guard::Impl::load(const detail::Checkpoint& checkpoint, const GuardOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Q3G_TRY(check_guard_options(options));
  Q3G_ASSIGN(auto model, detail::Model::load(checkpoint, {.n_threads = options.n_threads,
                                                          .isa = options.isa,
                                                          .memory = options.memory,
                                                          .verify = options.verify == Verify::full}));
  std::optional<Tokenizer> tokenizer;
  const detail::ModelFiles& tokenizer_files = checkpoint.tokenizer_files();
  if (detail::has_tokenizer(tokenizer_files) || options.require_tokenizer) {
    Q3G_ASSIGN(tokenizer, detail::load_tokenizer(tokenizer_files));
    if (tokenizer->vocab_size() > model->config().vocab_size) {
      return detail::error(ErrorCode::bad_checkpoint, checkpoint.name(), ": the tokenizer has ids up to ",
                           tokenizer->vocab_size() - 1, ", but the model has ", model->config().vocab_size,
                           " embeddings");
    }
  }
  const ModelKind kind =
      model->config().architecture == detail::Architecture::guard ? ModelKind::stream : ModelKind::gen;
  Q3G_ASSIGN(auto templates, checkpoint.chat_templates());
  auto chat_template = detail::judge_templates(std::move(templates), kind, options.known_template);
  if (chat_template.kind == ChatTemplate::unknown && options.unknown_template == UnknownTemplate::refuse) {
    return detail::error(ErrorCode::unsupported_model, chat_template.file,
                         ": the chat template (fingerprint ", chat_template.fingerprint,
                         ") is none of those that are known; expected a published one, or its fingerprint as "
                         "options.known_template");
  }
  std::int32_t max_context = model->config().max_position_embeddings;
  if (options.max_context_tokens > 0) max_context = std::min(max_context, options.max_context_tokens);
  auto impl = std::make_shared<const Impl>(std::move(model), std::move(tokenizer), max_context,
                                           options.kept_tokens, std::move(chat_template));
  Q3G_TRY(impl->load_prefixes(checkpoint));
  if (options.log)
    log_load(options.log, checkpoint.name(), impl->info(),
             detail::kv_format(impl->model().kv_type()).is_packed, start);
  return Guard(std::move(impl));
}

Result<const Tokenizer*> Guard::Impl::need_tokenizer() const {
  if (tokenizer_) return &*tokenizer_;
  return Error{ErrorCode::bad_tokenizer,
               "the checkpoint was loaded without a tokenizer; expected one that has its tokenizer's files"};
}

Status Guard::Impl::load_prefixes(const detail::Checkpoint& checkpoint) const {
  if (is_stream() || !detail::kv_format(model_->kv_type()).is_packed) return {};
  for (const Role role : {Role::user, Role::assistant}) {
    Q3G_ASSIGN(const auto file, checkpoint.kept(detail::prefix_file_name(role)));
    if (!file) continue;
    Q3G_ASSIGN(detail::KeptPrefix kept,
               detail::read_prefix(file->blob, model_->config(), model_->kv_type(), file->display_name));
    prefixes_.pin(role, std::move(kept));
  }
  return {};
}

std::size_t Guard::Impl::max_text_bytes() const noexcept {
  if (!tokenizer_) return std::numeric_limits<std::size_t>::max();
  return detail::TokenizerAccess::impl(*tokenizer_)
      .max_text_bytes(static_cast<std::size_t>(max_context_tokens_));
}

Status Guard::Impl::check_context(std::size_t n_tokens) const {
  if (n_tokens <= static_cast<std::size_t>(max_context_tokens_)) return {};
  return detail::error(ErrorCode::context_full, "the conversation needs ", n_tokens,
                       " tokens; the context has ", max_context_tokens_);
}

Result<std::vector<HeadLogits>> Guard::Impl::logits(std::span<const TokenId> ids, bool last_only,
                                                    const CancelFlag* cancel) const {
  if (ids.empty()) return Error{ErrorCode::invalid_argument, "ids: empty; expected at least one token"};
  Q3G_TRY(check_context(ids.size()));
  const detail::ModelConfig& config = model_->config();
  auto scratch = pool_.borrow(*model_, ids.size());
  const std::size_t n_rows = last_only ? 1 : ids.size();
  const std::size_t n_hidden = config.hidden_size;
  std::vector<float> hidden_values(n_rows * n_hidden);
  const detail::Span2d<float> hidden(hidden_values.data(), n_rows, n_hidden);
  Q3G_TRY(model_->forward(ids, scratch->cache, scratch->workspace, hidden, cancel));

  const auto make = [&](std::string name, std::size_t n_cols) {
    return HeadLogits{std::move(name), static_cast<std::int32_t>(n_rows), static_cast<std::int32_t>(n_cols),
                      std::vector<float>(n_rows * n_cols)};
  };
  const auto view = [](HeadLogits& h) {
    return detail::Span2d<float>(h.values.data(), static_cast<std::size_t>(h.rows),
                                 static_cast<std::size_t>(h.cols));
  };
  std::vector<HeadLogits> out;
  if (!is_stream()) {
    out.push_back(make("logits", static_cast<std::size_t>(config.vocab_size)));
    model_->lm_logits(hidden, view(out.back()), scratch->workspace);
    return out;
  }
  for (const auto role : {detail::HeadRole::response, detail::HeadRole::query}) {
    const std::string prefix = role == detail::HeadRole::query ? "query_" : "";
    HeadLogits risk = make(prefix + "risk_level_logits", config.labels(role).risk.size());
    HeadLogits category = make(prefix + "category_logits", config.labels(role).category.size());
    model_->guard_heads(role, hidden, view(risk), view(category), scratch->workspace);
    out.push_back(std::move(risk));
    out.push_back(std::move(category));
  }
  return out;
}

ModelInfo Guard::Impl::info() const {
  const detail::ModelConfig& config = model_->config();
  ModelInfo out;
  out.kind = is_stream() ? ModelKind::stream : ModelKind::gen;
  out.architecture = config.architecture_name;
  const auto size = [](std::size_t n) { return static_cast<std::int32_t>(n); };
  out.hidden_size = size(config.hidden_size);
  out.n_layers = size(config.n_layers);
  out.n_heads = size(config.n_heads);
  out.n_kv_heads = size(config.n_kv_heads);
  out.head_dim = size(config.head_dim);
  out.intermediate_size = size(config.intermediate_size);
  out.vocab_size = config.vocab_size;
  out.max_context_tokens = max_context_tokens_;
  out.tied_embeddings = config.tie_word_embeddings;
  out.n_parameters = model_->n_parameters();
  out.weight_bytes = model_->weight_bytes();
  out.kv_bytes_per_token = detail::KvCache::bytes_per_token(config, model_->kv_type());
  out.weight_dtype = model_->weight_dtype();
  out.isa = model_->isa();
  out.isa_available = detail::available_isas();
  out.n_threads = model_->n_threads();
  out.chat_template = chat_template_.kind;
  out.chat_template_fingerprint = chat_template_.fingerprint;
  return out;
}

}  // namespace qwen3guard
