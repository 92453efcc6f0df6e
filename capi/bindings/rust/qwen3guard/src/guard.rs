// SPDX-License-Identifier: Apache-2.0
//! What a loaded model can tell of itself.
use std::ptr::null_mut;

use qwen3guard_sys as sys;

use crate::{
    c::{lent, sized, static_text},
    error::call,
    Cancel, ModelInfo, Result, Tokenizer,
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
        Ok(ModelInfo::of(&raw))
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
