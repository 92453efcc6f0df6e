// SPDX-License-Identifier: Apache-2.0
//! What a loaded model can tell of itself.
use std::ptr::null_mut;

use qwen3guard_sys as sys;

use crate::{
    c::{lent, sized, static_text, text_of_chars},
    error::call,
    Cancel, ModelKind, Result, Tokenizer,
};

crate::c::handle!(
    /// A loaded model. Immutable, `Send + Sync`: any number of threads may call at once.
    Guard,
    q3g_guard,
    q3g_guard_free
);
// SAFETY: "any thread" in qwen3guard.h.
unsafe impl Send for Guard {}
unsafe impl Sync for Guard {}

/// What a loaded model is.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// Which of the two kinds of checkpoint.
    pub kind: ModelKind,
    /// As in config.json.
    pub architecture: String,
    /// How weights are stored, e.g. "bf16".
    pub weight_dtype: String,
    /// The instruction set in use.
    pub isa: String,
    /// Instruction sets that this CPU has kernels for, best first.
    pub isa_available: Vec<String>,
    /// As in config.json, like the sizes that follow.
    pub hidden_size: i32,
    /// Layers.
    pub n_layers: i32,
    /// Heads of attention.
    pub n_heads: i32,
    /// Heads of keys and values.
    pub n_kv_heads: i32,
    /// Numbers in a head.
    pub head_dim: i32,
    /// Width of the feed-forward part.
    pub intermediate_size: i32,
    /// Tokens there are logits for.
    pub vocab_size: i32,
    /// The longest conversation, in tokens.
    pub max_context_tokens: i32,
    /// The output matrix is the input one.
    pub tied_embeddings: bool,
    /// Threads of one call.
    pub n_threads: i32,
    /// Numbers in the weights.
    pub n_parameters: i64,
    /// Bytes of the weights.
    pub weight_bytes: i64,
    /// Bytes of keys and values that a token takes.
    pub kv_bytes_per_token: i64,
}

/// One head's logits, row-major `[rows, cols]`.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct HeadLogits {
    /// The head's name.
    pub name: String,
    /// Positions: one for each token, or one.
    pub rows: usize,
    /// Logits of a position.
    pub cols: usize,
    /// The logits, `rows * cols` of them.
    pub values: Vec<f32>,
}

struct Logits(*mut sys::q3g_logits);
impl Drop for Logits {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own, or NULL.
        unsafe { sys::q3g_logits_free(self.0) }
    }
}

impl Guard {
    /// What the model is.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut raw: sys::q3g_model_info = sized();
        call(|err| unsafe { sys::q3g_guard_info(self.raw.as_ptr(), &mut raw, err) })?;
        Ok(ModelInfo {
            kind: ModelKind::of(raw.kind),
            architecture: text_of_chars(&raw.architecture),
            weight_dtype: text_of_chars(&raw.weight_dtype),
            isa: text_of_chars(&raw.isa),
            isa_available: text_of_chars(&raw.isa_available).split_whitespace().map(str::to_owned).collect(),
            hidden_size: raw.hidden_size,
            n_layers: raw.n_layers,
            n_heads: raw.n_heads,
            n_kv_heads: raw.n_kv_heads,
            head_dim: raw.head_dim,
            intermediate_size: raw.intermediate_size,
            vocab_size: raw.vocab_size,
            max_context_tokens: raw.max_context_tokens,
            tied_embeddings: raw.tied_embeddings != 0,
            n_threads: raw.n_threads,
            n_parameters: raw.n_parameters,
            weight_bytes: raw.weight_bytes,
            kv_bytes_per_token: raw.kv_bytes_per_token,
        })
    }

    /// The model's tokenizer. Errors: `BadTokenizer` (loaded without one).
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::make(|out, err| unsafe { sys::q3g_guard_tokenizer(self.raw.as_ptr(), out, err) })
    }

    /// Raw logits of every head, of the last position only when `last_only`. Errors: `InvalidArgument` (no ids),
    /// `TokenRange`, `ContextFull`, `Cancelled`.
    pub fn logits(&self, ids: &[i32], last_only: bool, cancel: Option<&Cancel>) -> Result<Vec<HeadLogits>> {
        let mut all = Logits(null_mut());
        call(|err| unsafe {
            let (p, n, flag) = (ids.as_ptr(), ids.len(), Cancel::ptr(cancel));
            sys::q3g_guard_logits(self.raw.as_ptr(), p, n, last_only.into(), flag, &mut all.0, err)
        })?;
        (0..unsafe { sys::q3g_logits_count(all.0) })
            .map(|i| {
                let mut raw: sys::q3g_head_logits = sized();
                call(|err| unsafe { sys::q3g_logits_get(all.0, i, &mut raw, err) })?;
                let (rows, cols) = (raw.rows.max(0) as usize, raw.cols.max(0) as usize);
                // SAFETY: both live as long as `all`, and are copied.
                let (name, values) = unsafe { (static_text(raw.name), lent(raw.values, rows * cols)) };
                Ok(HeadLogits { name: name.to_owned(), rows, cols, values: values.to_vec() })
            })
            .collect()
    }
}
