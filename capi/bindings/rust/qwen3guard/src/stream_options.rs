// SPDX-License-Identifier: Apache-2.0
//! How conversations are judged.
use qwen3guard_sys as sys;

use crate::{c::defaults, Cancel, Context, InvalidUtf8, Policy, Thinking};

/// How a conversation is judged. `context` and `reject_dropped` are the policy's choices where they are None.
///
/// ```
/// # fn main() -> qwen3guard::Result<()> {
/// use qwen3guard::{Guard, Policy, Stream, StreamOptions};
/// let strict = Policy::preset("strict")?;
/// let options = StreamOptions { policy: Some(&strict), max_tokens: 4096, ..Default::default() };
/// let stream = Stream::open_with(&Guard::embedded("nano-stream")?, &options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StreamOptions<'a> {
    /// What to do about verdicts; the stream keeps it as long as it is needed. None: the default policy.
    pub policy: Option<&'a Policy>,
    /// Context, in tokens; 0: the model's.
    pub max_tokens: i32,
    /// What happens to text that is not UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// What happens at the end of the context.
    pub context: Option<Context>,
    /// What happens to thinking.
    pub thinking: Thinking,
    /// Text whose tokens may still change is judged at once.
    pub judge_unsettled: bool,
    /// Gen: a verdict every so many tokens; at least 1.
    pub gen_interval_tokens: i32,
    /// Control tokens among pushed ids are judged like others, not an error.
    pub allow_control_ids: bool,
    /// Gen: turns that no verdict would see are an error; else [`crate::Verdict::dropped_messages`] names them.
    pub reject_dropped: Option<bool>,
    /// Stops running calls on the stream.
    pub cancel: Option<&'a Cancel>,
}

impl Default for StreamOptions<'_> {
    fn default() -> Self {
        Self {
            policy: None,
            max_tokens: 0,
            invalid_utf8: InvalidUtf8::Reject,
            context: None,
            thinking: Thinking::None,
            judge_unsettled: true,
            gen_interval_tokens: 32,
            allow_control_ids: false,
            reject_dropped: None,
            cancel: None,
        }
    }
}

impl StreamOptions<'_> {
    /// The C struct, which borrows the policy and the flag.
    pub(crate) fn to_c(&self) -> sys::q3g_stream_options {
        sys::q3g_stream_options {
            policy: Policy::ptr(self.policy),
            max_tokens: self.max_tokens,
            invalid_utf8: self.invalid_utf8 as i32,
            context: self.context.map_or(sys::Q3G_FROM_POLICY, |choice| choice as i32),
            thinking: self.thinking as i32,
            judge_unsettled: self.judge_unsettled.into(),
            gen_interval_tokens: self.gen_interval_tokens,
            allow_control_ids: self.allow_control_ids.into(),
            dropped_messages: self.reject_dropped.map_or(sys::Q3G_FROM_POLICY, i32::from),
            cancel: Cancel::ptr(self.cancel),
            ..defaults(sys::q3g_stream_options_init)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_library() {
        let (library, ours) = (defaults(sys::q3g_stream_options_init), StreamOptions::default().to_c());
        assert_eq!((ours.max_tokens, ours.invalid_utf8), (library.max_tokens, library.invalid_utf8));
        assert_eq!((ours.context, ours.thinking), (library.context, library.thinking));
        assert_eq!(ours.judge_unsettled, library.judge_unsettled);
        assert_eq!(ours.gen_interval_tokens, library.gen_interval_tokens);
        assert_eq!(ours.allow_control_ids, library.allow_control_ids);
        assert_eq!(ours.dropped_messages, library.dropped_messages);
        assert!(ours.policy.is_null() && ours.cancel.is_null());
    }
}
