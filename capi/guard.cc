// SPDX-License-Identifier: Apache-2.0
// Models and verdicts.
#include "convert.hpp"
#include "handles.hpp"
#include "util/concat.hpp"
#include "util/exceptions.hpp"

using namespace qwen3guard;
using namespace qwen3guard::capi;

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

/// One error of an array of slots.
void write_element_error(const Elements<q3g_error>& errors, std::size_t i, q3g_status code,
                         std::string_view message) noexcept {
  q3g_error* const slot = errors.at(i);
  slot->struct_size = static_cast<std::uint32_t>(errors.step());
  write_error(slot, errors.step(), code, message);
}

}  // namespace

q3g_status q3g_guard_load(const char* path, size_t path_bytes, const q3g_guard_options* options,
                          q3g_guard** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_load", [&]() -> Status {
    // First of all: who gave an allocator is told when it is in use no more, whatever else is wrong.
    Q3G_ASSIGN(const GuardOptions all, read_options(options));
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const std::string_view place, path_of(path, path_bytes, "path"));
    Q3G_ASSIGN(Guard loaded, Guard::load(place, all));
    *out = make_handle<q3g_guard>(std::move(loaded));
    return {};
  });
}

q3g_status q3g_guard_load_embedded(const char* name, size_t name_bytes, const q3g_guard_options* options,
                                   q3g_guard** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_load_embedded", [&]() -> Status {
    Q3G_ASSIGN(const GuardOptions all, read_options(options));
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const std::string_view model, text_of(name, name_bytes, "name"));
    Q3G_ASSIGN(Guard loaded, Guard::load_embedded(model, all));
    *out = make_handle<q3g_guard>(std::move(loaded));
    return {};
  });
}

q3g_status q3g_guard_load_memory(const q3g_file* files, size_t n_files, q3g_release_fn release,
                                 void* release_user, const q3g_guard_options* options, q3g_guard** out,
                                 q3g_error* err) noexcept {
  // First of all, so that the bytes are released whatever happens.
  std::shared_ptr<const void> owner;
  bool has_memory = true;
  if (release != nullptr) {
    // Without memory for the owner the bytes were released.
    has_memory = detail::if_memory_lasts([&] {
      owner = std::shared_ptr<const void>(release_user, [=](const void*) { release(release_user); });
    });
  }
  return call(err, "q3g_guard_load_memory", [&]() -> Status {
    std::shared_ptr<const void> owned = std::move(owner);
    if (!has_memory) return failure(Q3G_E_OUT_OF_MEMORY, "not enough memory");
    Q3G_ASSIGN(const GuardOptions how, read_options(options));
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto all, Elements<const q3g_file>::of(files, n_files, "files"));
    std::vector<ModelFile> in_memory;
    for (std::size_t i = 0; i < n_files; ++i) {
      Q3G_ASSIGN(const q3g_file file, all.read(i));
      const std::string name = detail::concat("files[", i, "]");
      Q3G_TRY(need_zero(file.reserved, name.c_str()));
      if (file.name == nullptr) return bad_argument(name + ".name is NULL");
      Q3G_ASSIGN(const std::string_view bytes,
                 text_of(static_cast<const char*>(file.bytes), file.n_bytes, (name + ".bytes").c_str()));
      in_memory.push_back({file.name, std::as_bytes(std::span(bytes.data(), bytes.size()))});
    }
    Q3G_ASSIGN(Guard loaded, Guard::load_memory(in_memory, std::move(owned), how));
    *out = make_handle<q3g_guard>(std::move(loaded));
    return {};
  });
}

void q3g_guard_free(q3g_guard* guard) noexcept { free_handle(guard); }

q3g_status q3g_guard_info(const q3g_guard* guard, q3g_model_info* out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_info", [&]() -> Status {
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    const ModelInfo in = model->info();
    q3g_model_info info{};
    info.kind = static_cast<std::int32_t>(in.kind);
    info.hidden_size = in.hidden_size;
    info.n_layers = in.n_layers;
    info.n_heads = in.n_heads;
    info.n_kv_heads = in.n_kv_heads;
    info.head_dim = in.head_dim;
    info.intermediate_size = in.intermediate_size;
    info.vocab_size = in.vocab_size;
    info.max_context_tokens = in.max_context_tokens;
    info.tied_embeddings = in.tied_embeddings ? 1 : 0;
    info.n_threads = in.n_threads;
    info.n_parameters = in.n_parameters;
    info.weight_bytes = in.weight_bytes;
    info.kv_bytes_per_token = in.kv_bytes_per_token;
    set_chars(info.architecture, in.architecture);
    set_chars(info.weight_dtype, in.weight_dtype);
    set_chars(info.isa, in.isa);
    set_chars(info.isa_available, joined(in.isa_available));
    info.chat_template = static_cast<std::int32_t>(in.chat_template);
    set_chars(info.chat_template_fingerprint, in.chat_template_fingerprint);
    place.write(info);
    return {};
  });
}

q3g_status q3g_guard_tokenizer(const q3g_guard* guard, q3g_tokenizer** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_tokenizer", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto model, needed(guard));
    const Tokenizer* const tokenizer = model->tokenizer();
    if (tokenizer == nullptr) return failure(Q3G_E_BAD_TOKENIZER, "the model was loaded without a tokenizer");
    *out = make_handle<q3g_tokenizer>(*tokenizer);
    return {};
  });
}

q3g_status q3g_guard_logits(const q3g_guard* guard, const int32_t* ids, size_t n_ids, int32_t last_only,
                            q3g_cancel* cancel, q3g_logits** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_logits", [&]() -> Status {
    Q3G_TRY(need_out(out));
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto flag, flag_of(cancel));
    Q3G_ASSIGN(const auto tokens, ids_of(ids, n_ids));
    Q3G_ASSIGN(const bool is_last_only, bool_of(last_only, "last_only"));
    Q3G_ASSIGN(auto heads, model->logits(tokens, is_last_only, flag.get()));
    *out = make_handle<q3g_logits>(std::move(heads));
    return {};
  });
}

size_t q3g_logits_count(const q3g_logits* logits) noexcept {
  const Use heads(logits);
  return heads ? heads->size() : 0;
}

q3g_status q3g_logits_get(const q3g_logits* logits, size_t index, q3g_head_logits* out,
                          q3g_error* err) noexcept {
  return call(err, "q3g_logits_get", [&]() -> Status {
    Q3G_ASSIGN(const auto heads, needed(logits));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const HeadLogits* const head, at(*heads, index));
    q3g_head_logits value{};
    value.rows = head->rows;
    value.cols = head->cols;
    value.name = head->name.c_str();
    value.values = head->values.data();
    place.write(value);
    return {};
  });
}

void q3g_logits_free(q3g_logits* logits) noexcept { free_handle(logits); }

q3g_status q3g_guard_classify_prompt(const q3g_guard* guard, const char* prompt, size_t prompt_bytes,
                                     const q3g_classify_options* options, q3g_verdict* out,
                                     q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify_prompt", [&]() -> Status {
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const std::string_view text, text_of(prompt, prompt_bytes, "prompt"));
    Q3G_ASSIGN(const ClassifyOptions how, read_options(options));
    Q3G_ASSIGN(const Verdict verdict, model->classify_prompt(text, how));
    write_verdict(place, verdict);
    return {};
  });
}

q3g_status q3g_guard_classify_response(const q3g_guard* guard, const char* prompt, size_t prompt_bytes,
                                       const char* response, size_t response_bytes,
                                       const q3g_classify_options* options, q3g_verdict* out,
                                       q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify_response", [&]() -> Status {
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const std::string_view asked, text_of(prompt, prompt_bytes, "prompt"));
    Q3G_ASSIGN(const std::string_view answered, text_of(response, response_bytes, "response"));
    Q3G_ASSIGN(const ClassifyOptions how, read_options(options));
    Q3G_ASSIGN(const Verdict verdict, model->classify_response(asked, answered, how));
    write_verdict(place, verdict);
    return {};
  });
}

q3g_status q3g_guard_classify(const q3g_guard* guard, const q3g_message* messages, size_t n_messages,
                              const q3g_classify_options* options, q3g_verdict* out,
                              q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify", [&]() -> Status {
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto place, need(out, "out"));
    Q3G_ASSIGN(const auto conversation, read_messages(messages, n_messages));
    Q3G_ASSIGN(const ClassifyOptions how, read_options(options));
    Q3G_ASSIGN(const Verdict verdict, model->classify(conversation, how));
    write_verdict(place, verdict);
    return {};
  });
}

q3g_status q3g_guard_classify_batch(const q3g_guard* guard, const q3g_conversation* conversations,
                                    size_t n_conversations, const q3g_classify_options* options,
                                    q3g_verdict* out, q3g_error* errors, q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify_batch", [&]() -> Status {
    Q3G_ASSIGN(const auto model, needed(guard));
    Q3G_ASSIGN(const auto all,
               Elements<const q3g_conversation>::of(conversations, n_conversations, "conversations"));
    Q3G_ASSIGN(const auto verdicts, Elements<q3g_verdict>::of(out, n_conversations, "out"));
    Q3G_ASSIGN(const auto slots,
               Elements<q3g_error>::of(errors, errors == nullptr ? 0 : n_conversations, "errors"));
    std::vector<std::vector<Message>> in;
    for (std::size_t i = 0; i < n_conversations; ++i) {
      Q3G_ASSIGN(const q3g_conversation conversation, all.read(i));
      Q3G_TRY(need_zero(conversation.reserved, "conversation"));
      Q3G_ASSIGN(in.emplace_back(), read_messages(conversation.messages, conversation.n_messages));
    }
    Q3G_ASSIGN(const ClassifyOptions how, read_options(options));
    const auto results = model->classify_batch(in, how);
    for (std::size_t i = 0; i < n_conversations; ++i) {
      const auto size = static_cast<std::uint32_t>(verdicts.step());
      std::memcpy(verdicts.at(i), &size, sizeof size);
      const Out<q3g_verdict> place(verdicts.at(i), verdicts.step());
      if (results[i].ok()) {
        write_verdict(place, *results[i]);
        if (i < slots.size()) write_element_error(slots, i, Q3G_OK, "");
      } else {
        const q3g_status code = code_of(results[i].error());
        write_no_verdict(place, code, rule_unjudged(how.policy));
        if (i < slots.size()) write_element_error(slots, i, code, results[i].error().detail);
      }
    }
    return {};
  });
}
