// SPDX-License-Identifier: Apache-2.0
// Models and verdicts.
#include <new>

#include "convert.hpp"
#include "handles.hpp"
#include "util/concat.hpp"

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
  return call(err, "q3g_guard_load", [&] {
    // First of all: who gave an allocator is told when it is in use no more, whatever else is wrong.
    const GuardOptions all = read_options(options);
    need_out(out);
    *out = make_handle<q3g_guard>(take(Guard::load(path_of(path, path_bytes, "path"), all)));
  });
}

q3g_status q3g_guard_load_embedded(const char* name, size_t name_bytes, const q3g_guard_options* options,
                                   q3g_guard** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_load_embedded", [&] {
    const GuardOptions all = read_options(options);
    need_out(out);
    *out = make_handle<q3g_guard>(take(Guard::load_embedded(text_of(name, name_bytes, "name"), all)));
  });
}

q3g_status q3g_guard_load_memory(const q3g_file* files, size_t n_files, q3g_release_fn release,
                                 void* release_user, const q3g_guard_options* options, q3g_guard** out,
                                 q3g_error* err) noexcept {
  // First of all, so that the bytes are released whatever happens.
  std::shared_ptr<const void> owner;
  bool has_memory = true;
  if (release != nullptr) {
    try {
      owner = std::shared_ptr<const void>(release_user, [=](const void*) { release(release_user); });
    } catch (...) {
      has_memory = false;  // and the bytes were released
    }
  }
  return call(err, "q3g_guard_load_memory", [&] {
    std::shared_ptr<const void> owned = std::move(owner);
    if (!has_memory) throw std::bad_alloc();
    const GuardOptions how = read_options(options);
    need_out(out);
    const Elements<const q3g_file> all(files, n_files, "files");
    std::vector<ModelFile> in_memory;
    for (std::size_t i = 0; i < n_files; ++i) {
      const q3g_file file = all.read(i);
      const std::string name = detail::concat("files[", i, "]");
      need_zero(file.reserved, name.c_str());
      if (file.name == nullptr) bad_argument(name + ".name is NULL");
      const std::string_view bytes =
          text_of(static_cast<const char*>(file.bytes), file.n_bytes, (name + ".bytes").c_str());
      in_memory.push_back({file.name, std::as_bytes(std::span(bytes.data(), bytes.size()))});
    }
    *out = make_handle<q3g_guard>(take(Guard::load_memory(in_memory, std::move(owned), how)));
  });
}

void q3g_guard_free(q3g_guard* guard) noexcept { free_handle(guard); }

q3g_status q3g_guard_info(const q3g_guard* guard, q3g_model_info* out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_info", [&] {
    const Needed model(guard);
    const auto place = need(out, "out");
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
  });
}

q3g_status q3g_guard_tokenizer(const q3g_guard* guard, q3g_tokenizer** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_tokenizer", [&] {
    need_out(out);
    const Needed model(guard);
    const Tokenizer* const tokenizer = model->tokenizer();
    if (tokenizer == nullptr)
      throw CallError(Q3G_E_BAD_TOKENIZER, "the model was loaded without a tokenizer");
    *out = make_handle<q3g_tokenizer>(*tokenizer);
  });
}

q3g_status q3g_guard_logits(const q3g_guard* guard, const int32_t* ids, size_t n_ids, int32_t last_only,
                            q3g_cancel* cancel, q3g_logits** out, q3g_error* err) noexcept {
  return call(err, "q3g_guard_logits", [&] {
    need_out(out);
    const Needed model(guard);
    const auto flag = flag_of(cancel);
    *out = make_handle<q3g_logits>(
        take(model->logits(ids_of(ids, n_ids), bool_of(last_only, "last_only"), flag.get())));
  });
}

size_t q3g_logits_count(const q3g_logits* logits) noexcept {
  const Use heads(logits);
  return heads ? heads->size() : 0;
}

q3g_status q3g_logits_get(const q3g_logits* logits, size_t index, q3g_head_logits* out,
                          q3g_error* err) noexcept {
  return call(err, "q3g_logits_get", [&] {
    const Needed heads(logits);
    const auto place = need(out, "out");
    const HeadLogits& head = at(*heads, index);
    q3g_head_logits value{};
    value.rows = head.rows;
    value.cols = head.cols;
    value.name = head.name.c_str();
    value.values = head.values.data();
    place.write(value);
  });
}

void q3g_logits_free(q3g_logits* logits) noexcept { free_handle(logits); }

q3g_status q3g_guard_classify_prompt(const q3g_guard* guard, const char* prompt, size_t prompt_bytes,
                                     const q3g_classify_options* options, q3g_verdict* out,
                                     q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify_prompt", [&] {
    const Needed model(guard);
    const auto place = need(out, "out");
    write_verdict(
        place, take(model->classify_prompt(text_of(prompt, prompt_bytes, "prompt"), read_options(options))));
  });
}

q3g_status q3g_guard_classify_response(const q3g_guard* guard, const char* prompt, size_t prompt_bytes,
                                       const char* response, size_t response_bytes,
                                       const q3g_classify_options* options, q3g_verdict* out,
                                       q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify_response", [&] {
    const Needed model(guard);
    const auto place = need(out, "out");
    write_verdict(place, take(model->classify_response(text_of(prompt, prompt_bytes, "prompt"),
                                                       text_of(response, response_bytes, "response"),
                                                       read_options(options))));
  });
}

q3g_status q3g_guard_classify(const q3g_guard* guard, const q3g_message* messages, size_t n_messages,
                              const q3g_classify_options* options, q3g_verdict* out,
                              q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify", [&] {
    const Needed model(guard);
    const auto place = need(out, "out");
    write_verdict(place, take(model->classify(read_messages(messages, n_messages), read_options(options))));
  });
}

q3g_status q3g_guard_classify_batch(const q3g_guard* guard, const q3g_conversation* conversations,
                                    size_t n_conversations, const q3g_classify_options* options,
                                    q3g_verdict* out, q3g_error* errors, q3g_error* err) noexcept {
  return call(err, "q3g_guard_classify_batch", [&] {
    const Needed model(guard);
    const Elements<const q3g_conversation> all(conversations, n_conversations, "conversations");
    const Elements<q3g_verdict> verdicts(out, n_conversations, "out");
    const Elements<q3g_error> slots(errors, errors == nullptr ? 0 : n_conversations, "errors");
    std::vector<std::vector<Message>> in;
    for (std::size_t i = 0; i < n_conversations; ++i) {
      const q3g_conversation conversation = all.read(i);
      need_zero(conversation.reserved, "conversation");
      in.push_back(read_messages(conversation.messages, conversation.n_messages));
    }
    const auto results = model->classify_batch(in, read_options(options));
    for (std::size_t i = 0; i < n_conversations; ++i) {
      const auto size = static_cast<std::uint32_t>(verdicts.step());
      std::memcpy(verdicts.at(i), &size, sizeof size);
      const Out<q3g_verdict> place(verdicts.at(i), "out");
      if (results[i].ok()) {
        write_verdict(place, *results[i]);
        if (i < slots.size()) write_element_error(slots, i, Q3G_OK, "");
      } else {
        const auto code = static_cast<q3g_status>(results[i].error().code);
        write_no_verdict(place, code);
        if (i < slots.size()) write_element_error(slots, i, code, results[i].error().detail);
      }
    }
  });
}

q3g_status q3g_decide_action(const q3g_classify_options* options, int32_t severity, float p_safe,
                             float p_controversial, float p_unsafe, int32_t* action,
                             q3g_error* err) noexcept {
  return call(err, "q3g_decide_action", [&] {
    if (action == nullptr) bad_argument("action is NULL");
    const auto level = enum_of<Severity>(severity, kSeverityCount + 1, "severity");
    const SeverityProbabilities all{p_safe, p_controversial, p_unsafe};
    for (const auto& [name, p] : {std::pair("p_safe", p_safe), std::pair("p_controversial", p_controversial),
                                  std::pair("p_unsafe", p_unsafe)}) {
      if (!(p >= 0.0F && p <= 1.0F)) bad_argument(std::string(name) + " is not in [0, 1]");
    }
    const ActionPolicy policy = read_options(options).policy;
    *action = static_cast<std::int32_t>(decide_action(policy, level, all));
  });
}
