// SPDX-License-Identifier: Apache-2.0
//! Verdicts on whole messages.
use std::fmt;

use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized},
    callback::{with_progress, Progress},
    error::call,
    values::messages_to_c,
    verdict::{verdict_of, VerdictPlace},
    Cancel, Decoder, Error, Guard, InvalidUtf8, LongText, Message, Policy, Result, Ruling, Thinking, Verdict,
};

/// How a verdict is reached. `long_text` and `reject_dropped` are the policy's choices where they are None.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClassifyOptions<'a> {
    /// Gen only.
    pub decoder: Decoder,
    /// What to do about verdicts. None: the default policy.
    pub policy: Option<&'a Policy>,
    /// What becomes of the response's thinking.
    pub thinking: Thinking,
    /// What happens to text that is not UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// What becomes of a message that does not fit the context.
    pub long_text: Option<LongText>,
    /// Messages that the Gen template leaves out are an error; else [`Verdict::dropped_messages`] names them.
    pub reject_dropped: Option<bool>,
    /// Stops the call from another thread.
    pub cancel: Option<&'a Cancel>,
}

impl ClassifyOptions<'_> {
    /// The C struct, which borrows the policy and the flag.
    pub(crate) fn to_c(self) -> sys::q3g_classify_options {
        sys::q3g_classify_options {
            decoder: self.decoder as i32,
            policy: Policy::ptr(self.policy),
            thinking: self.thinking as i32,
            invalid_utf8: self.invalid_utf8 as i32,
            long_text: self.long_text.map_or(sys::Q3G_FROM_POLICY, |choice| choice as i32),
            dropped_messages: self.reject_dropped.map_or(sys::Q3G_FROM_POLICY, i32::from),
            cancel: Cancel::ptr(self.cancel),
            ..defaults(sys::q3g_classify_options_init)
        }
    }
}

/// Why a conversation of a batch has no verdict, and what the policy does about it.
#[derive(Clone, Debug, PartialEq)]
pub struct NotJudged {
    /// What went wrong.
    pub error: Error,
    /// The policy's, for what was not judged: [`Action::None`](crate::Action::None) or
    /// [`Action::Block`](crate::Action::Block), never to allow it.
    pub ruling: Box<Ruling>,
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for NotJudged {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<NotJudged> for Error {
    fn from(failed: NotJudged) -> Self {
        failed.error
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
        let (guard, prompt, options) = (self.raw.as_ptr(), prompt.as_ref(), options.to_c());
        VerdictPlace::read(|out, err| unsafe {
            sys::q3g_guard_classify_prompt(guard, prompt.as_ptr().cast(), prompt.len(), &options, out, err)
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
        let (guard, a, b, options) = (self.raw.as_ptr(), prompt.as_ref(), response.as_ref(), options.to_c());
        VerdictPlace::read(|out, err| unsafe {
            let (a_text, b_text) = (a.as_ptr().cast(), b.as_ptr().cast());
            sys::q3g_guard_classify_response(guard, a_text, a.len(), b_text, b.len(), &options, out, err)
        })
    }

    /// Judges the last message of a conversation, a user's or an assistant's.
    pub fn classify(&self, messages: &[Message<'_>]) -> Result<Verdict> {
        self.classify_with(messages, ClassifyOptions::default())
    }

    /// The same with options.
    pub fn classify_with(&self, messages: &[Message<'_>], options: ClassifyOptions<'_>) -> Result<Verdict> {
        let (raw, options) = (messages_to_c(messages), options.to_c());
        VerdictPlace::read(|out, err| unsafe {
            sys::q3g_guard_classify(self.raw.as_ptr(), raw.as_ptr(), raw.len(), &options, out, err)
        })
    }

    /// Judges several conversations together: the verdict of each, or the error with the policy's ruling on what was not
    /// judged. One that fails does not disturb the others; the call itself fails for its options only. `progress` counts
    /// conversations.
    pub fn classify_batch(
        &self,
        conversations: &[&[Message<'_>]],
        options: ClassifyOptions<'_>,
        progress: Option<&mut Progress<'_>>,
    ) -> Result<Vec<std::result::Result<Verdict, NotJudged>>> {
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
        let mut c_options = options.to_c();
        with_progress(progress, |function, user| {
            (c_options.progress, c_options.progress_user) = (function, user);
            call(|err| unsafe {
                let (guard, out, slots) = (self.raw.as_ptr(), verdicts.as_mut_ptr(), errors.as_mut_ptr());
                sys::q3g_guard_classify_batch(guard, raw.as_ptr(), n, &c_options, out, slots, err)
            })
        })?;
        let done = verdicts.iter().zip(&texts).zip(&errors).zip(conversations);
        Ok(done
            .map(|(((verdict, text), error), conversation)| match verdict.status {
                // Text that does not fit is greedy decoding's: judged again, alone, with room for it.
                sys::Q3G_OK => verdict_of(verdict, text).or_else(|_| self.classify_alone(conversation, options)),
                status => {
                    Err(NotJudged { error: Error::of(status, error), ruling: Box::new(Ruling::of_verdict(verdict)) })
                }
            })
            .collect())
    }

    fn classify_alone(
        &self,
        conversation: &[Message<'_>],
        options: ClassifyOptions<'_>,
    ) -> std::result::Result<Verdict, NotJudged> {
        self.classify_with(conversation, options).map_err(|error| {
            // What was not judged is ruled on from itself alone; a policy that could not would not have come so far.
            let ruling = options.policy.cloned().unwrap_or_default().decide_verdict(&Verdict::default(), "");
            NotJudged { error, ruling: Box::new(ruling.unwrap_or_default()) }
        })
    }
}
