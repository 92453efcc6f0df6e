// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_QWEN3GUARD_H
#define QWEN3GUARD_CAPI_QWEN3GUARD_H

/** @file
 * The C ABI of qwen3guard: the library for programs in C, C++, and whatever calls C. Valid C11 and C++11.
 *
 * Rules for every function:
 *
 * Status. It returns Q3G_OK or another q3g_status. On failure nothing but `*err` has been written and nothing
 * has changed, unless its text says otherwise. It never throws, aborts or prints. NULL pointers, wrong sizes,
 * handles of another type, text that is not UTF-8 and values out of range are failures, not crashes.
 *
 * Error slot. `err` belongs to the caller and may be NULL; set its struct_size. It holds the status and one
 * sentence that says what was wrong, where and what was expected. There is no last error per thread.
 *
 * Structs. Each begins with `struct_size`, set by the caller to sizeof; the q3g_*_init functions set it, and
 * the defaults. The library reads and writes nothing beyond it, so that fields can be appended: an older
 * caller never sees the new ones, and an older library refuses a struct whose unknown fields are not zero
 * (Q3G_E_INVALID_ARGUMENT). In an array every element begins with the same struct_size; it is the distance
 * from one to the next, and for arrays that are written only the first element's has to be set.
 *
 * Text is UTF-8 as a pointer and a number of bytes, needs no NUL at its end, may be NULL when it has no
 * bytes, and is borrowed for the call. Paths are UTF-8 on every system.
 *
 * Buffers. Output of unknown size goes to a buffer of the caller; the needed size is always told. What does
 * not fit whole is not written: Q3G_E_BUFFER_TOO_SMALL, unless the function's text says otherwise.
 *
 * Handles are owned by the caller, who frees each once; NULL may be freed. A handle keeps alive what it was
 * made from: free them in any order. A handle may be freed while a call uses it: in a callback of that call,
 * or by a thread that knows the call to be running. Its object is destroyed when the last such call returns;
 * other calls with the handle fail until then (Q3G_E_BAD_HANDLE). After that, or in a call that begins while
 * another thread frees it, a handle must not be used or freed: the behaviour is undefined, as with free().
 *
 * Threads. "any thread": any number of threads at once may call with the same handle. "one thread": one at a
 * time for each handle, never mind which.
 *
 * Stack. A call takes less than 64 KiB of its thread's stack, 128 KiB where q3g_model_info::isa is "amx".
 *
 * The end. Handlers of atexit() may use and free what there is; they load nothing, which needs objects that
 * are destroyed by then.
 *
 * Callbacks must return normally: no C++ exception, no longjmp, no panic may leave them. They may call the
 * library, but for what a function's text says otherwise.
 *
 * Values of all Q3G_ constants are stable; lists grow at their ends, so treat unknown ones as what they are
 * nearest to: an error, a category without a name.
 */

#include <stddef.h>
#include <stdint.h>

/** @def Q3G_API
 * A function of this library. On Windows, define Q3G_STATIC to link the static one. */
#if defined(_WIN32)
#if defined(Q3G_BUILDING)
#define Q3G_API __declspec(dllexport)
#elif defined(Q3G_STATIC)
#define Q3G_API
#else
#define Q3G_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define Q3G_API __attribute__((visibility("default")))
#else
#define Q3G_API
#endif

/** @def Q3G_NOEXCEPT
 * In C++: no function throws. */
#if defined(__cplusplus)
#define Q3G_NOEXCEPT noexcept
extern "C" {
#else
#define Q3G_NOEXCEPT
#endif

/** Version of this interface: the soname's number. Raised only when a program must be compiled again. */
#define Q3G_ABI_VERSION 1

/** @name Status codes
 * Those below 100 are qwen3guard::ErrorCode. @{ */
/** What a call came to: one of the constants below. */
typedef int32_t q3g_status;
#define Q3G_OK 0                   /**< the call succeeded */
#define Q3G_E_INVALID_ARGUMENT 1   /**< a parameter breaks the function's contract */
#define Q3G_E_FILE_NOT_FOUND 2     /**< a path, or an embedded model, does not exist */
#define Q3G_E_IO 3                 /**< the operating system refused to open, map, read or write */
#define Q3G_E_BAD_CHECKPOINT 4     /**< a model file is damaged */
#define Q3G_E_BAD_TOKENIZER 5      /**< a tokenizer file is damaged, or a model has none */
#define Q3G_E_UNSUPPORTED_MODEL 6  /**< a sound file that asks for what this library does not have */
#define Q3G_E_UNSUPPORTED_ISA 7    /**< the forced instruction set is unknown or missing on this CPU */
#define Q3G_E_INVALID_UTF8 8       /**< text is not UTF-8; the message has the byte offset */
#define Q3G_E_TOKEN_RANGE 9        /**< a token id is not in the vocabulary */
#define Q3G_E_CONTEXT_FULL 10      /**< more tokens than the context has room for */
#define Q3G_E_UNPARSABLE_OUTPUT 11 /**< greedy decoding wrote something that is no verdict */
#define Q3G_E_OUT_OF_MEMORY 12     /**< an allocation failed */
#define Q3G_E_INTERNAL 13          /**< a bug in this library */
#define Q3G_E_CANCELLED 14         /**< a cancel flag or a callback asked to stop */
#define Q3G_E_BUDGET_EXCEEDED 15   /**< a batch's bound on memory or on waiting text */
#define Q3G_E_BUFFER_TOO_SMALL 100 /**< the caller's buffer is too small; the needed size was told */
#define Q3G_E_BAD_HANDLE 101       /**< NULL, or no handle of this type */
/** @} */

/** @{ @name Severities, from Safe on ordered by harm */
#define Q3G_SEVERITY_NOT_JUDGED 0    /**< nothing was judged, or not all: an error to the caller, not Safe */
#define Q3G_SEVERITY_SAFE 1          /**< harmless in most settings */
#define Q3G_SEVERITY_CONTROVERSIAL 2 /**< harmful or not, depending on the setting */
#define Q3G_SEVERITY_UNSAFE 3        /**< harmful in most settings */
/** @} */

/** @{ @name Categories */
#define Q3G_CATEGORY_VIOLENT 0                  /**< "Violent" */
#define Q3G_CATEGORY_NON_VIOLENT_ILLEGAL_ACTS 1 /**< "Non-violent Illegal Acts" */
#define Q3G_CATEGORY_SEXUAL_CONTENT 2           /**< "Sexual Content or Sexual Acts" */
#define Q3G_CATEGORY_PII 3                      /**< "PII": personal data */
#define Q3G_CATEGORY_SUICIDE_SELF_HARM 4        /**< "Suicide & Self-Harm" */
#define Q3G_CATEGORY_UNETHICAL_ACTS 5           /**< "Unethical Acts" */
#define Q3G_CATEGORY_POLITICALLY_SENSITIVE 6    /**< "Politically Sensitive Topics" */
#define Q3G_CATEGORY_COPYRIGHT_VIOLATION 7      /**< "Copyright Violation" */
#define Q3G_CATEGORY_JAILBREAK 8                /**< "Jailbreak": of prompts only */
#define Q3G_CATEGORY_COUNT 9                    /**< how many there are */
/** @} */

/** @{ @name Actions: what a host should do with the text */
#define Q3G_ACTION_NONE 0  /**< nothing was judged, so there is no advice; it does not mean allow */
#define Q3G_ACTION_ALLOW 1 /**< let it pass */
#define Q3G_ACTION_FLAG 2  /**< let it pass, and mark it */
#define Q3G_ACTION_BLOCK 3 /**< hold it back */
/** @} */

/** @{ @name Rules: what in a policy decided */
#define Q3G_RULE_NONE 0            /**< nothing was judged, and the policy gives no advice for that */
#define Q3G_RULE_SAFE 1            /**< nothing harmful was found, or no run of tokens that decides */
#define Q3G_RULE_SEVERITY 2        /**< the action of a category for its severity */
#define Q3G_RULE_THRESHOLD 3       /**< a category's score reached a threshold */
#define Q3G_RULE_BELOW_THRESHOLD 4 /**< harmful, and its score below the category's thresholds */
#define Q3G_RULE_CATEGORY_OFF 5    /**< harmful, but every category that was found is off */
#define Q3G_RULE_DENY_LIST 6       /**< a phrase of the policy's deny list */
#define Q3G_RULE_NOT_JUDGED 7      /**< nothing was judged, or not all */
/** @} */

/** In the place of a choice in options: what the policy says. */
#define Q3G_FROM_POLICY (-1)

/** @{ @name Roles: who speaks */
#define Q3G_ROLE_SYSTEM 0    /**< the host's instructions */
#define Q3G_ROLE_USER 1      /**< prompts */
#define Q3G_ROLE_ASSISTANT 2 /**< responses */
#define Q3G_ROLE_TOOL 3      /**< a tool's answer to the assistant's call; in whole conversations only */
/** @} */

/** @{ @name Kinds of model */
#define Q3G_MODEL_GEN 0    /**< writes a verdict */
#define Q3G_MODEL_STREAM 1 /**< judges every token */
/** @} */

/** @{ @name Decoders: how a Gen checkpoint's verdict is read */
#define Q3G_DECODER_CONSTRAINED 0 /**< only well-formed verdicts are possible */
#define Q3G_DECODER_GREEDY 1      /**< the published way: generate, then parse */
/** @} */

/** @{ @name Text that is not UTF-8 */
#define Q3G_INVALID_UTF8_REJECT 0  /**< the call fails with Q3G_E_INVALID_UTF8 */
#define Q3G_INVALID_UTF8_REPLACE 1 /**< judged as U+FFFD */
/** @} */

/** @{ @name What is compared when a model is loaded, beyond its structure and a sample of its weights */
#define Q3G_VERIFY_AUTOMATIC 0 /**< all of a model from memory; of files no more than Q3G_VERIFY_OFF does */
#define Q3G_VERIFY_OFF 1       /**< no more: mapped files are read when they are used */
#define Q3G_VERIFY_FULL 2      /**< every checksum and every value: reads the whole file */
/** @} */

/** @{ @name A checkpoint's own chat template; the library runs none, and renders as the published ones do */
#define Q3G_TEMPLATE_ABSENT 0  /**< the checkpoint has none */
#define Q3G_TEMPLATE_KNOWN 1   /**< a published one, or one that the options name */
#define Q3G_TEMPLATE_UNKNOWN 2 /**< another one: the model may be used to conversations in another form */
/** @} */

/** @{ @name What becomes of a checkpoint with an unknown chat template */
#define Q3G_UNKNOWN_TEMPLATE_REPORT 0 /**< it loads; q3g_model_info and a warning in the log say so */
#define Q3G_UNKNOWN_TEMPLATE_REFUSE 1 /**< loading fails with Q3G_E_UNSUPPORTED_MODEL */
/** @} */

/** @{ @name Messages that the published Gen template leaves out: an assistant's first, a system's that is not
 * the first, a tool's */
#define Q3G_DROPPED_MESSAGES_REPORT 0 /**< their indices are in the verdict */
#define Q3G_DROPPED_MESSAGES_REJECT 1 /**< the call fails with Q3G_E_INVALID_ARGUMENT */
#define Q3G_DROPPED_MESSAGES_SHOWN 31 /**< indices that a verdict has room for */
/** @} */

/** @{ @name Responses that reach the context's end */
#define Q3G_CONTEXT_ERROR 0 /**< the call fails with Q3G_E_CONTEXT_FULL */
#define Q3G_CONTEXT_STOP 1  /**< from there on nothing is judged, and every verdict says so */
#define Q3G_CONTEXT_SLIDE 2 /**< the response's most recent half stays */
/** @} */

/** @{ @name A reasoning model's thinking: from a "<think>" at the response's beginning to the first
 * "</think>" */
#define Q3G_THINKING_NONE 0  /**< responses do not think */
#define Q3G_THINKING_JUDGE 1 /**< it is judged like the rest */
#define Q3G_THINKING_SKIP 2  /**< it does not count; without an answer behind it nothing was judged */
/** @} */

/** @{ @name Messages to classify that do not fit the context */
#define Q3G_LONG_TEXT_ERROR 0   /**< the call fails with Q3G_E_CONTEXT_FULL */
#define Q3G_LONG_TEXT_WINDOWS 1 /**< judged in overlapping windows; the worst verdict counts */
/** @} */

/** @{ @name Sources of a token's verdict */
#define Q3G_SOURCE_NONE 0    /**< not judged: Q3G_SEVERITY_NOT_JUDGED, all probabilities are 0 */
#define Q3G_SOURCE_HEADS 1   /**< this token's classification heads */
#define Q3G_SOURCE_WRITTEN 2 /**< a Gen checkpoint wrote a verdict up to this token */
#define Q3G_SOURCE_CARRIED 3 /**< a Gen checkpoint's last verdict, before this token */
/** @} */

/** @{ @name Reasons of a decision */
#define Q3G_REASON_NONE 0        /**< no token decided: Safe, or not judged */
#define Q3G_REASON_RUN 1         /**< as many tokens in a row as the policy asks for, of one severity */
#define Q3G_REASON_END_OF_TURN 2 /**< the turn ended in a shorter run */
#define Q3G_REASON_WRITTEN 3     /**< a Gen checkpoint's verdict */
#define Q3G_REASON_MIXED_RUN 4   /**< as many, some Unsafe and some Controversial, by the report's rule */
/** @} */

/** @{ @name Control tokens in a text */
#define Q3G_SPECIAL_AS_TEXT 0    /**< control tokens in the text are plain text: right for content */
#define Q3G_SPECIAL_RECOGNIZED 1 /**< they are tokens: for text that the program wrote itself */
/** @} */

/** @{ @name Levels of a log line */
#define Q3G_LOG_INFO 0    /**< what was loaded and how */
#define Q3G_LOG_WARNING 1 /**< what would make it faster */
/** @} */

/** @{ @name Weights of a packed model */
#define Q3G_PACKED_BF16 0 /**< no loss for BF16 checkpoints, as the published ones are */
#define Q3G_PACKED_INT8 1 /**< 8 bits and a scale per group: about half the size */
#define Q3G_PACKED_INT4 2 /**< 4 bits and a scale per group of 32: about a third */
#define Q3G_PACKED_FP16 3 /**< no loss for F16 checkpoints; activations are not rounded */
/** @} */

/** @{ @name Embeddings of a packed model, and its language-model head where that is a table of its own */
#define Q3G_EMBEDDINGS_AUTOMATIC 0 /**< int8 beside int8 and int4 matrices, plain beside bf16 and fp16 */
#define Q3G_EMBEDDINGS_INT8 1      /**< 8 bits and a scale per row: about half the size */
#define Q3G_EMBEDDINGS_PLAIN 2     /**< as the checkpoint has them */
/** @} */

/** @{ @name Events of a batch */
#define Q3G_EVENT_UPDATE 0   /**< tokens were judged */
#define Q3G_EVENT_TURN_END 1 /**< a turn ended */
/** A push failed and left the session as it was; those behind it go on. Until the next turn begins, or
 * a visit goes back in this one, nothing is Safe: the turn lacks what failed. */
#define Q3G_EVENT_ERROR 2
/** The deadline of a push has passed and nothing is known of it: it still waits, and its verdict comes as an
 * event of its own. Once for a push; pieces of text that wait together may share one. */
#define Q3G_EVENT_OVERDUE 3
/** @} */

/** @{ @name Where an answer stands that is held back */
#define Q3G_HOLD_BACK_WRITING 0   /**< the host writes */
#define Q3G_HOLD_BACK_FINISHING 1 /**< over a batch: the end of the turn waits to be judged */
#define Q3G_HOLD_BACK_BLOCKED 2   /**< something is blocked: retry or withdraw */
#define Q3G_HOLD_BACK_ENDED 3     /**< the turn has ended, and all of its text was taken */
/** The turn has ended, and what was not taken will never leave: it was withdrawn, or the turn was not judged
 * completely. */
#define Q3G_HOLD_BACK_WITHHELD 4
/** The session had an error, and nothing leaves any more: withdraw. */
#define Q3G_HOLD_BACK_FAILED 5
/** @} */

/** @{ @name Handles */
typedef struct q3g_guard q3g_guard;         /**< a loaded model. Immutable: any thread */
typedef struct q3g_tokenizer q3g_tokenizer; /**< a tokenizer. Immutable: any thread */
typedef struct q3g_decoder q3g_decoder;     /**< decodes tokens one by one. One thread */
typedef struct q3g_stream q3g_stream;       /**< one conversation judged as it is written. One thread */
typedef struct q3g_batch q3g_batch;         /**< many live conversations over one model. Any thread */
typedef struct q3g_events q3g_events;       /**< what became of pushes to a batch. Immutable: any thread */
typedef struct q3g_generator q3g_generator; /**< a causal checkpoint writing text. One thread */
typedef struct q3g_logits q3g_logits;       /**< raw logits. Immutable: any thread */
typedef struct q3g_cancel q3g_cancel;       /**< a flag that stops running calls. Any thread */
typedef struct q3g_hold_back q3g_hold_back; /**< an answer that is shown when it was judged. One thread */
typedef struct q3g_policy q3g_policy;       /**< what to do about verdicts. Immutable: any thread */
/** @} */

/** @name Callbacks
 * `user` is the pointer that was given with the function. @{ */
/** One line for a log, without a line break; `line` lives for the call. */
typedef void (*q3g_log_fn)(void* user, int32_t level, const char* line, size_t line_bytes);
/** Progress of a long call, on the calling thread. Anything but 0 stops it with Q3G_E_CANCELLED. */
typedef int32_t (*q3g_progress_fn)(void* user, int64_t n_done, int64_t n_total);
/** Called once when bytes that the library borrowed are no longer in use, on any thread. */
typedef void (*q3g_release_fn)(void* user);
/** Memory for `bytes` bytes on a boundary of `alignment` (a power of 2), or NULL. From any thread. Must not
 * call the library, which may be in the middle of anything; nor must q3g_deallocate_fn. */
typedef void* (*q3g_allocate_fn)(void* user, size_t bytes, size_t alignment);
/** Takes back what q3g_allocate_fn gave, with the same sizes. From any thread. */
typedef void (*q3g_deallocate_fn)(void* user, void* block, size_t bytes, size_t alignment);
/** A session of a batch, for marks, rewinds, forks and reading; the handle lives for the call. */
typedef void (*q3g_visit_fn)(void* user, q3g_stream* stream);
/** @} */

/** @{ @name Structs */

/** The caller's error slot. */
typedef struct q3g_error {
  uint32_t struct_size; /**< sizeof(q3g_error) */
  q3g_status code;      /**< of the last call that got this slot; Q3G_OK when it succeeded */
  char message[504];    /**< ends with NUL; a longer one ends in "..." */
} q3g_error;

/** Custom memory for large blocks: keys and values, scratch matrices, copies of weights. */
typedef struct q3g_allocator {
  uint32_t struct_size;         /**< sizeof(q3g_allocator) */
  uint32_t reserved;            /**< 0 */
  void* user;                   /**< must live until `release` */
  q3g_allocate_fn allocate;     /**< gives a block, or NULL when there is no memory */
  q3g_deallocate_fn deallocate; /**< takes it back */
  q3g_release_fn release; /**< told once, when `user` is no longer in use: the guard and all that was made
                               from it are freed, or loading failed (but not when it fails because this
                               struct's or the options' size is wrong). May be NULL */
} q3g_allocator;

/** How a model is loaded. */
typedef struct q3g_guard_options {
  uint32_t struct_size;       /**< sizeof(q3g_guard_options) */
  int32_t n_threads;          /**< of one call, at most 1024; 0: OMP_NUM_THREADS, else all cores. With
                                   Q3G_PARALLEL=openmp: at most so many of the host's, 0 is all of
                                   those; with Q3G_PARALLEL=none: ignored */
  int32_t max_context_tokens; /**< 0: the checkpoint's own limit */
  int32_t kept_tokens;        /**< Gen: tokens of the last conversations that are kept; 0: none. 768 */
  int32_t require_tokenizer;  /**< 0: a model without tokenizer files loads, for logits only. 1 */
  int32_t verify;             /**< Q3G_VERIFY_ */
  int32_t unknown_template;   /**< Q3G_UNKNOWN_TEMPLATE_ */
  uint32_t reserved;          /**< 0 */
  const char* known_template; /**< NUL-terminated, a chat_template_fingerprint that counts as known; NULL or
                                   "": none */
  const char* isa;            /**< NUL-terminated, one of isa_available; NULL or "": the environment's
                                   QWEN3GUARD_ISA, else the best there is */
  const q3g_allocator* allocator; /**< copied; NULL: the system's */
  q3g_log_fn log;                 /**< called while loading; may be NULL */
  void* log_user;                 /**< the `user` of `log` */
} q3g_guard_options;

/** One file of a model in memory. */
typedef struct q3g_file {
  uint32_t struct_size; /**< sizeof(q3g_file) */
  uint32_t reserved;    /**< 0 */
  const char* name;     /**< NUL-terminated, e.g. "config.json" */
  const void* bytes;    /**< 64-byte aligned is best: other matrices are copied */
  size_t n_bytes;       /**< how many `bytes` there are */
} q3g_file;

/** What a loaded model is. Texts end with NUL. */
typedef struct q3g_model_info {
  uint32_t struct_size;       /**< sizeof(q3g_model_info) */
  int32_t kind;               /**< Q3G_MODEL_ */
  int32_t hidden_size;        /**< width of the hidden state */
  int32_t n_layers;           /**< transformer layers */
  int32_t n_heads;            /**< attention heads */
  int32_t n_kv_heads;         /**< heads of keys and values */
  int32_t head_dim;           /**< width of a head */
  int32_t intermediate_size;  /**< width inside the feed-forward block */
  int32_t vocab_size;         /**< rows of the embedding */
  int32_t max_context_tokens; /**< the longest conversation, in tokens; the options may lower it */
  int32_t tied_embeddings;    /**< 1: the vocabulary's output matrix is the embedding */
  int32_t n_threads;          /**< threads of one call */
  int32_t chat_template;      /**< Q3G_TEMPLATE_ */
  uint32_t reserved;          /**< 0 */
  int64_t n_parameters;       /**< numbers in all matrices and norms */
  int64_t weight_bytes;       /**< bytes of the weights, as stored */
  int64_t kv_bytes_per_token; /**< bytes of keys and values for each token of a conversation */
  char architecture[64];      /**< as in config.json */
  char weight_dtype[64];      /**< how most weights are stored, e.g. "bf16" */
  char isa[32];               /**< the instruction set in use */
  char isa_available[192];    /**< instruction sets that this CPU has, separated by spaces, best first */
  char chat_template_fingerprint[24]; /**< of the chat template's text, 16 hexadecimal digits; empty: there is
                                         none */
} q3g_model_info;

/** One turn of a conversation. */
typedef struct q3g_message {
  uint32_t struct_size; /**< sizeof(q3g_message) */
  int32_t role;         /**< Q3G_ROLE_ */
  const char* text;     /**< UTF-8; borrowed for the call */
  size_t text_bytes;    /**< size of `text` */
} q3g_message;

/** One conversation of a batch. */
typedef struct q3g_conversation {
  uint32_t struct_size;        /**< sizeof(q3g_conversation) */
  uint32_t reserved;           /**< 0 */
  const q3g_message* messages; /**< [n_messages], the one to judge last */
  size_t n_messages;           /**< at least 1 */
} q3g_conversation;

/** How a verdict is reached. */
typedef struct q3g_classify_options {
  uint32_t struct_size;     /**< sizeof(q3g_classify_options) */
  int32_t decoder;          /**< Q3G_DECODER_; Gen only */
  int32_t invalid_utf8;     /**< Q3G_INVALID_UTF8_ */
  int32_t thinking;         /**< Q3G_THINKING_: what becomes of the response's thinking */
  int32_t dropped_messages; /**< Q3G_DROPPED_MESSAGES_; Gen only. Q3G_FROM_POLICY */
  int32_t long_text;        /**< Q3G_LONG_TEXT_. Q3G_FROM_POLICY */
  const q3g_policy* policy; /**< kept as long as it is needed; NULL: the default policy */
  q3g_cancel* cancel;       /**< may be NULL */
  q3g_progress_fn progress; /**< of q3g_guard_classify_batch, in conversations; may be NULL */
  void* progress_user;      /**< the `user` of `progress` */
} q3g_classify_options;

/** Judgement of the last message of a conversation. */
typedef struct q3g_verdict {
  uint32_t struct_size; /**< sizeof(q3g_verdict) */
  q3g_status status;    /**< of this conversation in a batch; else Q3G_OK. When it is not, nothing was judged:
                             `action` is the policy's for that, never allow, and all else 0 or -1 */
  int32_t role;         /**< Q3G_ROLE_: whose message it was */
  int32_t severity;     /**< Q3G_SEVERITY_ */
  int32_t action;       /**< Q3G_ACTION_, by the policy */
  /** Of the three severities, at the token `position`; sum 1. @{ */
  float p_safe, p_controversial, p_unsafe; /** @} */
  int32_t position;     /**< Stream: index of the token whose probabilities and category these are (see
                             qwen3guard::Verdict::position); -1 for Gen and when there is no verdict */
  int32_t n_categories; /**< 0 when Safe */
  int32_t categories[Q3G_CATEGORY_COUNT];           /**< the first n_categories, most relevant first */
  float category_probabilities[Q3G_CATEGORY_COUNT]; /**< of these */
  int32_t has_refusal;                              /**< 1: Gen judged a response */
  int32_t refusal;                                  /**< 1: the response refuses */
  float refusal_probability;                        /**< of `refusal` */
  /** Tokens that the verdict took: read, of these not computed again, and written. @{ */
  int32_t prompt_tokens, cached_tokens, generated_tokens; /** @} */
  double latency_ms;                                      /**< from the start of the call */
  /** Messages (of a stream: turns) that the Gen template left out, so that nothing of them was seen: how
   * many, and the indices of the first Q3G_DROPPED_MESSAGES_SHOWN of them, ascending. @{ */
  int32_t n_dropped_messages, dropped_messages[Q3G_DROPPED_MESSAGES_SHOWN]; /** @} */
  /** By the policy: what decided (Q3G_RULE_); the category whose rule it was, the phrase's index in the
   * deny list, the token's index, each -1 when there is none; whether no text that follows can change it; the
   * probability that thresholds were compared with, 0 where there are none; and the text that it fell on:
   * what to take back begins at rule_byte_begin. Equal when it is about the whole. @{ */
  int32_t rule, rule_category, rule_phrase, rule_position, rule_is_settled;
  float rule_score;
  int64_t rule_byte_begin, rule_byte_end; /** @} */
  /** The policy's name and version, ending with NUL. @{ */
  char policy_name[64], policy_version[32]; /** @} */
  /** Parts that were judged apart, windows of a message that did not fit and those of a folded copy; 0: it
   * was judged in one piece. The verdict is the worst one's, [begin, end) in bytes of the message when that
   * is a window. @{ */
  int32_t n_windows, window_index;
  int64_t window_byte_begin, window_byte_end; /** @} */
  int32_t is_of_folded_copy;                  /**< 1: the folded copy was the worse one */
  int32_t reserved;                           /**< 0 */
  char* text;           /**< set by the caller: room for the verdict as the model wrote it, or NULL */
  size_t text_capacity; /**< set by the caller, in bytes */
  size_t text_bytes;    /**< of the whole text; when it does not fit, nothing is written to `text`. 256 are
                             enough unless decoding is greedy */
} q3g_verdict;

/** How a conversation is judged as it is written. */
typedef struct q3g_stream_options {
  uint32_t struct_size;        /**< sizeof(q3g_stream_options) */
  int32_t max_tokens;          /**< context; 0: the model's */
  const q3g_policy* policy;    /**< kept as long as it is needed; NULL: the default policy */
  int32_t invalid_utf8;        /**< Q3G_INVALID_UTF8_ */
  int32_t context;             /**< Q3G_CONTEXT_. Q3G_FROM_POLICY */
  int32_t thinking;            /**< Q3G_THINKING_ */
  int32_t judge_unsettled;     /**< 1: text whose tokens may still change is judged at once. 1 */
  int32_t gen_interval_tokens; /**< Gen: a verdict every so many tokens; at least 1. 32 */
  int32_t allow_control_ids;   /**< 1: control tokens among pushed ids are judged, not an error. 0 */
  int32_t dropped_messages;    /**< Q3G_DROPPED_MESSAGES_: Gen: turns that no verdict would see.
                                    Q3G_FROM_POLICY */
  int32_t reserved;            /**< 0 */
  q3g_cancel* cancel;          /**< stops running calls on the stream; may be NULL. One forward of several
                                    streams is stopped when all have the same */
} q3g_stream_options;

/** Judgement of one token. */
typedef struct q3g_token_verdict {
  uint32_t struct_size; /**< sizeof(q3g_token_verdict) */
  int32_t severity;     /**< the most probable one, of two the worse; Q3G_SEVERITY_NOT_JUDGED when `source` is
                             Q3G_SOURCE_NONE, or a Safe verdict is carried */
  /** Of the three severities; all 0 when `source` is Q3G_SOURCE_NONE. @{ */
  float p_safe, p_controversial, p_unsafe;          /** @} */
  int32_t category;                                 /**< the most probable one; meaningful unless Safe */
  float category_probabilities[Q3G_CATEGORY_COUNT]; /**< by Q3G_CATEGORY_ */
  int32_t position;   /**< 0-based token index in the conversation, template included */
  int32_t id;         /**< the token; -1 where a Gen verdict is on no token */
  int32_t source;     /**< Q3G_SOURCE_ */
  int32_t action;     /**< Q3G_ACTION_: what the policy does from this token on */
  int32_t counts;     /**< 0 inside thinking that is skipped, and of the token that ends a model's turn */
  int32_t is_settled; /**< no text that follows can change the token; 0: its verdict is provisional */
  int32_t reserved;   /**< 0 */
  /** Where it comes from in the turn's text. @{ */
  int64_t byte_begin, byte_end; /** @} */
} q3g_token_verdict;

/** What a change did to the verdicts of the open turn. */
typedef struct q3g_update {
  uint32_t struct_size; /**< sizeof(q3g_update) */
  uint32_t reserved;    /**< 0 */
  size_t first;         /**< verdicts [0, first) of the turn stand; new ones take the place of all others */
  size_t n_tokens;      /**< of these new ones */
  size_t n_settled;     /**< verdicts [0, n_settled) of the turn are final */
  int64_t stopped_at_byte; /**< Q3G_CONTEXT_STOP: the first byte that was not judged; else -1 */
} q3g_update;

/** What a policy made of a turn so far. */
typedef struct q3g_decision {
  uint32_t struct_size;   /**< sizeof(q3g_decision) */
  int32_t severity;       /**< Q3G_SEVERITY_; Safe only when is_complete is 1 */
  int32_t position;       /**< of the token where it fell, as in q3g_token_verdict; else -1 */
  int32_t reason;         /**< Q3G_REASON_ */
  int32_t n_run_tokens;   /**< of the run up to that token, it included */
  int32_t action;         /**< Q3G_ACTION_: what to do now: ruling_action, or allow when it was released */
  int32_t is_complete;    /**< 1: all bytes of the turn so far were judged, and there is one at least */
  int32_t has_token;      /**< 1: what follows is about the token where it fell */
  int64_t run_byte_begin; /**< where the run begins in the turn's text: what to take back starts here */
  /** Of the turn's text, what was not judged; equal when complete, or empty. @{ */
  int64_t unjudged_begin, unjudged_end; /** @} */
  /** As in q3g_token_verdict, of the token where it fell. @{ */
  int64_t byte_begin, byte_end;
  int32_t token_severity, category, token_id, source;
  int32_t is_settled; /**< 1: a token decided, and no text that follows can change it; 0: the decision may be
                           taken back */
  int32_t reserved;   /**< 0 */
  float p_safe, p_controversial, p_unsafe;
  float category_probabilities[Q3G_CATEGORY_COUNT]; /** @} */
  int32_t ruling_action;                            /**< Q3G_ACTION_: the strictest of the turn */
  /** By the policy: what decided (Q3G_RULE_); the category whose rule it was, the phrase's index in the
   * deny list, the token's index, each -1 when there is none; whether no text that follows can change it; the
   * probability that thresholds were compared with, 0 where there are none; and the text that it fell on:
   * what to take back begins at rule_byte_begin. Equal when it is about the whole. @{ */
  int32_t rule, rule_category, rule_phrase, rule_position, rule_is_settled;
  float rule_score;
  int64_t rule_byte_begin, rule_byte_end; /** @} */
  /** The policy's name and version, ending with NUL. @{ */
  char policy_name[64], policy_version[32]; /** @} */
} q3g_decision;

/** What a turn came to. */
typedef struct q3g_turn {
  uint32_t struct_size; /**< sizeof(q3g_turn) */
  int32_t role;         /**< Q3G_ROLE_ */
  int32_t has_prompt;   /**< 1: a user's turn has a verdict of its own */
  int32_t has_written;  /**< 1: a Gen checkpoint wrote a verdict on the turn */
} q3g_turn;

/** A place in a conversation. Only the library reads the fields. */
typedef struct q3g_mark {
  uint32_t struct_size; /**< sizeof(q3g_mark) */
  /** The library's own. @{ */
  int32_t is_closed;
  uint64_t turn;
  int64_t n_units; /** @} */
} q3g_mark;

/** Where a stream is. */
typedef struct q3g_stream_info {
  uint32_t struct_size; /**< sizeof(q3g_stream_info) */
  int32_t position;     /**< tokens so far: the index that the next one gets */
  int32_t max_tokens;   /**< tokens there is room for */
  int32_t reserved;     /**< 0 */
  int64_t turn_bytes;   /**< bytes of the open (or else the last) turn's text */
  size_t first_verdict; /**< index of that turn's first verdict that is there (Q3G_CONTEXT_SLIDE) */
  size_t n_verdicts;    /**< one more than the index of the last */
  size_t memory_bytes;  /**< bytes held; shared pages count in full */
} q3g_stream_info;

/** One stream's share of q3g_guard_push_batch. */
typedef struct q3g_stream_push {
  uint32_t struct_size;      /**< sizeof(q3g_stream_push) */
  q3g_status status;         /**< written: as q3g_stream_push_tokens would have returned it */
  q3g_stream* stream;        /**< borrowed, as all that follows; each at most once in a call */
  const int32_t* ids;        /**< [n_ids] */
  size_t n_ids;              /**< tokens to judge */
  q3g_token_verdict* tokens; /**< [n_ids]; the first one's struct_size is set */
  q3g_error* error;          /**< this push's slot; may be NULL */
} q3g_stream_push;

/** Bounds of a batch. */
typedef struct q3g_batch_options {
  uint32_t struct_size;       /**< sizeof(q3g_batch_options) */
  int32_t max_step_tokens;    /**< rows of one forward, 1 to 4096. 256 */
  int32_t max_session_tokens; /**< of one session in it. 64 */
  int32_t reserved;           /**< 0 */
  size_t memory_budget_bytes; /**< of all sessions; 0: no bound */
  size_t max_waiting_bytes;   /**< of one session's text that waits. 262144 */
  double default_deadline_ms; /**< 100 */
} q3g_batch_options;

/** What became of something that was pushed to a batch. */
typedef struct q3g_event {
  uint32_t struct_size; /**< sizeof(q3g_event) */
  int32_t kind;         /**< Q3G_EVENT_ */
  q3g_status status;    /**< of Q3G_EVENT_ERROR; else Q3G_OK */
  int32_t is_late;      /**< later than its deadline */
  double waited_ms;     /**< from the (oldest joined) push to the verdict; of Q3G_EVENT_OVERDUE: until now */
  /** As in q3g_update. @{ */
  size_t first, n_tokens, n_settled;
  int64_t stopped_at_byte; /** @} */
  /** As in q3g_turn; of Q3G_EVENT_TURN_END. @{ */
  int32_t role, has_prompt, has_written; /** @} */
  int32_t reserved;                      /**< 0 */
} q3g_event;

/** Counters of a batch. */
typedef struct q3g_batch_stats {
  uint32_t struct_size;        /**< sizeof(q3g_batch_stats) */
  uint32_t reserved;           /**< 0 */
  uint64_t n_sessions;         /**< sessions there are now */
  uint64_t n_waiting_sessions; /**< sessions with something to judge, now */
  uint64_t memory_bytes;       /**< bytes held and reserved now: what the budget bounds */
  uint64_t n_steps;            /**< forwards so far */
  uint64_t n_tokens;           /**< tokens judged so far */
  uint64_t n_late;             /**< verdicts later than their deadline, so far */
  uint64_t n_overdue_sessions; /**< sessions with something that waits past its deadline, now */
  double oldest_waiting_ms;    /**< milliseconds since the oldest push without a verdict; 0: nothing waits */
} q3g_batch_stats;

/** How text is held back. */
typedef struct q3g_hold_back_options {
  uint32_t struct_size;  /**< sizeof(q3g_hold_back_options) */
  int32_t buffer_tokens; /**< text leaves when so many settled tokens of the guard stand behind it. 40 */
  int32_t max_retries;   /**< of q3g_hold_back_retry(). 5 */
  int32_t reports_provisional; /**< 1: a block that text to come may lift is reported, too. 0 */
  double release_after_ms; /**< text leaves, too, when it was put so long ago; it must be judged and settled
                              in any case. 0: never for that reason. 0 */
  double deadline_ms;      /**< over a batch: of each push; below 0: the batch's default. -1 */
} q3g_hold_back_options;

/** What came out of an answer that is held back. Bytes are offsets in the turn's text. */
typedef struct q3g_hold_back_release {
  uint32_t struct_size;  /**< sizeof(q3g_hold_back_release) */
  int32_t state;         /**< Q3G_HOLD_BACK_, behind the text */
  size_t text_bytes;     /**< that were written to the buffer */
  double waited_ms;      /**< of the oldest of them, since it was put */
  int32_t has_more;      /**< 1: there was no room for all that may be shown: take again */
  int32_t is_overdue;    /**< 1: over a batch: something waits past its deadline for its verdict */
  int32_t has_block;     /**< 1: something is blocked, and the fields below say what; else they are 0 */
  int32_t is_prompt;     /**< 1: over a batch: the prompt is blocked, and there is nothing to retry */
  int32_t is_settled;    /**< 0: text to come may lift it (reports_provisional) */
  int32_t retries_left;  /**< before q3g_hold_back_retry() is refused */
  int64_t byte_begin;    /**< what is to be taken back begins here; it may have been shown */
  int64_t shown_bytes;   /**< of the text, those that were taken, this call's among them */
  int64_t continue_byte; /**< where the host goes on unless it says otherwise: behind what was shown */
} q3g_hold_back_release;

/** Counters of an answer that is held back. */
typedef struct q3g_hold_back_stats {
  uint32_t struct_size;     /**< sizeof(q3g_hold_back_stats) */
  int32_t n_retries;        /**< retries so far */
  int32_t n_overdue;        /**< deadlines that passed without a verdict */
  int32_t reserved;         /**< 0 */
  int64_t put_bytes;        /**< bytes that were put; those neither shown nor withdrawn are held back now */
  int64_t shown_bytes;      /**< bytes that were taken, to be shown */
  int64_t withdrawn_bytes;  /**< bytes taken back unseen: by a retry, a withdrawal, or an unjudged end */
  int64_t retracted_bytes;  /**< bytes that were taken, and then taken back by a retry in front of them */
  int64_t shown_tokens;     /**< tokens of the guard that were taken */
  int64_t delayed_tokens;   /**< of these such that had others behind them before they left */
  int64_t withdrawn_tokens; /**< tokens taken back unseen */
  int64_t held_tokens;      /**< tokens that are held back now */
  double wait_ms;           /**< from a put until its last byte was taken: the sum over the texts that were */
  int64_t n_waits;          /**< how many these are */
  double max_wait_ms;       /**< the longest of these waits */
} q3g_hold_back_stats;

/** How a generator draws tokens. */
typedef struct q3g_sampling_options {
  uint32_t struct_size; /**< sizeof(q3g_sampling_options) */
  float temperature;    /**< 0: always the most probable token. 0.7 */
  int32_t top_k;        /**< 0: all. 20 */
  float top_p;          /**< in (0, 1]. 0.8 */
  uint64_t seed;        /**< the same seed draws the same. 0 */
  q3g_cancel* cancel;   /**< may be NULL */
} q3g_sampling_options;

/** One head's logits, row-major [rows, cols]. */
typedef struct q3g_head_logits {
  uint32_t struct_size; /**< sizeof(q3g_head_logits) */
  /** Shape of `values`. @{ */
  int32_t rows, cols;  /** @} */
  int32_t reserved;    /**< 0 */
  const char* name;    /**< NUL-terminated; lives as long as the q3g_logits */
  const float* values; /**< the same */
} q3g_head_logits;

/** How a checkpoint is packed. */
typedef struct q3g_quantize_options {
  uint32_t struct_size;     /**< sizeof(q3g_quantize_options) */
  int32_t type;             /**< Q3G_PACKED_. int8 */
  int32_t group_size;       /**< columns that share a scale; -1: the type's default */
  int32_t overwrite;        /**< 1: replace an existing file */
  int32_t keep_prefix;      /**< 1, Gen: store what the model computes for the constant part of its prompt */
  int32_t n_threads;        /**< 0: all cores */
  q3g_progress_fn progress; /**< in bytes; may be NULL */
  void* progress_user;      /**< the `user` of `progress` */
  q3g_cancel* cancel;       /**< may be NULL */
  int32_t embeddings;       /**< Q3G_EMBEDDINGS_. automatic */
  uint32_t reserved;        /**< 0 */
} q3g_quantize_options;

/** What packing did. Text ends with NUL. */
typedef struct q3g_quantize_report {
  uint32_t struct_size;  /**< sizeof(q3g_quantize_report) */
  uint32_t reserved;     /**< 0 */
  int64_t source_bytes;  /**< bytes of the checkpoint's weights */
  int64_t file_bytes;    /**< bytes of the packed file, which holds the tokenizer and the config too */
  double seconds;        /**< from the call to the finished file */
  char weight_dtype[64]; /**< how matrices are stored now, e.g. "int8 (group 64), embeddings BF16" */
} q3g_quantize_report;
/** @} */

/** @{ @name Library */
/** "major.minor.patch" of the library. Static storage. Any thread. */
Q3G_API const char* q3g_version(void) Q3G_NOEXCEPT;
/** Q3G_ABI_VERSION that the library was built with. Any thread. */
Q3G_API uint32_t q3g_abi_version(void) Q3G_NOEXCEPT;
/** The constants' names, e.g. "bad_checkpoint", "Unsafe", "Sexual Content or Sexual Acts", "block",
 * "assistant", "heads", "end_of_turn"; "unknown" for other values. Static storage. Any thread. */
Q3G_API const char* q3g_status_name(q3g_status status) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_SEVERITY_. */
Q3G_API const char* q3g_severity_name(int32_t severity) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_CATEGORY_. */
Q3G_API const char* q3g_category_name(int32_t category) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_ACTION_. */
Q3G_API const char* q3g_action_name(int32_t action) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_RULE_. */
Q3G_API const char* q3g_rule_name(int32_t rule) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_ROLE_. */
Q3G_API const char* q3g_role_name(int32_t role) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_SOURCE_. */
Q3G_API const char* q3g_source_name(int32_t source) Q3G_NOEXCEPT;
/** As q3g_status_name(), of Q3G_REASON_. */
Q3G_API const char* q3g_reason_name(int32_t reason) Q3G_NOEXCEPT;
/** The severity of a name; exact match. Any thread. Errors: Q3G_E_INVALID_ARGUMENT. */
Q3G_API q3g_status q3g_parse_severity(const char* name, size_t name_bytes, int32_t* severity,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** The category of a name; also by the long spelling of PII. Any thread. Errors: Q3G_E_INVALID_ARGUMENT. */
Q3G_API q3g_status q3g_parse_category(const char* name, size_t name_bytes, int32_t* category,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** Name of the index-th model in the library; NULL when there are not so many. Static storage. Any thread. */
Q3G_API const char* q3g_embedded_model_name(size_t index) Q3G_NOEXCEPT;
/** @} */

/** @{ @name Defaults */
/** Fills a struct with the defaults; `struct_size` is the caller's sizeof. Any thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (NULL; a size smaller than this version's). */
Q3G_API q3g_status q3g_guard_options_init(q3g_guard_options* options, size_t struct_size) Q3G_NOEXCEPT;
/** As q3g_guard_options_init(). */
Q3G_API q3g_status q3g_classify_options_init(q3g_classify_options* options, size_t struct_size) Q3G_NOEXCEPT;
/** As q3g_guard_options_init(). */
Q3G_API q3g_status q3g_stream_options_init(q3g_stream_options* options, size_t struct_size) Q3G_NOEXCEPT;
/** As q3g_guard_options_init(). */
Q3G_API q3g_status q3g_batch_options_init(q3g_batch_options* options, size_t struct_size) Q3G_NOEXCEPT;
/** For q3g_hold_back_open() and q3g_hold_back_open_batch(). */
Q3G_API q3g_status q3g_hold_back_options_init(q3g_hold_back_options* options,
                                              size_t struct_size) Q3G_NOEXCEPT;
/** As q3g_guard_options_init(). */
Q3G_API q3g_status q3g_sampling_options_init(q3g_sampling_options* options, size_t struct_size) Q3G_NOEXCEPT;
/** As q3g_guard_options_init(). */
Q3G_API q3g_status q3g_quantize_options_init(q3g_quantize_options* options, size_t struct_size) Q3G_NOEXCEPT;
/** As q3g_guard_options_init(). */
/** @} */

/** @name Cancelling
 * A flag that options or a call name; running calls look at it before each layer of the model and end with
 * Q3G_E_CANCELLED while it is up, as any failed call. What was given the flag keeps it alive. @{ */
/** A new flag, down; *out is the caller's (q3g_cancel_free). Any thread. Errors: Q3G_E_OUT_OF_MEMORY. */
Q3G_API q3g_status q3g_cancel_new(q3g_cancel** out, q3g_error* err) Q3G_NOEXCEPT;
/** Raises the flag. Any thread, and signal handlers while nobody frees it. Errors: Q3G_E_BAD_HANDLE. */
Q3G_API q3g_status q3g_cancel_set(q3g_cancel* cancel) Q3G_NOEXCEPT;
/** Takes it down again. Any thread. Errors: Q3G_E_BAD_HANDLE. */
Q3G_API q3g_status q3g_cancel_reset(q3g_cancel* cancel) Q3G_NOEXCEPT;
/** 1 when it is up, 0 when it is down or no flag. Any thread. */
Q3G_API int32_t q3g_cancel_is_set(const q3g_cancel* cancel) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_cancel_free(q3g_cancel* cancel) Q3G_NOEXCEPT;
/** @} */

/** @{ @name Models */
/** Loads the checkpoint folder, or the packed file, at `path`. options: NULL for the defaults. *out is the
 * caller's (q3g_guard_free). Any thread. Errors: Q3G_E_FILE_NOT_FOUND, Q3G_E_IO, Q3G_E_BAD_CHECKPOINT (also
 * weights that are zeros or not finite: an interrupted download; with options.verify, another checksum),
 * Q3G_E_BAD_TOKENIZER, Q3G_E_UNSUPPORTED_MODEL (also a LoRA adapter, PyTorch and GGUF files),
 * Q3G_E_UNSUPPORTED_ISA, Q3G_E_OUT_OF_MEMORY. */
Q3G_API q3g_status q3g_guard_load(const char* path, size_t path_bytes, const q3g_guard_options* options,
                                  q3g_guard** out, q3g_error* err) Q3G_NOEXCEPT;
/** Loads a model of the library (q3g_embedded_model_name). As q3g_guard_load(). */
Q3G_API q3g_status q3g_guard_load_embedded(const char* name, size_t name_bytes,
                                           const q3g_guard_options* options, q3g_guard** out,
                                           q3g_error* err) Q3G_NOEXCEPT;
/** Loads a model from memory: a checkpoint's files, or one packed file. The bytes are borrowed, and must not
 * change, until `release` is called with release_user, once: when the guard and all that was made from it are
 * freed; before this function returns when it fails. release: NULL when the bytes live for ever. All of them
 * are verified, unless options.verify is Q3G_VERIFY_OFF. As q3g_guard_load(). */
Q3G_API q3g_status q3g_guard_load_memory(const q3g_file* files, size_t n_files, q3g_release_fn release,
                                         void* release_user, const q3g_guard_options* options,
                                         q3g_guard** out, q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle; the model goes with its last user. Any thread. */
Q3G_API void q3g_guard_free(q3g_guard* guard) Q3G_NOEXCEPT;
/** What the model is. Any thread. */
Q3G_API q3g_status q3g_guard_info(const q3g_guard* guard, q3g_model_info* out, q3g_error* err) Q3G_NOEXCEPT;
/** The model's tokenizer, as a handle of its own: the caller's (q3g_tokenizer_free). Any thread. Errors:
 * Q3G_E_BAD_TOKENIZER (loaded without one). */
Q3G_API q3g_status q3g_guard_tokenizer(const q3g_guard* guard, q3g_tokenizer** out,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** Raw logits of every head for `ids`, of the last position only when last_only is 1. cancel: may be NULL.
 * *out is the caller's (q3g_logits_free). Any thread. Errors: Q3G_E_TOKEN_RANGE, Q3G_E_CONTEXT_FULL,
 * Q3G_E_CANCELLED. */
Q3G_API q3g_status q3g_guard_logits(const q3g_guard* guard, const int32_t* ids, size_t n_ids,
                                    int32_t last_only, q3g_cancel* cancel, q3g_logits** out,
                                    q3g_error* err) Q3G_NOEXCEPT;
/** How many heads there are; 0 for a bad handle. Any thread. */
Q3G_API size_t q3g_logits_count(const q3g_logits* logits) Q3G_NOEXCEPT;
/** The index-th head; its pointers live as long as the handle. Any thread. */
Q3G_API q3g_status q3g_logits_get(const q3g_logits* logits, size_t index, q3g_head_logits* out,
                                  q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_logits_free(q3g_logits* logits) Q3G_NOEXCEPT;
/** @} */

/** @name Verdicts
 * options: NULL for the defaults. Errors: Q3G_E_INVALID_UTF8, Q3G_E_CONTEXT_FULL, Q3G_E_UNPARSABLE_OUTPUT
 * (greedy decoding), Q3G_E_CANCELLED, Q3G_E_OUT_OF_MEMORY. @{ */
/** Judges a user's prompt. Any thread. */
Q3G_API q3g_status q3g_guard_classify_prompt(const q3g_guard* guard, const char* prompt, size_t prompt_bytes,
                                             const q3g_classify_options* options, q3g_verdict* out,
                                             q3g_error* err) Q3G_NOEXCEPT;
/** Judges the response to a prompt. Any thread. */
Q3G_API q3g_status q3g_guard_classify_response(const q3g_guard* guard, const char* prompt,
                                               size_t prompt_bytes, const char* response,
                                               size_t response_bytes, const q3g_classify_options* options,
                                               q3g_verdict* out, q3g_error* err) Q3G_NOEXCEPT;
/** Judges the last message of a conversation, a user's or an assistant's. Any thread. */
Q3G_API q3g_status q3g_guard_classify(const q3g_guard* guard, const q3g_message* messages, size_t n_messages,
                                      const q3g_classify_options* options, q3g_verdict* out,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** Judges several conversations in common matrix products: out [n], of which the first struct_size is set
 * (zero the array: each `text` and text_capacity is the caller's, as ever). One that
 * fails does not disturb the others: its q3g_verdict::status says so, and errors[i] why (errors: [n], the
 * first struct_size is set; may be NULL). Any thread. The call itself fails for its own arguments only. */
Q3G_API q3g_status q3g_guard_classify_batch(const q3g_guard* guard, const q3g_conversation* conversations,
                                            size_t n_conversations, const q3g_classify_options* options,
                                            q3g_verdict* out, q3g_error* errors, q3g_error* err) Q3G_NOEXCEPT;
/** @} */

/** @{ @name Tokenizer */
/** Reads tokenizer.json, a rank file of the tiktoken package (*.tiktoken), or a folder with one of these or
 * with vocab.json and merges.txt. *out is the caller's (q3g_tokenizer_free). Any thread. Errors:
 * Q3G_E_FILE_NOT_FOUND, Q3G_E_IO, Q3G_E_BAD_TOKENIZER, Q3G_E_UNSUPPORTED_MODEL. */
Q3G_API q3g_status q3g_tokenizer_load(const char* path, size_t path_bytes, q3g_tokenizer** out,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_tokenizer_free(q3g_tokenizer* tokenizer) Q3G_NOEXCEPT;
/** Tokens of a text. special: Q3G_SPECIAL_. ids: [capacity]; *n_ids: how many there are. A text has at most
 * as many tokens as bytes, but for Q3G_SPECIAL_ and NFC, which may lengthen it up to threefold. Any thread.
 * Errors: Q3G_E_INVALID_UTF8, Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_tokenizer_encode(const q3g_tokenizer* tokenizer, const char* text, size_t text_bytes,
                                        int32_t special, int32_t* ids, size_t capacity, size_t* n_ids,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** Text of tokens, without a NUL. skip_special: 1: without control tokens. *n_bytes: its size. Any thread.
 * Errors: Q3G_E_TOKEN_RANGE, Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_tokenizer_decode(const q3g_tokenizer* tokenizer, const int32_t* ids, size_t n_ids,
                                        int32_t skip_special, char* text, size_t capacity, size_t* n_bytes,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** A token's bytes, which may be a part of a character; *bytes lives as long as the tokenizer or anything
 * that shares it. Any thread. Errors: Q3G_E_TOKEN_RANGE. */
Q3G_API q3g_status q3g_tokenizer_token_bytes(const q3g_tokenizer* tokenizer, int32_t id, const char** bytes,
                                             size_t* n_bytes, q3g_error* err) Q3G_NOEXCEPT;
/** The regular token of exactly these bytes; *id is -1 when there is none. Any thread. */
Q3G_API q3g_status q3g_tokenizer_find_bytes(const q3g_tokenizer* tokenizer, const char* bytes, size_t n_bytes,
                                            int32_t* id, q3g_error* err) Q3G_NOEXCEPT;
/** The added token of this text, e.g. "<|im_end|>"; *id is -1 when there is none. Any thread. */
Q3G_API q3g_status q3g_tokenizer_find_added(const q3g_tokenizer* tokenizer, const char* text,
                                            size_t text_bytes, int32_t* id, q3g_error* err) Q3G_NOEXCEPT;
/** *is_special: 1 for control tokens, 0 for others and for ids that no token has. Any thread. */
Q3G_API q3g_status q3g_tokenizer_is_special(const q3g_tokenizer* tokenizer, int32_t id, int32_t* is_special,
                                            q3g_error* err) Q3G_NOEXCEPT;
/** *n: one more than the largest id. Any thread. */
Q3G_API q3g_status q3g_tokenizer_vocab_size(const q3g_tokenizer* tokenizer, int32_t* n,
                                            q3g_error* err) Q3G_NOEXCEPT;
/** Decodes tokens one by one into whole characters. *out is the caller's (q3g_decoder_free). Any thread. */
Q3G_API q3g_status q3g_decoder_new(const q3g_tokenizer* tokenizer, int32_t skip_special, q3g_decoder** out,
                                   q3g_error* err) Q3G_NOEXCEPT;
/** Text that `id` completes, *n_bytes of it, without a NUL; may be none. One thread. Errors:
 * Q3G_E_TOKEN_RANGE, Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_decoder_push(q3g_decoder* decoder, int32_t id, char* text, size_t capacity,
                                    size_t* n_bytes, q3g_error* err) Q3G_NOEXCEPT;
/** What was held back, as U+FFFD; the decoder is then as new. One thread. Errors: Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_decoder_finish(q3g_decoder* decoder, char* text, size_t capacity, size_t* n_bytes,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_decoder_free(q3g_decoder* decoder) Q3G_NOEXCEPT;
/** @} */

/** @name Streams
 * qwen3guard/stream_session.hpp describes turns, updates and marks. Functions with `tokens` and `capacity`
 * write the update's first verdicts there, as many as fit: q3g_update::n_tokens tells how many there are, and
 * q3g_stream_verdicts() has the others. tokens: NULL when capacity is 0. update: may be NULL. @{ */
/** Opens a conversation. options: NULL for the defaults. *out is the caller's (q3g_stream_free). Any thread.
 * Errors: Q3G_E_BAD_TOKENIZER (a Gen checkpoint without one), Q3G_E_OUT_OF_MEMORY. */
Q3G_API q3g_status q3g_stream_open(const q3g_guard* guard, const q3g_stream_options* options,
                                   q3g_stream** out, q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_stream_free(q3g_stream* stream) Q3G_NOEXCEPT;
/** Feeds the user's turn and opens the assistant's; *out: the verdict on the prompt, may be NULL. One thread.
 * Errors: Q3G_E_INVALID_ARGUMENT (a turn is open), Q3G_E_INVALID_UTF8, Q3G_E_CONTEXT_FULL, Q3G_E_CANCELLED.
 */
Q3G_API q3g_status q3g_stream_push_prompt(q3g_stream* stream, const char* prompt, size_t prompt_bytes,
                                          q3g_token_verdict* out, q3g_error* err) Q3G_NOEXCEPT;
/** The same for several turns, the last one the user's. One thread. */
Q3G_API q3g_status q3g_stream_push_conversation(q3g_stream* stream, const q3g_message* messages,
                                                size_t n_messages, q3g_token_verdict* out,
                                                q3g_error* err) Q3G_NOEXCEPT;
/** Appends finished turns without judging them: they have no verdicts, and no decision that is complete.
 * Messages of tools come into a conversation by this and by q3g_stream_push_conversation() alone. One
 * thread. */
Q3G_API q3g_status q3g_stream_restore(q3g_stream* stream, const q3g_message* messages, size_t n_messages,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** Opens a turn. One thread. Errors: Q3G_E_INVALID_ARGUMENT (one is open; a tool's). */
Q3G_API q3g_status q3g_stream_begin_turn(q3g_stream* stream, int32_t role, q3g_error* err) Q3G_NOEXCEPT;
/** Goes on with the open turn: UTF-8, split anywhere. One thread. Errors: Q3G_E_INVALID_ARGUMENT (no open
 * turn, or one of tokens), Q3G_E_INVALID_UTF8 (with the byte of the turn's text), Q3G_E_CONTEXT_FULL,
 * Q3G_E_CANCELLED. */
Q3G_API q3g_status q3g_stream_push_text(q3g_stream* stream, const char* text, size_t text_bytes,
                                        q3g_update* update, q3g_token_verdict* tokens, size_t capacity,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** Judges the next tokens of the open turn: tokens[i] judges ids[i], and there is room for n_ids. A model's
 * end of sequence, <|im_end|> or <|endoftext|>, may be the last one of an assistant's turn: it is no part of
 * the text, its verdict has Q3G_SOURCE_NONE and does not count, and only q3g_stream_end_turn() may follow.
 * Any other control token is an error, unless q3g_stream_options::allow_control_ids. One thread. Errors: as
 * q3g_stream_push_text(); Q3G_E_INVALID_ARGUMENT (a control token, with its index); Q3G_E_TOKEN_RANGE. */
Q3G_API q3g_status q3g_stream_push_tokens(q3g_stream* stream, const int32_t* ids, size_t n_ids,
                                          q3g_token_verdict* tokens, q3g_error* err) Q3G_NOEXCEPT;
/** Ends the open turn. A character that is not complete is judged as U+FFFD (Q3G_INVALID_UTF8_REPLACE) or
 * left out, and the decision names its bytes as not judged. Each of turn, decision, prompt (written when
 * q3g_turn::has_prompt) and written (when q3g_turn::has_written) may be NULL. One thread. Errors: as
 * q3g_stream_push_text(). */
Q3G_API q3g_status q3g_stream_end_turn(q3g_stream* stream, q3g_turn* turn, q3g_decision* decision,
                                       q3g_token_verdict* prompt, q3g_verdict* written,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** The place where the conversation is now. One thread. */
Q3G_API q3g_status q3g_stream_mark(const q3g_stream* stream, q3g_mark* out, q3g_error* err) Q3G_NOEXCEPT;
/** Goes back to a mark of this stream or of what it was forked from. One thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (not in its past, or the context slid over it). */
Q3G_API q3g_status q3g_stream_rewind(q3g_stream* stream, const q3g_mark* mark, q3g_update* update,
                                     q3g_token_verdict* tokens, size_t capacity, q3g_error* err) Q3G_NOEXCEPT;
/** Keeps the first n_bytes of the open turn's text. One thread. Errors: Q3G_E_INVALID_ARGUMENT. */
Q3G_API q3g_status q3g_stream_rewind_to_byte(q3g_stream* stream, int64_t n_bytes, q3g_update* update,
                                             q3g_token_verdict* tokens, size_t capacity,
                                             q3g_error* err) Q3G_NOEXCEPT;
/** A second stream with the same past, the caller's (q3g_stream_free). One thread. */
Q3G_API q3g_status q3g_stream_fork(const q3g_stream* stream, q3g_stream** out, q3g_error* err) Q3G_NOEXCEPT;
/** Another flag than q3g_stream_options::cancel for the calls from now on; NULL: none. A fork begins without
 * one. One thread. */
Q3G_API q3g_status q3g_stream_set_cancel(q3g_stream* stream, q3g_cancel* cancel, q3g_error* err) Q3G_NOEXCEPT;
/** The policy's decision over the open (or else the last) turn so far. One thread. */
Q3G_API q3g_status q3g_stream_decision(const q3g_stream* stream, q3g_decision* out,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** The decision on the last user's turn that ended, whose rules say what the policy makes of the prompt. One
 * thread. */
Q3G_API q3g_status q3g_stream_prompt_decision(const q3g_stream* stream, q3g_decision* out,
                                              q3g_error* err) Q3G_NOEXCEPT;
/** That turn's verdicts from index `begin` on, as many as fit; *n: how many there are from there. One thread.
 * Errors: Q3G_E_INVALID_ARGUMENT (begin is outside q3g_stream_info::first_verdict to n_verdicts). */
Q3G_API q3g_status q3g_stream_verdicts(const q3g_stream* stream, size_t begin, q3g_token_verdict* tokens,
                                       size_t capacity, size_t* n, q3g_error* err) Q3G_NOEXCEPT;
/** Where the stream is. One thread. */
Q3G_API q3g_status q3g_stream_get_info(const q3g_stream* stream, q3g_stream_info* out,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** Forgets the conversation; memory is kept for the next one. One thread. */
Q3G_API q3g_status q3g_stream_reset(q3g_stream* stream, q3g_error* err) Q3G_NOEXCEPT;
/** q3g_stream_push_tokens() for several streams of this guard in common matrix products; each push has a
 * status of its own. Any thread for the guard; one for each stream. */
Q3G_API q3g_status q3g_guard_push_batch(const q3g_guard* guard, q3g_stream_push* pushes, size_t n_pushes,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** @} */

/** @name Policy
 * What to do about verdicts: a document (docs/policy.md, policy.schema.json). Where a policy is a parameter,
 * NULL is the default one, which blocks what is Unsafe or Controversial. @{ */
/** Reads a policy's file. *out is the caller's (q3g_policy_free). Any thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (line and path of what is wrong), Q3G_E_FILE_NOT_FOUND, Q3G_E_IO,
 * Q3G_E_UNSUPPORTED_MODEL (lists, in a library without RE2). */
Q3G_API q3g_status q3g_policy_load(const char* path, size_t path_bytes, q3g_policy** out,
                                   q3g_error* err) Q3G_NOEXCEPT;
/** Reads a policy's JSON text. As q3g_policy_load(). */
Q3G_API q3g_status q3g_policy_parse(const char* json, size_t json_bytes, q3g_policy** out,
                                    q3g_error* err) Q3G_NOEXCEPT;
/** A policy of the library, by its name (q3g_policy_preset_name). *out is the caller's (q3g_policy_free). Any
 * thread. Errors: Q3G_E_INVALID_ARGUMENT (with the names there are). */
Q3G_API q3g_status q3g_policy_preset(const char* name, size_t name_bytes, q3g_policy** out,
                                     q3g_error* err) Q3G_NOEXCEPT;
/** Name of the index-th policy of the library; NULL when there are not so many. Static storage. Any
 * thread. */
Q3G_API const char* q3g_policy_preset_name(size_t index) Q3G_NOEXCEPT;
/** The policy as JSON text that q3g_policy_parse() reads, without a NUL. Any thread. Errors:
 * Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_policy_to_json(const q3g_policy* policy, char* text, size_t capacity, size_t* n_bytes,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** What the policy does, in plain words, some lines without a NUL. Any thread. Errors:
 * Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_policy_describe(const q3g_policy* policy, char* text, size_t capacity, size_t* n_bytes,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle; the policy goes with its last user. Any thread. */
Q3G_API void q3g_policy_free(q3g_policy* policy) Q3G_NOEXCEPT;
/** The action on what could not be judged, such as a call that failed: none or block, never allow. Any
 * thread. */
Q3G_API q3g_status q3g_policy_unjudged_action(const q3g_policy* policy, int32_t* action,
                                              q3g_error* err) Q3G_NOEXCEPT;
/** Rules on a verdict again: writes its `action`, `rule`s and policy, bit for bit what classifying under this
 * policy would have given, from what else is in it. text: the judged message, which a policy with lists
 * needs. Any thread. Errors: Q3G_E_INVALID_ARGUMENT (a Stream checkpoint's verdict: rule on its tokens
 * instead, q3g_policy_decide; one of several windows of a message, as the others count, too; no text for a
 * policy with lists). */
Q3G_API q3g_status q3g_policy_decide_verdict(const q3g_policy* policy, q3g_verdict* verdict, const char* text,
                                             size_t text_bytes, q3g_error* err) Q3G_NOEXCEPT;
/** The decision over the verdicts [n] of a turn of this role, Q3G_ROLE_; their `action` is written.
 * has_ended: 1: the turn is over. Lists have no part in it. Any thread. */
Q3G_API q3g_status q3g_policy_decide(const q3g_policy* policy, int32_t role, q3g_token_verdict* tokens,
                                     size_t n_tokens, int32_t has_ended, q3g_decision* out,
                                     q3g_error* err) Q3G_NOEXCEPT;
/** One sentence for a person about a decision, without a NUL. Any thread. Errors: Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_decision_explain(const q3g_decision* decision, char* text, size_t capacity,
                                        size_t* n_bytes, q3g_error* err) Q3G_NOEXCEPT;
/** @} */

/** @name Batch of streams
 * qwen3guard/stream_batch.hpp describes deadlines, steps and budgets. Sessions are named by numbers, never
 * given twice. deadline_ms: from now; below 0: the default. @{ */
/** Opens a batch. options: NULL for the defaults. *out is the caller's (q3g_batch_free). Any thread. */
Q3G_API q3g_status q3g_batch_open(const q3g_guard* guard, const q3g_batch_options* options, q3g_batch** out,
                                  q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle; with the batch its thread ends, and what waits is dropped without a verdict. Any
 * thread. */
Q3G_API void q3g_batch_free(q3g_batch* batch) Q3G_NOEXCEPT;
/** A new session. Any thread. Errors: as q3g_stream_open(); Q3G_E_BUDGET_EXCEEDED. */
Q3G_API q3g_status q3g_batch_add(q3g_batch* batch, const q3g_stream_options* options, uint64_t* session,
                                 q3g_error* err) Q3G_NOEXCEPT;
/** Takes a stream in, with its past, and frees its handle; on failure the stream stays the caller's. Any
 * thread; one for the stream. Errors: Q3G_E_INVALID_ARGUMENT (another guard's; a handle lent by
 * q3g_batch_visit()), Q3G_E_BUDGET_EXCEEDED. */
Q3G_API q3g_status q3g_batch_add_stream(q3g_batch* batch, q3g_stream* stream, uint64_t* session,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** Drops a session, and what waits for it without a verdict. Any thread. Errors: Q3G_E_INVALID_ARGUMENT (no
 * such session; within a visit of it). */
Q3G_API q3g_status q3g_batch_remove(q3g_batch* batch, uint64_t session, q3g_error* err) Q3G_NOEXCEPT;
/** Queues a prompt; it is copied. Any thread. Errors: Q3G_E_INVALID_ARGUMENT (no such session),
 * Q3G_E_CONTEXT_FULL (the session could not be held even if it were the only one), Q3G_E_BUDGET_EXCEEDED (try
 * again). What is wrong with the text comes as an event. */
Q3G_API q3g_status q3g_batch_push_prompt(q3g_batch* batch, uint64_t session, const char* prompt,
                                         size_t prompt_bytes, double deadline_ms,
                                         q3g_error* err) Q3G_NOEXCEPT;
/** Queues the beginning of a turn. As q3g_batch_push_prompt(). */
Q3G_API q3g_status q3g_batch_begin_turn(q3g_batch* batch, uint64_t session, int32_t role,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** Queues text. As q3g_batch_push_prompt(). */
Q3G_API q3g_status q3g_batch_push_text(q3g_batch* batch, uint64_t session, const char* text,
                                       size_t text_bytes, double deadline_ms, q3g_error* err) Q3G_NOEXCEPT;
/** Queues tokens. As q3g_batch_push_prompt(). */
Q3G_API q3g_status q3g_batch_push_tokens(q3g_batch* batch, uint64_t session, const int32_t* ids, size_t n_ids,
                                         double deadline_ms, q3g_error* err) Q3G_NOEXCEPT;
/** Queues the end of a turn. As q3g_batch_push_prompt(). */
Q3G_API q3g_status q3g_batch_end_turn(q3g_batch* batch, uint64_t session, double deadline_ms,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** Takes a session's events; waits for the first one (Q3G_EVENT_OVERDUE at the latest, whether or not anybody
 * steps), or until nothing is left to wait for, at most timeout_ms (0: does not wait). *out is the caller's
 * (q3g_events_free), and may hold none: no verdict on what still waits. Any thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (no such session; timeout_ms below 0). */
Q3G_API q3g_status q3g_batch_poll(q3g_batch* batch, uint64_t session, double timeout_ms, q3g_events** out,
                                  q3g_error* err) Q3G_NOEXCEPT;
/** Runs visit(user, stream) on this thread while nobody else uses the session. Any thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (no such session; within a visit of it). */
Q3G_API q3g_status q3g_batch_visit(q3g_batch* batch, uint64_t session, q3g_visit_fn visit, void* user,
                                   q3g_error* err) Q3G_NOEXCEPT;
/** Judges what waits until nothing does or the time is up. When no forward is expected to end in time, a
 * short one runs if must_run is 1, or if what is next in line is past its deadline (then again after as much
 * time as it took), or if eight times its expected time was refused. n_tokens: judged; may be NULL. What
 * fails is an event of its session; what there is no memory for waits on. Any thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (budget_ms below 0). */
Q3G_API q3g_status q3g_batch_step(q3g_batch* batch, double budget_ms, int32_t must_run, size_t* n_tokens,
                                  q3g_error* err) Q3G_NOEXCEPT;
/** Starts a thread that steps until q3g_batch_stop() or q3g_batch_free(). Any thread. Errors:
 * Q3G_E_INVALID_ARGUMENT (it is running already, or the library was built with Q3G_PARALLEL=none),
 * Q3G_E_OUT_OF_MEMORY (the system refuses a thread). */
Q3G_API q3g_status q3g_batch_start(q3g_batch* batch, q3g_error* err) Q3G_NOEXCEPT;
/** Ends that thread; what waits stays. Any thread. */
Q3G_API q3g_status q3g_batch_stop(q3g_batch* batch, q3g_error* err) Q3G_NOEXCEPT;
/** Counters. Any thread. */
Q3G_API q3g_status q3g_batch_get_stats(const q3g_batch* batch, q3g_batch_stats* out,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** How many events there are; 0 for a bad handle. Any thread. */
Q3G_API size_t q3g_events_count(const q3g_events* events) Q3G_NOEXCEPT;
/** The index-th event. failure: what a Q3G_EVENT_ERROR is about; another slot than err; may be NULL. Any
 * thread. */
Q3G_API q3g_status q3g_events_get(const q3g_events* events, size_t index, q3g_event* out, q3g_error* failure,
                                  q3g_error* err) Q3G_NOEXCEPT;
/** The event's n_tokens verdicts, the first one of which is number `first` of the turn. Any thread. Errors:
 * Q3G_E_BUFFER_TOO_SMALL. */
Q3G_API q3g_status q3g_events_tokens(const q3g_events* events, size_t index, q3g_token_verdict* tokens,
                                     size_t capacity, q3g_error* err) Q3G_NOEXCEPT;
/** The turn's decision behind the event; that of a Q3G_EVENT_ERROR is never complete. Any thread. */
Q3G_API q3g_status q3g_events_decision(const q3g_events* events, size_t index, q3g_decision* out,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** prompt: written when has_prompt; written: when has_written; each may be NULL. Any thread. */
Q3G_API q3g_status q3g_events_turn(const q3g_events* events, size_t index, q3g_token_verdict* prompt,
                                   q3g_verdict* written, q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_events_free(q3g_events* events) Q3G_NOEXCEPT;
/** @} */

/** @{ @name Hold-back
 * One answer of a host's model on its way to a person: what the model writes is put in, and what may be shown
 * is taken out. That is at every time a prefix of the turn's text that was judged, is settled, and is not
 * blocked (Q3G_ACTION_FLAG passes). Nothing is lost, and nothing comes twice. docs/hold_back.md. */
/** Over a stream whose assistant's turn is open, behind q3g_stream_push_prompt(). Until the answer has ended
 * nobody else changes the stream. options: NULL for the defaults. *out is the caller's (q3g_hold_back_free).
 * One thread, for the stream too. Errors: Q3G_E_INVALID_ARGUMENT (no open turn of the assistant's; a handle
 * lent by q3g_batch_visit()). */
Q3G_API q3g_status q3g_hold_back_open(q3g_stream* stream, const q3g_hold_back_options* options,
                                      q3g_hold_back** out, q3g_error* err) Q3G_NOEXCEPT;
/** Over a batch's session, behind q3g_batch_push_prompt(). Until the answer has ended nobody else pushes to
 * the session or polls it, and events that wait for it are taken. A prompt that is not judged yet is waited
 * for, and when it is blocked, so is the answer. Any thread. Errors: Q3G_E_INVALID_ARGUMENT (no such session;
 * no turn of the assistant's that is open or waits to be; text of it that waits to be judged). */
Q3G_API q3g_status q3g_hold_back_open_batch(q3g_batch* batch, uint64_t session,
                                            const q3g_hold_back_options* options, q3g_hold_back** out,
                                            q3g_error* err) Q3G_NOEXCEPT;
/** What the host's model has written next, split anywhere. Over a stream it is judged now. One thread.
 * Errors: Q3G_E_INVALID_ARGUMENT (blocked, or over), Q3G_E_BUDGET_EXCEEDED (over a batch: nothing was put;
 * try again); those of q3g_stream_push_text(), after which nothing leaves. */
Q3G_API q3g_status q3g_hold_back_put(q3g_hold_back* hold_back, const char* text, size_t text_bytes,
                                     q3g_error* err) Q3G_NOEXCEPT;
/** What may be shown now goes to `text`, whole characters, as many as fit; `capacity` is at least 4.
 * timeout_ms: over a batch it waits so long for something to happen. decision: written when has_block; may be
 * NULL. One thread. Errors: what the session failed with. */
Q3G_API q3g_status q3g_hold_back_take(q3g_hold_back* hold_back, double timeout_ms, char* text,
                                      size_t capacity, q3g_hold_back_release* out, q3g_decision* decision,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** The host's model has ended its answer: the turn is ended, and the rest may leave, or is blocked. One
 * thread. Errors: as q3g_hold_back_put(). */
Q3G_API q3g_status q3g_hold_back_finish(q3g_hold_back* hold_back, q3g_error* err) Q3G_NOEXCEPT;
/** Goes on behind a block: the session is taken back to the first n_bytes bytes of the turn's text (-1: to
 * continue_byte), and the host puts what its model writes from there on. Below shown_bytes: the host has
 * taken back what it showed. One thread. Errors: Q3G_E_INVALID_ARGUMENT (nothing is blocked, no retries are
 * left, no such byte, or the context has slid past it). */
Q3G_API q3g_status q3g_hold_back_retry(q3g_hold_back* hold_back, int64_t n_bytes,
                                       q3g_error* err) Q3G_NOEXCEPT;
/** Ends the answer here, blocked or not: what was shown stands, the rest is withdrawn, and the session's turn
 * is ended as if that had been all. One thread. Errors: Q3G_E_INVALID_ARGUMENT (it has ended); those of
 * q3g_stream_rewind() and q3g_stream_end_turn(): then the answer has ended all the same, and the session has
 * more in its past than was shown: reset it. Q3G_E_BUDGET_EXCEEDED (over a batch: try again). */
Q3G_API q3g_status q3g_hold_back_withdraw(q3g_hold_back* hold_back, q3g_error* err) Q3G_NOEXCEPT;
/** Counters. One thread. */
Q3G_API q3g_status q3g_hold_back_get_stats(const q3g_hold_back* hold_back, q3g_hold_back_stats* out,
                                           q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle; the session stays as it is. Any thread. */
Q3G_API void q3g_hold_back_free(q3g_hold_back* hold_back) Q3G_NOEXCEPT;
/** @} */

/** @{ @name Generator */
/** Text by a causal checkpoint. options: NULL for the defaults. *out is the caller's (q3g_generator_free).
 * Any thread. Errors: Q3G_E_UNSUPPORTED_MODEL (a Stream checkpoint). */
Q3G_API q3g_status q3g_generator_open(const q3g_guard* guard, const q3g_sampling_options* options,
                                      q3g_generator** out, q3g_error* err) Q3G_NOEXCEPT;
/** Sets what was said, the last message the user's, and opens the answer. One thread. */
Q3G_API q3g_status q3g_generator_set_conversation(q3g_generator* generator, const q3g_message* messages,
                                                  size_t n_messages, q3g_error* err) Q3G_NOEXCEPT;
/** The same as tokens. One thread. */
Q3G_API q3g_status q3g_generator_set_tokens(q3g_generator* generator, const int32_t* ids, size_t n_ids,
                                            q3g_error* err) Q3G_NOEXCEPT;
/** Draws the next token; *is_end (may be NULL): 1 when it ends the answer. One thread. Errors:
 * Q3G_E_CONTEXT_FULL, Q3G_E_CANCELLED. */
Q3G_API q3g_status q3g_generator_next(q3g_generator* generator, int32_t* id, int32_t* is_end,
                                      q3g_error* err) Q3G_NOEXCEPT;
/** *position: tokens so far. One thread. */
Q3G_API q3g_status q3g_generator_position(const q3g_generator* generator, int32_t* position,
                                          q3g_error* err) Q3G_NOEXCEPT;
/** Takes back all tokens from `position` on, but not the random numbers. One thread. */
Q3G_API q3g_status q3g_generator_rewind(q3g_generator* generator, int32_t position,
                                        q3g_error* err) Q3G_NOEXCEPT;
/** Frees the handle. Any thread. */
Q3G_API void q3g_generator_free(q3g_generator* generator) Q3G_NOEXCEPT;
/** @} */

/** @{ @name Packing */
/** Packs a checkpoint folder into one file, which appears complete or not at all. options: NULL for the
 * defaults; report: may be NULL. Any thread. Errors: those of q3g_guard_load(); Q3G_E_IO (the output exists),
 * Q3G_E_CANCELLED. */
Q3G_API q3g_status q3g_quantize(const char* model_dir, size_t model_dir_bytes, const char* out_file,
                                size_t out_file_bytes, const q3g_quantize_options* options,
                                q3g_quantize_report* report, q3g_error* err) Q3G_NOEXCEPT;
/** The same for a model of the library. */
Q3G_API q3g_status q3g_quantize_embedded(const char* name, size_t name_bytes, const char* out_file,
                                         size_t out_file_bytes, const q3g_quantize_options* options,
                                         q3g_quantize_report* report, q3g_error* err) Q3G_NOEXCEPT;
/** Compares every checksum of a packed file, which takes as long as reading it. cancel: looked at before each
 * matrix; may be NULL. Any thread. Errors: Q3G_E_BAD_CHECKPOINT (what is damaged), Q3G_E_CANCELLED. */
Q3G_API q3g_status q3g_verify_packed(const char* file, size_t file_bytes, q3g_cancel* cancel,
                                     q3g_error* err) Q3G_NOEXCEPT;
/** @} */

#if defined(__cplusplus)
}
#endif

#endif  // QWEN3GUARD_CAPI_QWEN3GUARD_H
