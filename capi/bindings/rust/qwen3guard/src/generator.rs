// SPDX-License-Identifier: Apache-2.0
//! Text by a causal checkpoint.
use std::iter::FusedIterator;

use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized},
    error::call,
    values::messages_to_c,
    Cancel, Guard, Message, Result,
};

crate::c::handle!(
    /// A causal checkpoint writing text. `Send`, but not `Sync`.
    Generator,
    q3g_generator,
    q3g_generator_free
);
// SAFETY: "one thread" at a time, never mind which.
unsafe impl Send for Generator {}

/// How the next token is drawn.
#[derive(Clone, Copy, Debug)]
pub struct SamplingOptions<'a> {
    /// 0: always the most probable token; else what probabilities are spread by.
    pub temperature: f32,
    /// Draws from the most probable ones; 0: from all.
    pub top_k: i32,
    /// Draws from as many as have this probability together; in (0, 1].
    pub top_p: f32,
    /// The same seed draws the same.
    pub seed: u64,
    /// Stops running calls.
    pub cancel: Option<&'a Cancel>,
}

impl Default for SamplingOptions<'_> {
    fn default() -> Self {
        let raw = defaults(sys::q3g_sampling_options_init);
        Self { temperature: raw.temperature, top_k: raw.top_k, top_p: raw.top_p, seed: raw.seed, cancel: None }
    }
}

impl Generator {
    /// Opens a generator. Errors: `UnsupportedModel` (a Stream checkpoint), `InvalidArgument` (an option).
    pub fn open(guard: &Guard, options: SamplingOptions<'_>) -> Result<Self> {
        let raw = sys::q3g_sampling_options {
            temperature: options.temperature,
            top_k: options.top_k,
            top_p: options.top_p,
            seed: options.seed,
            cancel: Cancel::ptr(options.cancel),
            ..sized()
        };
        Self::make(|out, err| unsafe { sys::q3g_generator_open(guard.raw.as_ptr(), &raw, out, err) })
    }

    /// Sets what was said, the last message the user's, and opens the answer. Errors: `InvalidArgument`, `InvalidUtf8`,
    /// `ContextFull`.
    pub fn set_conversation(&mut self, messages: &[Message<'_>]) -> Result<()> {
        let raw = messages_to_c(messages);
        call(|err| unsafe { sys::q3g_generator_set_conversation(self.raw.as_ptr(), raw.as_ptr(), raw.len(), err) })
    }

    /// The same as tokens. Errors: `TokenRange` too.
    pub fn set_tokens(&mut self, ids: &[i32]) -> Result<()> {
        call(|err| unsafe { sys::q3g_generator_set_tokens(self.raw.as_ptr(), ids.as_ptr(), ids.len(), err) })
    }

    /// Draws the next token; whether it ends the answer. Errors: `InvalidArgument` (nothing was said), `ContextFull`,
    /// `Cancelled`.
    pub fn next_token(&mut self) -> Result<(i32, bool)> {
        let (mut id, mut is_end) = (0, 0);
        call(|err| unsafe { sys::q3g_generator_next(self.raw.as_ptr(), &mut id, &mut is_end, err) })?;
        Ok((id, is_end != 0))
    }

    /// Tokens so far: of the conversation and of the answer.
    pub fn position(&self) -> Result<i32> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_generator_position(self.raw.as_ptr(), &mut out, err) })?;
        Ok(out)
    }

    /// Takes back all tokens from `position` on, but not the random numbers. Errors:
    /// `InvalidArgument` (a position that was not reached).
    pub fn rewind(&mut self, position: i32) -> Result<()> {
        call(|err| unsafe { sys::q3g_generator_rewind(self.raw.as_ptr(), position, err) })
    }

    /// The answer's tokens one by one, without the one that ends it; ends behind an error too.
    ///
    /// ```
    /// # fn main() -> qwen3guard::Result<()> {
    /// use qwen3guard::{Generator, Guard, Message, SamplingOptions};
    /// let guard = Guard::embedded("nano-gen")?;
    /// let mut generator = Generator::open(&guard, SamplingOptions::default())?;
    /// generator.set_conversation(&[Message::user("Hello!")])?;
    /// let mut decoder = guard.tokenizer()?.decoder(true)?;
    /// for id in generator.tokens().take(20) {
    ///     print!("{}", decoder.push(id?)?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokens(&mut self) -> Tokens<'_> {
        Tokens { generator: self, has_ended: false }
    }
}

/// What [`Generator::tokens`] returns.
#[must_use = "nothing is drawn until the iterator is advanced"]
#[derive(Debug)]
pub struct Tokens<'a> {
    generator: &'a mut Generator,
    has_ended: bool,
}

impl Iterator for Tokens<'_> {
    type Item = Result<i32>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let drawn = self.generator.next_token();
        self.has_ended = !matches!(drawn, Ok((_, false)));
        match drawn {
            Ok((_, true)) => None,
            Ok((id, false)) => Some(Ok(id)),
            Err(error) => Some(Err(error)),
        }
    }
}

impl FusedIterator for Tokens<'_> {}
