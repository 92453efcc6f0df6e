// SPDX-License-Identifier: Apache-2.0
use qwen3guard_sys as sys;

use crate::{
    error::{call, Result},
    guard::cancel_ptr,
    sized, Cancel, Guard, Message,
};

crate::handle!(
    /// A causal checkpoint writing text. As an iterator: tokens up to the one that ends the answer.
    Generator,
    q3g_generator,
    q3g_generator_free
);
// "one thread" at a time, never mind which.
unsafe impl Send for Generator {}

/// How the next token is drawn.
#[derive(Clone, Copy, Debug)]
pub struct SamplingOptions<'a> {
    /// 0: always the most probable token.
    pub temperature: f32,
    /// 0: all.
    pub top_k: i32,
    /// In (0, 1].
    pub top_p: f32,
    /// The same seed draws the same.
    pub seed: u64,
    /// Stops running calls.
    pub cancel: Option<&'a Cancel>,
}

impl Default for SamplingOptions<'_> {
    fn default() -> Self {
        let mut raw: sys::q3g_sampling_options = sized();
        unsafe { sys::q3g_sampling_options_init(&mut raw, std::mem::size_of_val(&raw)) };
        Self { temperature: raw.temperature, top_k: raw.top_k, top_p: raw.top_p, seed: raw.seed, cancel: None }
    }
}

impl Generator {
    /// Opens a generator. Errors: `UnsupportedModel` (a Stream checkpoint).
    pub fn open(guard: &Guard, options: SamplingOptions<'_>) -> Result<Self> {
        let raw = sys::q3g_sampling_options {
            temperature: options.temperature,
            top_k: options.top_k,
            top_p: options.top_p,
            seed: options.seed,
            cancel: cancel_ptr(options.cancel),
            ..sized()
        };
        Self::make(|out, err| unsafe { sys::q3g_generator_open(guard.raw.as_ptr(), &raw, out, err) })
    }

    /// Sets what was said, the last message the user's, and opens the answer.
    pub fn set_conversation(&mut self, messages: &[Message<'_>]) -> Result<()> {
        let raw: Vec<_> = messages.iter().map(|m| m.to_c()).collect();
        call(|err| unsafe { sys::q3g_generator_set_conversation(self.raw.as_ptr(), raw.as_ptr(), raw.len(), err) })
    }

    /// The same as tokens.
    pub fn set_tokens(&mut self, ids: &[i32]) -> Result<()> {
        call(|err| unsafe { sys::q3g_generator_set_tokens(self.raw.as_ptr(), ids.as_ptr(), ids.len(), err) })
    }

    /// The next token, and whether it ends the answer.
    pub fn next_token(&mut self) -> Result<(i32, bool)> {
        let (mut id, mut is_end) = (0, 0);
        call(|err| unsafe { sys::q3g_generator_next(self.raw.as_ptr(), &mut id, &mut is_end, err) })?;
        Ok((id, is_end != 0))
    }

    /// Tokens so far.
    pub fn position(&self) -> Result<i32> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_generator_position(self.raw.as_ptr(), &mut out, err) })?;
        Ok(out)
    }

    /// Takes back all tokens from `position` on, but not the random numbers.
    pub fn rewind(&mut self, position: i32) -> Result<()> {
        call(|err| unsafe { sys::q3g_generator_rewind(self.raw.as_ptr(), position, err) })
    }
}

impl Iterator for Generator {
    type Item = Result<i32>;
    fn next(&mut self) -> Option<Self::Item> {
        match self.next_token() {
            Ok((_, true)) => None,
            Ok((id, false)) => Some(Ok(id)),
            Err(error) => Some(Err(error)),
        }
    }
}
