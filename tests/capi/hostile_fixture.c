// SPDX-License-Identifier: Apache-2.0
// Good arguments for every function. They are made anew for every call: by the type of a value and, where
// that does not say enough, by its name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hostile.h"

#if defined(_WIN32)
#include <malloc.h>
#define take_aligned(bytes, alignment) _aligned_malloc(bytes, alignment)
#define give_aligned(at) _aligned_free(at)
#else
#define take_aligned(bytes, alignment) \
  aligned_alloc(alignment, ((bytes) + (alignment)-1) / (alignment) * (alignment))
#define give_aligned(at) free(at)
#endif

#ifdef Q3G_ADDRESS_SANITIZER
enum { kBehind = 0 };
#else
enum { kBehind = 64 };
#endif

static q3g_guard *gen, *stream_model;
static q3g_tokenizer* tokenizer;
static char packed[4096], output[4096], policy_file[4096];
static const char kPolicy[] =
    "{\"schema\": 1, \"name\": \"hostile\", \"version\": \"1\", \"mode\": \"loose\"}";
static unsigned char* packed_bytes;
static size_t n_packed_bytes;
static const int32_t kIds[] = {40, 41, 42, 43};

static int is(const char* a, const char* b) { return strcmp(a, b) == 0; }
static int begins(const char* text, const char* with) { return strncmp(text, with, strlen(with)) == 0; }

void open_fixture(const char* folder) {
  snprintf(packed, sizeof packed, "%s/hostile.q3g", folder);
  snprintf(output, sizeof output, "%s/hostile_output.q3g", folder);
  snprintf(policy_file, sizeof policy_file, "%s/hostile_policy.json", folder);
  NEED_OK(q3g_guard_load(TEXT(TINY_GEN), NULL, &gen, &err));
  NEED_OK(q3g_guard_load(TEXT(TINY_STREAM), NULL, &stream_model, &err));
  NEED_OK(q3g_guard_tokenizer(gen, &tokenizer, &err));
  q3g_quantize_options options;
  NEED_OK(q3g_quantize_options_init(&options, sizeof options));
  options.overwrite = 1;
  NEED_OK(q3g_quantize(TEXT(TINY_GEN), packed, strlen(packed), &options, NULL, &err));
  FILE* file = fopen(packed, "rb");
  NEED(file != NULL && fseek(file, 0, SEEK_END) == 0);
  n_packed_bytes = (size_t)ftell(file);
  rewind(file);
  packed_bytes = malloc(n_packed_bytes);
  NEED(packed_bytes != NULL && fread(packed_bytes, 1, n_packed_bytes, file) == n_packed_bytes);
  fclose(file);
  file = fopen(policy_file, "wb");
  NEED(file != NULL && fwrite(kPolicy, sizeof kPolicy - 1, 1, file) == 1 && fclose(file) == 0);
}

void close_fixture(void) {
  q3g_tokenizer_free(tokenizer);
  q3g_guard_free(gen);
  q3g_guard_free(stream_model);
  free(packed_bytes);
  remove(packed);
  remove(output);
  remove(policy_file);
}

int is_text(const char* text) {
  // A tokenizer looks at that first, and finds the buffer too small.
  size_t n = 0;
  return q3g_tokenizer_encode(tokenizer, text, strlen(text), 0, NULL, 0, &n, NULL) != Q3G_E_INVALID_UTF8;
}

unsigned char* new_block(scene* at, size_t n) {
  NEED(at->n_blocks < kMostBlocks);
  block* one = &at->blocks[at->n_blocks++];
  one->n = n;
  one->bytes = malloc(n + kBehind > 0 ? n + kBehind : 1);
  one->before = malloc(n > 0 ? n : 1);
  one->may_change = 0;
  NEED(one->bytes != NULL && one->before != NULL);
  memset(one->bytes, 0xA5, n + kBehind);
  return one->bytes;
}

int is_intact(const block* one) {
  for (size_t i = one->n; i < one->n + kBehind; ++i) {
    if (one->bytes[i] != 0xA5) return 0;
  }
  return 1;
}

static const q3g_guard* model_of(const scene* at) {
  return begins(at->called->name, "q3g_guard_classify") || begins(at->called->name, "q3g_generator")
             ? gen
             : stream_model;
}

static q3g_stream* make_stream(const scene* at) {
  const char* name = at->called->name;
  q3g_stream* out = NULL;
  NEED_OK(q3g_stream_open(stream_model, NULL, &out, &err));
  // These begin with nothing open.
  if (is(name, "q3g_stream_push_prompt") || is(name, "q3g_stream_push_conversation") ||
      is(name, "q3g_stream_restore") || is(name, "q3g_stream_begin_turn"))
    return out;
  NEED_OK(q3g_stream_push_prompt(out, TEXT("Hello"), NULL, &err));
  if (is(name, "q3g_stream_push_tokens") || is(name, "q3g_guard_push_batch")) return out;
  NEED_OK(q3g_stream_push_text(out, TEXT("An answer of some words."), NULL, NULL, 0, &err));
  return out;
}

static q3g_batch* make_batch(uint64_t* session) {
  q3g_batch* out = NULL;
  NEED_OK(q3g_batch_open(stream_model, NULL, &out, &err));
  NEED_OK(q3g_batch_add(out, NULL, session, &err));
  NEED_OK(q3g_batch_push_prompt(out, *session, TEXT("Hello"), -1, &err));
  NEED_OK(q3g_batch_push_text(out, *session, TEXT("An answer of some words."), -1, &err));
  return out;
}

static q3g_events* make_events(void) {
  uint64_t session = 0;
  q3g_events* out = NULL;
  q3g_batch* batch = make_batch(&session);
  NEED_OK(q3g_batch_step(batch, 1e9, 1, NULL, &err));
  NEED_OK(q3g_batch_poll(batch, session, 0, &out, &err));
  NEED(q3g_events_count(out) > 0);
  q3g_batch_free(batch);
  return out;
}

static q3g_hold_back* make_hold_back(const scene* at) {
  q3g_stream* stream = NULL;
  q3g_hold_back* out = NULL;
  NEED_OK(q3g_stream_open(stream_model, NULL, &stream, &err));
  NEED_OK(q3g_stream_push_prompt(stream, TEXT("Hello"), NULL, &err));
  NEED_OK(q3g_hold_back_open(stream, NULL, &out, &err));
  q3g_stream_free(stream);
  NEED_OK(q3g_hold_back_put(out, TEXT("An answer of some words."), &err));
  // There is something to retry.
  if (is(at->called->name, "q3g_hold_back_retry"))
    NEED_OK(
        q3g_hold_back_put(out, TEXT(" Only an ugly idiot like you would eat it, nobody likes you."), &err));
  return out;
}

static q3g_generator* make_generator(void) {
  q3g_generator* out = NULL;
  int32_t id = 0;
  NEED_OK(q3g_generator_open(gen, NULL, &out, &err));
  NEED_OK(q3g_generator_set_tokens(out, kIds, COUNT(kIds), &err));
  NEED_OK(q3g_generator_next(out, &id, NULL, &err));
  return out;
}

void* new_handle(scene* at, const char* type) {
  void* out = NULL;
  if (is(type, "q3g_guard")) NEED_OK(q3g_guard_load(TEXT(TINY_STREAM), NULL, (q3g_guard**)&out, &err));
  if (is(type, "q3g_tokenizer")) NEED_OK(q3g_guard_tokenizer(gen, (q3g_tokenizer**)&out, &err));
  if (is(type, "q3g_decoder")) NEED_OK(q3g_decoder_new(tokenizer, 0, (q3g_decoder**)&out, &err));
  if (is(type, "q3g_stream")) out = make_stream(at);
  if (is(type, "q3g_batch")) {
    out = make_batch(&at->session);
    // A poll without end would wait for what nobody does; a hold-back takes no text over that waits already.
    if (is(at->called->name, "q3g_batch_poll") || is(at->called->name, "q3g_hold_back_open_batch"))
      NEED_OK(q3g_batch_step(out, 1e9, 1, NULL, &err));
  }
  if (is(type, "q3g_events")) out = make_events();
  if (is(type, "q3g_hold_back")) out = make_hold_back(at);
  if (is(type, "q3g_generator")) out = make_generator();
  if (is(type, "q3g_logits"))
    NEED_OK(q3g_guard_logits(stream_model, kIds, COUNT(kIds), 0, NULL, (q3g_logits**)&out, &err));
  if (is(type, "q3g_cancel")) NEED_OK(q3g_cancel_new((q3g_cancel**)&out, &err));
  if (is(type, "q3g_policy")) NEED_OK(q3g_policy_preset(TEXT("loose"), (q3g_policy**)&out, &err));
  NEED(out != NULL && at->n_handles < kMostHandles);
  at->handles[at->n_handles].type = type;
  at->handles[at->n_handles++].handle = out;
  return out;
}

void free_handle(const char* type, void* handle) {
  if (is(type, "q3g_guard")) q3g_guard_free(handle);
  if (is(type, "q3g_tokenizer")) q3g_tokenizer_free(handle);
  if (is(type, "q3g_decoder")) q3g_decoder_free(handle);
  if (is(type, "q3g_stream")) q3g_stream_free(handle);
  if (is(type, "q3g_batch")) q3g_batch_free(handle);
  if (is(type, "q3g_events")) q3g_events_free(handle);
  if (is(type, "q3g_hold_back")) q3g_hold_back_free(handle);
  if (is(type, "q3g_generator")) q3g_generator_free(handle);
  if (is(type, "q3g_logits")) q3g_logits_free(handle);
  if (is(type, "q3g_cancel")) q3g_cancel_free(handle);
  if (is(type, "q3g_policy")) q3g_policy_free(handle);
}

static void* good_handle(scene* at, const char* type) {
  // Models and tokenizers do not change: all calls share them, but for those that free them.
  if (is(type, "q3g_guard") && !is(at->called->name, "q3g_guard_free")) return (void*)model_of(at);
  if (is(type, "q3g_tokenizer") && !is(at->called->name, "q3g_tokenizer_free")) return tokenizer;
  void* out = new_handle(at, type);
  if (is(type, "q3g_stream") && at->stream == NULL) at->stream = out;
  return out;
}

static void on_log(void* user, int32_t level, const char* line, size_t n) {
  (void)user, (void)level, (void)line, (void)n;
}
static int32_t on_progress(void* user, int64_t n_done, int64_t n_total) {
  (void)user, (void)n_done, (void)n_total;
  return 0;
}
static void on_release(void* user) { ++((scene*)user)->n_released; }
static void on_told(void* user) { (void)user; }
static void* on_allocate(void* user, size_t n, size_t alignment) {
  (void)user;
  return take_aligned(n, alignment);
}
static void on_deallocate(void* user, void* at, size_t n, size_t alignment) {
  (void)user, (void)n, (void)alignment;
  give_aligned(at);
}
static void on_visit(void* user, q3g_stream* stream) { (void)user, (void)stream; }

static void (*callback(const char* type))(void) {
  if (is(type, "q3g_log_fn")) return (void (*)(void))on_log;
  if (is(type, "q3g_progress_fn")) return (void (*)(void))on_progress;
  if (is(type, "q3g_release_fn")) return (void (*)(void))on_release;
  if (is(type, "q3g_allocate_fn")) return (void (*)(void))on_allocate;
  if (is(type, "q3g_deallocate_fn")) return (void (*)(void))on_deallocate;
  if (is(type, "q3g_visit_fn")) return (void (*)(void))on_visit;
  NEED(!"a callback of an unknown type");
  return NULL;
}

static const char* good_text(const scene* at, const value* what) {
  static const char kTokenizer[] = Q3G_TEST_DIR "/golden/tokenizer/small/tokenizer.json";
  static const char kFolder[] = Q3G_TEST_DIR "/golden/models/gen_gqa2_bf16";
  const char* name = at->called->name;
  if (is(name, "q3g_policy_load")) return policy_file;
  if (is(name, "q3g_policy_preset")) return "chat-game";
  if (is(what->name, "json")) return kPolicy;
  if (is(what->name, "path")) return is(name, "q3g_tokenizer_load") ? kTokenizer : packed;
  if (is(what->name, "model_dir")) return is(name, "q3g_quantize") ? kFolder : packed;
  if (is(what->name, "file")) return packed;
  if (is(what->name, "out_file")) return output;
  if (is(what->name, "isa")) return "scalar";
  if (is(what->name, "known_template")) return "0123456789abcdef";
  if (is(name, "q3g_guard_load_memory")) return "model.q3g";
  if (is(name, "q3g_parse_severity")) return "Unsafe";
  if (is(name, "q3g_parse_category")) return "PII";
  if (is(what->name, "name")) return "nano-gen";
  return "Hello there, how are you?";
}

static size_t good_count(const value* what) {
  if (is(what->name, "messages")) return 3;
  if (is(what->name, "conversations") || is(what->name, "pushes") || is(what->name, "out")) return 2;
  if (is(what->name, "errors")) return 2;
  if (is(what->name, "files")) return 1;
  if (what->kind == ARRAY) return COUNT(kIds);
  if (what->kind == STRUCT) return 40;  // verdicts of tokens
  return 4096;                          // a policy as JSON fits
}

/// Scalars that are not 0, and not what an init function says.
static void good_number(const scene* at, const value* what, void* place, size_t element) {
  const char* name = what->name;
  int32_t small = 0;
  if (is(name, "session")) memcpy(place, &at->session, sizeof at->session);
  if (is(name, "id")) small = 40;
  if (is(name, "position")) small = 4;
  if (is(name, "n_threads") || is(name, "quick") || is(name, "overwrite") || is(name, "counts")) small = 1;
  if (is(name, "has_token") || is(name, "must_run")) small = 1;
  // A conversation's second message is the answer.
  if (is(name, "role")) small = element % 2 == 0 ? Q3G_ROLE_USER : Q3G_ROLE_ASSISTANT;
  if (small != 0) memcpy(place, &small, sizeof small);
  const double ms = is(name, "deadline_ms") ? -1 : 1;
  if (is(name, "deadline_ms") || is(name, "budget_ms")) memcpy(place, &ms, sizeof ms);
  const int64_t three = 3;
  if (is(name, "n_bytes") && what->element == sizeof three) memcpy(place, &three, sizeof three);
}

static void fill(scene* at, const value* values, int n_values, unsigned char* base, int is_field,
                 size_t element);

static void fill_structs(scene* at, const value* what, unsigned char* bytes, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    unsigned char* one = bytes + i * what->type->size;
    const uint32_t size = (uint32_t)what->type->size;
    // Of arrays that are only written the first one's size is set.
    if ((what->flags & IS_READ) != 0) {
      memset(one, 0, size);
      for (size_t k = 0; k < n_all_inits; ++k) {
        if (is(all_inits[k].struct_name, what->type->name)) NEED_OK(all_inits[k].call(one, size));
      }
      memcpy(one, &size, sizeof size);
    } else if (i == 0) {
      memcpy(one, &size, sizeof size);
    }
    if ((what->flags & IS_READ) != 0 || is(what->type->name, "q3g_verdict"))
      fill(at, what->type->fields, what->type->n_fields, one, 1, i);
    if (is(what->type->name, "q3g_mark") && (what->flags & IS_READ) != 0)
      NEED_OK(q3g_stream_mark(at->stream, (q3g_mark*)one, &err));
  }
}

static void fill(scene* at, const value* values, int n_values, unsigned char* base, int is_field,
                 size_t element) {
  for (int i = 0; i < n_values; ++i) {
    const value* what = &values[i];
    void* place = is_field ? (void*)(base + what->offset) : (void*)&at->arguments[i];
    size_t n = what->count >= 0 ? good_count(what) : 1;
    // What shares its count with a value before it has as many.
    if (what->count >= 0 && what->count < i)
      memcpy(&n, is_field ? (void*)(base + values[what->count].offset) : (void*)&at->arguments[what->count],
             sizeof n);
    void* pointer = NULL;
    switch (what->kind) {
      case HANDLE:
        pointer = good_handle(at, what->type_name);
        break;
      case STRUCT:
        pointer = new_block(at, n * what->type->size);
        fill_structs(at, what, pointer, n);
        break;
      case ERROR_SLOT: {
        const uint32_t size = sizeof(q3g_error);
        pointer = new_block(at, n * size);
        memcpy(pointer, &size, sizeof size);
        at->blocks[at->n_blocks - 1].may_change = is(what->name, "err");
        break;
      }
      case TEXT:
      case C_STRING: {
        const char* text = good_text(at, what);
        n = strlen(text);
        if (is(what->name, "bytes") && is(at->called->name, "q3g_guard_load_memory")) {
          pointer = packed_bytes;  // not a block: it is large
          n = n_packed_bytes;
          break;
        }
        if (is(at->called->name, "q3g_tokenizer_find_bytes")) text = "a", n = 1;
        if (is(at->called->name, "q3g_tokenizer_find_added")) text = "<|im_end|>", n = 10;
        pointer = new_block(at, n + (what->kind == C_STRING));
        memcpy(pointer, text, n + (what->kind == C_STRING));
        break;
      }
      case ARRAY: {
        static const float kProbabilities[] = {0.5F, 0.3F, 0.2F};
        const int is_float = is(what->type_name, "float");
        pointer = new_block(at, is_float ? sizeof kProbabilities : sizeof kIds);
        if (is_float) memcpy(pointer, kProbabilities, sizeof kProbabilities);
        if (!is_float) memcpy(pointer, kIds, sizeof kIds);
        break;
      }
      case NEW_HANDLE:
      case PLACE:
      case BUFFER:
        pointer = new_block(at, n * what->element);
        // The size that a buffer would have needed is told also when the call fails.
        if (what->kind == PLACE) at->blocks[at->n_blocks - 1].may_change = 2;
        break;
      case CALLBACK: {
        void (*function)(void) = callback(what->type_name);
        // The allocator's is for memory_part.c: whether it is called depends on what else is wrong.
        if (is_field && is(what->name, "release")) function = (void (*)(void))on_told;
        memcpy(place, &function, sizeof function);
        at->wants_release |= !is_field && is(what->name, "release");
        continue;
      }
      case USER:
        pointer = at;
        break;
      case NUMBER:
      case CHOICE:
      case REAL:
        good_number(at, what, place, element);
        continue;
      default:
        continue;
    }
    memcpy(place, &pointer, sizeof pointer);
    if (what->count < i) continue;
    const value* count = &values[what->count];
    memcpy(is_field ? (void*)(base + count->offset) : (void*)&at->arguments[what->count], &n, sizeof n);
  }
}

void make_scene(scene* out, const function* called) {
  memset(out, 0, sizeof *out);
  out->called = called;
  remove(output);
  NEED(called->n_parameters <= kMostArguments);
  fill(out, called->parameters, called->n_parameters, NULL, 0, 0);
}

void forget_taken_handle(scene* at, q3g_status status) {
  const char* name = at->called->name;
  const int is_free = strlen(name) > 5 && is(name + strlen(name) - 5, "_free");
  const int is_add = is(name, "q3g_batch_add_stream") && status == Q3G_OK;
  if (!is_free && !is_add) return;
  const int parameter = is_free ? 0 : 1;
  for (size_t i = 0; i < at->n_handles; ++i) {
    if (at->handles[i].handle != at->arguments[parameter].pointer) continue;
    if (!is(at->handles[i].type, at->called->parameters[parameter].type_name)) continue;
    if (at->handles[i].handle == at->stream) at->stream = NULL;
    at->handles[i] = at->handles[--at->n_handles];
    return;
  }
}

void clear_scene(scene* at, int made) {
  for (int i = 0; made && i < at->called->n_parameters; ++i) {
    const value* what = &at->called->parameters[i];
    void* handle = NULL;
    if (what->kind != NEW_HANDLE) continue;
    memcpy(&handle, at->arguments[i].pointer, sizeof handle);
    free_handle(what->type_name, handle);
  }
  for (size_t i = 0; i < at->n_handles; ++i) free_handle(at->handles[i].type, at->handles[i].handle);
  for (size_t i = 0; i < at->n_blocks; ++i) {
    free(at->blocks[i].bytes);
    free(at->blocks[i].before);
  }
  at->n_blocks = at->n_handles = 0;
}
