// SPDX-License-Identifier: Apache-2.0
// hostile_calls_test: every function is called with good arguments of which one at a time is spoilt. The
// tables come from the header (hostile_calls.py), the good arguments from hostile_fixture.c, the spoiling is
// hostile_attacks.c.
#ifndef QWEN3GUARD_TESTS_CAPI_HOSTILE_H
#define QWEN3GUARD_TESTS_CAPI_HOSTILE_H

#include <qwen3guard.h>
#include <stddef.h>
#include <stdint.h>

/// What a parameter or a field is.
typedef enum {
  HANDLE,
  NEW_HANDLE,  ///< the place for one
  STRUCT,      ///< one or several
  ERROR_SLOT,  ///< one or several
  TEXT,        ///< bytes with a count
  C_STRING,
  ARRAY,     ///< of numbers that are read
  BUFFER,    ///< for output, with a capacity
  PLACE,     ///< for one value of output
  COUNT,     ///< of one of these
  CHOICE,    ///< one of n_choices values from 0 on
  NUMBER,    ///< all others
  REAL,      ///< float or double, perhaps several of them
  CALLBACK,  ///< a function
  USER,      ///< its pointer
  RESERVED,  ///< must be 0
  SIZE,      ///< struct_size
  OUTPUT     ///< written by the library
} value_kind;

enum {
  IS_OPTIONAL = 1,  ///< may be NULL
  IS_READ = 2,
  IS_WRITTEN = 4,
  IS_PATH = 8,
  IS_DATA = 16,    ///< any floats are fine
  IS_BYTES = 32,   ///< no text: any bytes are fine
  IS_RESULT = 64,  ///< read only where its whole struct is: elsewhere output
  OR_NONE = 128    ///< of a choice: -1 is one, too
};

struct struct_type;
typedef struct {
  const char* name;
  value_kind kind;
  size_t offset;   ///< of a field
  size_t element;  ///< bytes of what a pointer points at, or of the value itself
  int length;      ///< elements of an array field
  const struct struct_type* type;
  const char* type_name;
  int count;  ///< index of the parameter or field that counts the elements; -1: there is one
  int32_t n_choices;
  int flags;
  q3g_status not_text;  ///< what bytes lead to that are no text
} value;

typedef struct struct_type {
  const char* name;
  size_t size;
  const value* fields;
  int n_fields;
} struct_type;

/// One argument. The scalars are named after their types.
typedef union {
  void* pointer;
  void (*function)(void);
  int32_t int32_t_;
  uint32_t uint32_t_;
  int64_t int64_t_;
  uint64_t uint64_t_;
  size_t size_t_;
  q3g_status q3g_status_;
  float float_;
  double double_;
} argument;

typedef struct {
  q3g_status status;
  size_t number;
  const char* text;
} outcome;

typedef enum { RETURNS_STATUS, RETURNS_NUMBER, RETURNS_TEXT, RETURNS_NOTHING } result_kind;

typedef struct {
  const char* name;
  void (*call)(const argument* arguments, outcome* result);
  const value* parameters;
  int n_parameters;
  result_kind result;
} function;

typedef struct {
  const char* name;
  q3g_status (*call)(void* at, size_t size);
  size_t size;
  const char* struct_name;
} init_function;

extern const function all_functions[];
extern const size_t n_all_functions;
extern const init_function all_inits[];
extern const size_t n_all_inits;

/// Memory of the caller's, compared with what it was when a call failed.
typedef struct {
  unsigned char *bytes, *before;
  size_t n;
  int may_change;  ///< 1: yes; 2: when a buffer was too small
} block;

enum { kMostArguments = 12, kMostBlocks = 128, kMostHandles = 64 };

/// The arguments of one call, and all that stands behind them.
typedef struct {
  const function* called;
  argument arguments[kMostArguments];
  block blocks[kMostBlocks];
  size_t n_blocks;
  struct {
    const char* type;
    void* handle;
  } handles[kMostHandles];
  size_t n_handles;
  q3g_stream* stream;  ///< one whose state must not change when the call fails
  uint64_t session;
  int n_released, wants_release;
} scene;

// hostile_fixture.c
/// Opens the models and files that all scenes share. folder: may be written to.
void open_fixture(const char* folder);
void close_fixture(void);
/// Good arguments for a function.
void make_scene(scene* out, const function* called);
/// Frees everything; made: the call succeeded, so that what it wrote to the places for handles is freed, too.
void clear_scene(scene* at, int made);
/// What the call has freed is freed by nobody else.
void forget_taken_handle(scene* at, q3g_status status);
/// A new handle that clear_scene() frees.
void* new_handle(scene* at, const char* type);
void free_handle(const char* type, void* handle);
/// Memory of exactly n bytes, all 0xA5, so that a checker sees any access beyond it; what stands behind it in
/// a build without one is compared by is_intact().
unsigned char* new_block(scene* at, size_t n);
int is_intact(const block* one);

/// Whether it is UTF-8.
int is_text(const char* text);

// hostile_attacks.c
/// Runs all attacks on a function; returns how many failed, and adds to *n_cases.
int attack_function(const function* called, int* n_cases);
int attack_init(const init_function* called, int* n_cases);

#endif  // QWEN3GUARD_TESTS_CAPI_HOSTILE_H
