// SPDX-License-Identifier: Apache-2.0
// What is done to good arguments, and what must come of it.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hostile.h"

enum { kMostSites = 512, kPathBytes = 128 };

/// One value that can be spoilt: a parameter, or a field of a struct that is read.
typedef struct {
  const value *what, *siblings;
  unsigned char* base;  ///< of a field: its struct
  argument* arguments;  ///< of a parameter
  const char* owner;
  char path[kPathBytes];
} site;

typedef enum { MUST_BE, MUST_FAIL, MAY_BE_ANYTHING } demand;
typedef struct {
  demand demand;
  q3g_status status;
  char what[64];
} expectation;

static void* place_of(const site* at, int index) {
  return at->base != NULL ? (void*)(at->base + at->siblings[index].offset) : (void*)&at->arguments[index];
}
static void* place(const site* at) { return place_of(at, (int)(at->what - at->siblings)); }

static unsigned char* pointer_at(const site* at) {
  unsigned char* out = NULL;
  memcpy(&out, place(at), sizeof out);
  return out;
}
static void set_pointer(const site* at, const void* to) { memcpy(place(at), &to, sizeof to); }

static size_t count_at(const site* at) {
  size_t out = 1;
  if (at->what->count >= 0) memcpy(&out, place_of(at, at->what->count), sizeof out);
  return out;
}
static void set_count(const site* at, size_t n) { memcpy(place_of(at, at->what->count), &n, sizeof n); }

/// is_read: of fields: the struct is read as a whole.
static size_t collect(scene* in, const char* owner, const value* values, int n_values, unsigned char* base,
                      int is_read, const char* path, site* out, size_t n) {
  for (int i = 0; i < n_values; ++i) {
    if (values[i].kind == OUTPUT || values[i].kind == SIZE || values[i].kind == USER) continue;
    if ((values[i].flags & IS_RESULT) != 0 && !is_read) continue;
    NEED(n < kMostSites);
    site* one = &out[n++];
    *one = (site){&values[i], values, base, in->arguments, owner, ""};
    snprintf(one->path, kPathBytes, "%s%s", path, values[i].name);
    unsigned char* structs = values[i].kind == STRUCT ? pointer_at(one) : NULL;
    const int has_fields = (values[i].flags & IS_READ) != 0 ||
                           (values[i].type != NULL && strcmp(values[i].type->name, "q3g_verdict") == 0);
    // Of an array the first and the second are enough.
    for (size_t k = 0; structs != NULL && has_fields && k < count_at(one) && k < 2; ++k) {
      char below[kPathBytes];
      snprintf(below, sizeof below, "%.90s[%d].", one->path, (int)k);
      n = collect(in, values[i].type->name, values[i].type->fields, values[i].type->n_fields,
                  structs + k * values[i].type->size, (values[i].flags & IS_READ) != 0, below, out, n);
    }
  }
  return n;
}

static int expect(expectation* out, demand how, q3g_status status, const char* what) {
  out->demand = how;
  out->status = status;
  snprintf(out->what, sizeof out->what, "%s", what);
  return 1;
}

/// The structs again, `step` bytes each, with `tail` behind what this header knows.
static void lay_out(scene* in, const site* at, size_t step, int tail) {
  const size_t n = count_at(at), known = at->what->type->size, n_copied = step < known ? step : known;
  unsigned char *old = pointer_at(at), *fresh = new_block(in, n * step);
  const uint32_t size = (uint32_t)step;
  const int is_read = (at->what->flags & IS_READ) != 0;
  in->blocks[in->n_blocks - 1].may_change = strcmp(at->path, "err") == 0;
  for (size_t i = 0; i < n; ++i) {
    memcpy(fresh + i * step, old + i * known, n_copied);
    if (step > known) memset(fresh + i * step + known, tail, step - known);
    if (is_read || i == 0) memcpy(fresh + i * step, &size, sizeof size);
  }
  set_pointer(at, fresh);
}

static int spoil_structs(scene* in, const site* at, int variant, expectation* out) {
  const int is_read = (at->what->flags & IS_READ) != 0, is_error = at->what->kind == ERROR_SLOT;
  const int is_one_error = is_error && at->what->count < 0;
  const size_t size = at->what->type->size;
  const uint32_t sizes[] = {0, is_one_error ? 8 : 1, is_one_error ? 11 : (uint32_t)size - 1, 1U << 31,
                            UINT32_MAX};
  if (variant == 0) {
    const int is_fine = (at->what->flags & IS_OPTIONAL) != 0;
    set_pointer(at, NULL);
    return expect(out, MUST_BE, is_fine ? Q3G_OK : Q3G_E_INVALID_ARGUMENT, "NULL");
  }
  if (variant <= (int)COUNT(sizes)) {
    char what[64];
    const uint32_t wrong = sizes[variant - 1];
    memcpy(pointer_at(at), &wrong, sizeof wrong);
    snprintf(what, sizeof what, "struct_size %u", (unsigned)wrong);
    return expect(out, MUST_BE, Q3G_E_INVALID_ARGUMENT, what);
  }
  switch (variant - (int)COUNT(sizes)) {
    case 1:
      lay_out(in, at, size + 64, is_read ? 0 : 0xA5);
      return expect(out, MUST_BE, Q3G_OK, "a newer struct");
    case 2:
      if (!is_read) return expect(out, MAY_BE_ANYTHING, Q3G_OK, "as it is");
      lay_out(in, at, size + 64, 0);
      pointer_at(at)[size + 63] = 1;
      return expect(out, MUST_BE, Q3G_E_INVALID_ARGUMENT, "a newer struct with something unknown");
    case 3: {
      if (count_at(at) < 2) return expect(out, MAY_BE_ANYTHING, Q3G_OK, "as it is");
      const uint32_t none = 0;
      memcpy(pointer_at(at) + size, &none, sizeof none);
      return expect(out, MUST_BE, is_read ? Q3G_E_INVALID_ARGUMENT : Q3G_OK, "struct_size 0 in the second");
    }
    case 4:
      if (!is_one_error) return expect(out, MAY_BE_ANYTHING, Q3G_OK, "as it is");
      lay_out(in, at, 12, 0);
      return expect(out, MUST_BE, Q3G_OK, "the smallest slot");
    default:
      return 0;
  }
}

static int spoil_handle(scene* in, const site* at, int variant, expectation* out) {
  static const char* const kNames[] = {"NULL", "of another type", "the pointer 1", "not aligned",
                                       "other memory, not to be written"};
  static const uint64_t kMemory[8] = {0x0000000700000007, 0x0000000100000001, 3, 4};
  if (variant == (int)COUNT(kNames)) return 0;
  const int is_fine = variant == 0 && (at->what->flags & IS_OPTIONAL) != 0;
  const char* type = at->what->type_name;
  void* handle = NULL;
  if (variant == 1) handle = new_handle(in, strcmp(type, "q3g_cancel") == 0 ? "q3g_tokenizer" : "q3g_cancel");
  if (variant == 2) handle = (void*)(uintptr_t)1;
  if (variant == 3) handle = pointer_at(at) + 1;
  if (variant == 4) handle = (void*)(uintptr_t)kMemory;
  set_pointer(at, handle);
  return expect(out, MUST_BE, is_fine ? Q3G_OK : Q3G_E_BAD_HANDLE, kNames[variant]);
}

static void set_text(scene* in, const site* at, const char* text, size_t n) {
  set_pointer(at, memcpy(new_block(in, n), text, n));
  set_count(at, n);
}

static int spoil_text(scene* in, const site* at, int variant, expectation* out) {
  switch (variant) {
    case 0:
      set_pointer(at, NULL);
      return expect(out, MUST_BE, Q3G_E_INVALID_ARGUMENT, "NULL with bytes");
    case 1:
      set_count(at, SIZE_MAX);
      return expect(out, MUST_BE, Q3G_E_INVALID_ARGUMENT, "SIZE_MAX bytes");
    case 2:
      set_pointer(at, NULL);
      set_count(at, 0);
      return expect(out, MAY_BE_ANYTHING, Q3G_OK, "nothing");
    case 3: {
      // The conversations of a batch fail one by one.
      const int is_batch = strcmp(in->called->name, "q3g_guard_classify_batch") == 0;
      set_text(in, at, "ab\xFF", 3);
      return expect(out, (at->what->flags & IS_BYTES) != 0 ? MAY_BE_ANYTHING : MUST_BE,
                    is_batch ? Q3G_OK : at->what->not_text, "no UTF-8");
    }
    case 4:
      set_text(in, at, "ab\0cd", 5);
      return expect(out, (at->what->flags & IS_PATH) != 0 ? MUST_BE : MAY_BE_ANYTHING, Q3G_E_INVALID_ARGUMENT,
                    "a NUL within");
    case 5: {
      // A long one that is not what is looked for shows whether messages find room.
      char text[2000];
      for (size_t i = 0; i + 1 < sizeof text; i += 2) memcpy(text + i, "\xC3\xA9", 2);
      set_text(in, at, text, sizeof text);
      return expect(out, MAY_BE_ANYTHING, Q3G_OK, "long");
    }
    default:
      return 0;
  }
}

static int spoil_count(const site* at, int variant, expectation* out) {
  const size_t wrong[] = {SIZE_MAX, SIZE_MAX / 2 + 1, 0};
  if (variant == (int)COUNT(wrong)) return 0;
  const int index = (int)(at->what - at->siblings);
  int is_certain = 0;
  for (int i = 0; i < index; ++i) {
    // Room for bytes may be boundless, for nothing is written beyond what there is to say.
    is_certain |= at->siblings[i].count == index && at->siblings[i].kind != BUFFER;
  }
  memcpy(place(at), &wrong[variant], sizeof wrong[variant]);
  return expect(out, is_certain && wrong[variant] != 0 ? MUST_BE : MAY_BE_ANYTHING, Q3G_E_INVALID_ARGUMENT,
                variant == 0 ? "SIZE_MAX" : (variant == 1 ? "half of SIZE_MAX" : "0"));
}

static int spoil_number(const site* at, int variant, expectation* out) {
  const value* what = at->what;
  char text[64];
  if (what->kind == REAL) {
    const double wrong[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300};
    if (variant == (int)COUNT(wrong)) return 0;
    const float small = (float)wrong[variant];
    if (what->element == sizeof small) memcpy(place(at), &small, sizeof small);
    if (what->element == sizeof wrong[0]) memcpy(place(at), &wrong[variant], sizeof wrong[0]);
    snprintf(text, sizeof text, "%g", wrong[variant]);
    return expect(out, variant == 0 && (what->flags & IS_DATA) == 0 ? MUST_BE : MAY_BE_ANYTHING,
                  Q3G_E_INVALID_ARGUMENT, text);
  }
  const int64_t wrong[] = {-1, 1000, INT32_MAX, INT32_MIN, what->n_choices, INT64_MAX, INT64_MIN};
  if (variant == (int)COUNT(wrong)) return 0;
  const int32_t small = (int32_t)wrong[variant];
  if (what->element == sizeof small && variant > 4) return 0;
  if (what->kind == RESERVED) {
    const uint32_t one = (uint32_t)(wrong[variant] == 0 ? 1 : wrong[variant]);
    memcpy(place(at), &one, sizeof one);
  } else if (what->element == sizeof small) {
    memcpy(place(at), &small, sizeof small);
  } else {
    memcpy(place(at), &wrong[variant], sizeof wrong[0]);
  }
  snprintf(text, sizeof text, "%lld", (long long)wrong[variant]);
  const int is_fine = what->kind == NUMBER || (wrong[variant] == -1 && (what->flags & OR_NONE) != 0);
  return expect(out, is_fine ? MAY_BE_ANYTHING : MUST_BE, Q3G_E_INVALID_ARGUMENT, text);
}

/// Spoils one value in one way; 0: there is no such variant.
static int spoil(scene* in, const site* at, int variant, expectation* out) {
  const int is_fine = (at->what->flags & IS_OPTIONAL) != 0;
  switch (at->what->kind) {
    case HANDLE:
      return spoil_handle(in, at, variant, out);
    case STRUCT:
      if (variant == 0 && at->what->count >= 0) {
        set_pointer(at, NULL);
        return expect(out, MUST_BE, Q3G_E_INVALID_ARGUMENT, "NULL with elements");
      }
      return spoil_structs(in, at, variant, out);
    case ERROR_SLOT:
      return spoil_structs(in, at, variant, out);
    case TEXT:
      return spoil_text(in, at, variant, out);
    case COUNT:
      return spoil_count(at, variant, out);
    case CHOICE:
    case NUMBER:
    case REAL:
    case RESERVED:
      return spoil_number(at, variant, out);
    case C_STRING:
      if (variant > 1) return 0;
      set_pointer(at, variant == 0 ? NULL : memcpy(new_block(in, 4), "\xFF?\n", 4));
      return expect(out, variant == 0 ? MUST_BE : MAY_BE_ANYTHING, is_fine ? Q3G_OK : Q3G_E_INVALID_ARGUMENT,
                    variant == 0 ? "NULL" : "no name");
    case CALLBACK:
      if (variant > 0) return 0;
      memset(place(at), 0, sizeof(void (*)(void)));
      if (at->base == NULL && strcmp(at->what->name, "release") == 0) in->wants_release = 0;
      return expect(out, MUST_BE, is_fine ? Q3G_OK : Q3G_E_INVALID_ARGUMENT, "NULL");
    case ARRAY:
      if (variant == 1 && strcmp(at->what->type_name, "int32_t") == 0) {
        memset(pointer_at(at), 0xFF, sizeof(int32_t));
        return expect(out, MAY_BE_ANYTHING, Q3G_OK, "-1 as the first");
      }
      // fallthrough
    case NEW_HANDLE:
    case BUFFER:
    case PLACE:
      if (variant > 0) return 0;
      set_pointer(at, NULL);
      return expect(out, MUST_BE, is_fine ? Q3G_OK : Q3G_E_INVALID_ARGUMENT, "NULL");
    default:
      return 0;
  }
}

/// Whether the error slot says what the call returned.
static int is_told(const q3g_error* slot, q3g_status status) {
  if (slot == NULL) return 1;
  if (slot->struct_size < 12 || slot->struct_size > 4096) return 1;  // no slot: compared as all memory is
  const size_t room = slot->struct_size - offsetof(q3g_error, message);
  if (slot->code != status || memchr(slot->message, '\0', room) == NULL) return 0;
  return (slot->message[0] == '\0') == (status == Q3G_OK) && is_text(slot->message);
}

static q3g_stream_info info_of(const scene* in) {
  q3g_stream_info out = {.struct_size = sizeof out};
  if (in->stream != NULL && q3g_stream_get_info(in->stream, &out, NULL) == Q3G_OK) return out;
  return out;
}

static const char* wrong_memory(const scene* in, q3g_status status) {
  for (size_t i = 0; i < in->n_blocks; ++i) {
    const block* one = &in->blocks[i];
    if (!is_intact(one)) return "memory behind the caller's was written";
    if (status == Q3G_OK || one->may_change == 1) continue;
    if (one->may_change == 2 && status == Q3G_E_BUFFER_TOO_SMALL) continue;
    if (memcmp(one->bytes, one->before, one->n) != 0) return "the call failed, and wrote something";
  }
  return NULL;
}

/// Makes the call, checks all that must be so, and clears up. NULL, or what is wrong.
static const char* run(scene* in, const expectation* expected) {
  static char text[256];
  const function* called = in->called;
  const char* wrong = NULL;
  q3g_error* slot = NULL;
  for (int i = 0; i < called->n_parameters; ++i) {
    if (called->parameters[i].kind == ERROR_SLOT && called->parameters[i].count < 0 &&
        strcmp(called->parameters[i].name, "err") == 0)
      slot = in->arguments[i].pointer;
  }
  const int is_slot = slot == NULL || (slot->struct_size >= 12 && slot->struct_size <= 4096);
  for (size_t i = 0; i < in->n_blocks; ++i) {
    // What is no slot is not written, either.
    if (!is_slot && in->blocks[i].bytes == (unsigned char*)slot) in->blocks[i].may_change = 0;
    memcpy(in->blocks[i].before, in->blocks[i].bytes, in->blocks[i].n);
  }
  const q3g_stream_info before = info_of(in);
  outcome result = {Q3G_OK, 0, ""};
  called->call(in->arguments, &result);
  forget_taken_handle(in, result.status);
  if (called->result == RETURNS_STATUS) {
    const q3g_stream_info after = info_of(in);
    const int is_right = expected->demand == MAY_BE_ANYTHING ||
                         (expected->demand == MUST_FAIL && result.status != Q3G_OK) ||
                         (expected->demand == MUST_BE && result.status == expected->status);
    wrong = wrong_memory(in, result.status);
    if (wrong == NULL && !is_told(slot, result.status))
      wrong = "the error slot does not say what was returned";
    if (wrong == NULL && result.status == Q3G_E_INTERNAL) wrong = "an internal error";
    if (wrong == NULL && result.status != Q3G_OK &&
        (before.position != after.position || before.turn_bytes != after.turn_bytes ||
         before.n_verdicts != after.n_verdicts))
      wrong = "the call failed, and the stream changed";
    if (wrong == NULL && in->wants_release && in->n_released != (result.status != Q3G_OK))
      wrong = "the bytes were not released once, by a call that failed";
    if (!is_right) {
      snprintf(text, sizeof text, "%s (%.120s) instead of %s", q3g_status_name(result.status),
               slot != NULL && is_slot ? slot->message : "",
               expected->demand == MUST_FAIL ? "a failure" : q3g_status_name(expected->status));
      wrong = text;
    }
  }
  if (called->result == RETURNS_NUMBER && expected->status == Q3G_E_BAD_HANDLE && result.number != 0)
    wrong = "not 0 for a bad handle";
  if (called->result != RETURNS_STATUS && wrong == NULL) wrong = wrong_memory(in, Q3G_E_INTERNAL);
  const int wants_release = in->wants_release;
  clear_scene(in, called->result == RETURNS_STATUS && result.status == Q3G_OK);
  if (wants_release && wrong == NULL && in->n_released != 1) wrong = "the bytes were not released once";
  return wrong;
}

static int report(const function* called, const char* path, const char* how, const char* wrong) {
  if (wrong == NULL) return 0;
  printf("%s: %s %s: %s\n", called->name, path, how, wrong);
  return 1;
}

/// The first way to make a call fail for certain; 0: there is none.
static int spoil_first(scene* in, const site* sites, size_t n_sites, expectation* out) {
  for (size_t i = 0; i < n_sites; ++i) {
    const value_kind kind = sites[i].what->kind;
    if (kind != HANDLE && kind != NEW_HANDLE && kind != TEXT && kind != STRUCT && kind != PLACE) continue;
    const int is_fine = (sites[i].what->flags & IS_OPTIONAL) != 0;
    if (is_fine && kind != STRUCT) continue;
    return spoil(in, &sites[i], is_fine ? 1 : 0, out);
  }
  return 0;
}

int attack_function(const function* called, int* n_cases) {
  static scene in;
  static site sites[kMostSites];
  int n_failed = 0;
  expectation expected;
  make_scene(&in, called);
  const size_t n_sites =
      collect(&in, called->name, called->parameters, called->n_parameters, NULL, 0, "", sites, 0);
  expect(&expected, MUST_BE, Q3G_OK, "");
  ++*n_cases;
  n_failed += report(called, "good arguments", "", run(&in, &expected));

  make_scene(&in, called);
  memset(in.arguments, 0, sizeof in.arguments);
  in.wants_release = 0;
  const int has_handle = called->n_parameters > 0 && called->parameters[0].kind == HANDLE;
  expect(&expected, MUST_FAIL, has_handle ? Q3G_E_BAD_HANDLE : Q3G_OK, "0");
  ++*n_cases;
  n_failed += report(called, "all arguments", "0", run(&in, &expected));

  for (size_t i = 0; i < n_sites; ++i) {
    for (int variant = 0;; ++variant) {
      make_scene(&in, called);
      const size_t n =
          collect(&in, called->name, called->parameters, called->n_parameters, NULL, 0, "", sites, 0);
      if (!spoil(&in, &sites[i], variant, &expected)) {
        clear_scene(&in, 0);
        break;
      }
      ++*n_cases;
      n_failed += report(called, sites[i].path, expected.what, run(&in, &expected));
      if (strcmp(sites[i].path, "err") != 0) continue;
      // With the same slot, if it is one, a call that fails.
      make_scene(&in, called);
      collect(&in, called->name, called->parameters, called->n_parameters, NULL, 0, "", sites, 0);
      expectation of_slot, of_call;
      if (!spoil_first(&in, sites, n, &of_call) || !spoil(&in, &sites[i], variant, &of_slot)) {
        clear_scene(&in, 0);
        continue;
      }
      if (of_slot.demand == MUST_BE && of_slot.status != Q3G_OK) of_call = of_slot;
      ++*n_cases;
      snprintf(of_call.what, sizeof of_call.what, "%.40s, of a call that fails", of_slot.what);
      n_failed += report(called, sites[i].path, of_call.what, run(&in, &of_call));
    }
  }
  return n_failed;
}

int attack_init(const init_function* called, int* n_cases) {
  static scene in;
  const size_t sizes[] = {
      0, 1, 4, called->size - 1, (size_t)1 << 31, SIZE_MAX, called->size, called->size + 64};
  const function named = {called->name, NULL, NULL, 0, RETURNS_STATUS};
  int n_failed = 0;
  for (size_t i = 0; i < COUNT(sizes); ++i) {
    const int is_good = sizes[i] == called->size || sizes[i] == called->size + 64;
    memset(&in, 0, sizeof in);
    in.called = &named;
    unsigned char* at = new_block(&in, is_good ? sizes[i] : called->size);
    memcpy(in.blocks[0].before, at, in.blocks[0].n);
    const q3g_status status = called->call(at, sizes[i]);
    uint32_t size = 0;
    memcpy(&size, at, sizeof size);
    const char* wrong = wrong_memory(&in, status);
    if ((status == Q3G_OK) != is_good || (!is_good && status != Q3G_E_INVALID_ARGUMENT))
      wrong = "wrong status";
    if (is_good && size != sizes[i]) wrong = "struct_size is not the caller's";
    for (size_t k = called->size; is_good && k < sizes[i]; ++k) {
      if (at[k] != 0) wrong = "a field that is unknown here is not 0";
    }
    char how[32];
    snprintf(how, sizeof how, "%zu", sizes[i]);
    n_failed += report(&named, "struct_size", how, wrong);
    clear_scene(&in, 0);
    ++*n_cases;
  }
  ++*n_cases;
  return n_failed +
         report(&named, "options", "NULL",
                called->call(NULL, called->size) == Q3G_E_INVALID_ARGUMENT ? NULL : "wrong status");
}
