// SPDX-License-Identifier: Apache-2.0
//! Verdicts on whole messages.
use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized},
    callback::{with_progress, Progress},
    error::call,
    stream_options::threshold,
    values::messages_to_c,
    verdict::{verdict_of, VerdictPlace},
    Cancel, Decoder, Error, Guard, InvalidUtf8, Message, Mode, Policy, Result, Thinking, Verdict,
};

/// How a verdict is reached. Thresholds are in [0, 1]; None: the severity alone decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClassifyOptions<'a> {
    /// Gen only.
    pub decoder: Decoder,
    /// What Controversial counts as, for the action.
    pub mode: Mode,
    /// Stream only: from the verdicts of tokens to the severity; its mode and release of flags change nothing here. None:
    /// the published rule.
    pub policy: Option<&'a Policy>,
    /// What becomes of the response's thinking.
    pub thinking: Thinking,
    /// What happens to text that is not UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// Messages that the Gen template leaves out are an error; else [`Verdict::dropped_messages`] names them.
    pub reject_dropped: bool,
    /// Flags when P(Unsafe), and P(Controversial) when strict, reaches it.
    pub flag_threshold: Option<f32>,
    /// Blocks when they reach it; at least `flag_threshold`.
    pub block_threshold: Option<f32>,
    /// Stops the call from another thread.
    pub cancel: Option<&'a Cancel>,
}

impl ClassifyOptions<'_> {
    /// Runs `body` with the C struct, which points to the policy.
    pub(crate) fn with_c<T>(self, body: impl FnOnce(sys::q3g_classify_options) -> Result<T>) -> Result<T> {
        let policy = self.policy.map(Policy::to_c).transpose()?;
        body(sys::q3g_classify_options {
            decoder: self.decoder as i32,
            mode: self.mode as i32,
            policy: policy.as_ref().map_or(std::ptr::null(), |p| p as *const _),
            thinking: self.thinking as i32,
            invalid_utf8: self.invalid_utf8 as i32,
            dropped_messages: self.reject_dropped.into(),
            flag_threshold: threshold("options.flag_threshold", self.flag_threshold)?,
            block_threshold: threshold("options.block_threshold", self.block_threshold)?,
            cancel: Cancel::ptr(self.cancel),
            ..defaults(sys::q3g_classify_options_init)
        })
    }
}

/// Verdicts. Errors: `InvalidUtf8`, `ContextFull`, `UnparsableOutput` (greedy decoding), `Cancelled`, `OutOfMemory`,
/// `InvalidArgument` (an option; no messages).
///
/// A greedy verdict whose text is longer than 2,048 bytes is judged twice, the second time with room for all of it.
impl Guard {
    /// Judges a user's prompt.
    pub fn classify_prompt(&self, prompt: impl AsRef<[u8]>) -> Result<Verdict> {
        self.classify_prompt_with(prompt, ClassifyOptions::default())
    }

    /// The same with options.
    pub fn classify_prompt_with(&self, prompt: impl AsRef<[u8]>, options: ClassifyOptions<'_>) -> Result<Verdict> {
        let (guard, prompt) = (self.raw.as_ptr(), prompt.as_ref());
        options.with_c(|options| {
            VerdictPlace::read(|out, err| unsafe {
                sys::q3g_guard_classify_prompt(guard, prompt.as_ptr().cast(), prompt.len(), &options, out, err)
            })
        })
    }

    /// Judges the response to a prompt.
    pub fn classify_response(&self, prompt: impl AsRef<[u8]>, response: impl AsRef<[u8]>) -> Result<Verdict> {
        self.classify_response_with(prompt, response, ClassifyOptions::default())
    }

    /// The same with options.
    pub fn classify_response_with(
        &self,
        prompt: impl AsRef<[u8]>,
        response: impl AsRef<[u8]>,
        options: ClassifyOptions<'_>,
    ) -> Result<Verdict> {
        let (guard, a, b) = (self.raw.as_ptr(), prompt.as_ref(), response.as_ref());
        options.with_c(|options| {
            VerdictPlace::read(|out, err| unsafe {
                let (a_text, b_text) = (a.as_ptr().cast(), b.as_ptr().cast());
                sys::q3g_guard_classify_response(guard, a_text, a.len(), b_text, b.len(), &options, out, err)
            })
        })
    }

    /// Judges the last message of a conversation, a user's or an assistant's.
    pub fn classify(&self, messages: &[Message<'_>]) -> Result<Verdict> {
        self.classify_with(messages, ClassifyOptions::default())
    }

    /// The same with options.
    pub fn classify_with(&self, messages: &[Message<'_>], options: ClassifyOptions<'_>) -> Result<Verdict> {
        let raw = messages_to_c(messages);
        options.with_c(|options| {
            VerdictPlace::read(|out, err| unsafe {
                sys::q3g_guard_classify(self.raw.as_ptr(), raw.as_ptr(), raw.len(), &options, out, err)
            })
        })
    }

    /// Judges several conversations together: the verdict, or the error, of each. One that fails does not disturb the
    /// others; the call itself fails for its options only. `progress` counts conversations.
    pub fn classify_batch(
        &self,
        conversations: &[&[Message<'_>]],
        options: ClassifyOptions<'_>,
        progress: Option<&mut Progress<'_>>,
    ) -> Result<Vec<Result<Verdict>>> {
        let n = conversations.len();
        let messages: Vec<_> = conversations.iter().map(|messages| messages_to_c(messages)).collect();
        let raw: Vec<_> = messages
            .iter()
            .map(|m| sys::q3g_conversation { messages: m.as_ptr(), n_messages: m.len(), ..sized() })
            .collect();
        let mut texts = vec![[0u8; 512]; n];
        let mut verdicts: Vec<sys::q3g_verdict> = texts
            .iter_mut()
            .map(|t| sys::q3g_verdict { text: t.as_mut_ptr().cast(), text_capacity: t.len(), ..sized() })
            .collect();
        let mut errors: Vec<sys::q3g_error> = vec![sized(); n];
        options.with_c(|mut c_options| {
            with_progress(progress, |function, user| {
                (c_options.progress, c_options.progress_user) = (function, user);
                call(|err| unsafe {
                    let (guard, out, slots) = (self.raw.as_ptr(), verdicts.as_mut_ptr(), errors.as_mut_ptr());
                    sys::q3g_guard_classify_batch(guard, raw.as_ptr(), n, &c_options, out, slots, err)
                })
            })
        })?;
        let done = verdicts.iter().zip(&texts).zip(&errors).zip(conversations);
        Ok(done
            .map(|(((verdict, text), error), conversation)| match verdict.status {
                // Text that does not fit is greedy decoding's: judged again, alone, with room for it.
                sys::Q3G_OK => verdict_of(verdict, text).or_else(|_| self.classify_with(conversation, options)),
                status => Err(Error::of(status, error)),
            })
            .collect())
    }
}
