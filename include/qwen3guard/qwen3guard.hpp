// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_QWEN3GUARD_HPP
#define QWEN3GUARD_QWEN3GUARD_HPP

/// @file
/// The whole public API.

/// @namespace qwen3guard
/// The C++ interface. Names in it are public, but for those in `detail`.

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/generator.hpp"
#include "qwen3guard/guard.hpp"
#include "qwen3guard/hold_back.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/policy.hpp"
#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/quantize.hpp"
#include "qwen3guard/quote.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/stream_batch.hpp"
#include "qwen3guard/stream_session.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"
#include "qwen3guard/version.hpp"

#endif  // QWEN3GUARD_QWEN3GUARD_HPP
