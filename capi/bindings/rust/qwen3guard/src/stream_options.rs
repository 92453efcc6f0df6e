// SPDX-License-Identifier: Apache-2.0
//! How conversations are judged, and what several options share.
use qwen3guard_sys as sys;

use crate::{c::defaults, Cancel, Context, Error, InvalidUtf8, Policy, Result, Thinking};

/// A threshold as the C interface wants it, where what is below 0 is not set.
pub(crate) fn threshold(name: &str, value: Option<f32>) -> Result<f32> {
    match value {
        None => Ok(-1.0),
        Some(value) if value < 0.0 => Err(Error::invalid(format!("{name} is {value}; expected 0 to 1, or None"))),
        Some(value) => Ok(value), // the library sees to the rest
    }
}

/// How a conversation is judged.
///
/// ```
/// # fn main() -> qwen3guard::Result<()> {
/// use qwen3guard::{Guard, Policy, Stream, StreamOptions};
/// let quick = Policy { consecutive_tokens: 1, ..Default::default() };
/// let options = StreamOptions { policy: Some(quick), max_tokens: 4096, ..Default::default() };
/// let stream = Stream::open_with(&Guard::embedded("nano-stream")?, &options)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StreamOptions<'a> {
    /// None: the published rule.
    pub policy: Option<Policy>,
    /// Context, in tokens; 0: the model's.
    pub max_tokens: i32,
    /// What happens to text that is not UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// What happens at the end of the context.
    pub context: Context,
    /// What happens to thinking.
    pub thinking: Thinking,
    /// Text whose tokens may still change is judged at once.
    pub judge_unsettled: bool,
    /// Gen: a verdict every so many tokens; at least 1.
    pub gen_interval_tokens: i32,
    /// Control tokens among pushed ids are judged like others, not an error.
    pub allow_control_ids: bool,
    /// Gen: turns that no verdict would see are an error; else [`crate::Verdict::dropped_messages`] names them.
    pub reject_dropped: bool,
    /// Stops running calls on the stream.
    pub cancel: Option<&'a Cancel>,
}

impl Default for StreamOptions<'_> {
    fn default() -> Self {
        Self {
            policy: None,
            max_tokens: 0,
            invalid_utf8: InvalidUtf8::Reject,
            context: Context::Error,
            thinking: Thinking::None,
            judge_unsettled: true,
            gen_interval_tokens: 32,
            allow_control_ids: false,
            reject_dropped: false,
            cancel: None,
        }
    }
}

impl StreamOptions<'_> {
    /// Runs `body` with the C struct, which points to the policy.
    pub(crate) fn with_c<T>(&self, body: impl FnOnce(&sys::q3g_stream_options) -> Result<T>) -> Result<T> {
        let policy = self.policy.as_ref().map(Policy::to_c).transpose()?;
        let mut raw = defaults(sys::q3g_stream_options_init);
        raw.policy = policy.as_ref().map_or(std::ptr::null(), |p| p as *const _);
        raw.max_tokens = self.max_tokens;
        raw.invalid_utf8 = self.invalid_utf8 as i32;
        raw.context = self.context as i32;
        raw.thinking = self.thinking as i32;
        raw.judge_unsettled = self.judge_unsettled.into();
        raw.gen_interval_tokens = self.gen_interval_tokens;
        raw.allow_control_ids = self.allow_control_ids.into();
        raw.dropped_messages = self.reject_dropped.into();
        raw.cancel = Cancel::ptr(self.cancel);
        body(&raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_library() {
        let library = defaults(sys::q3g_stream_options_init);
        StreamOptions::default()
            .with_c(|ours| {
                assert_eq!((ours.max_tokens, ours.invalid_utf8), (library.max_tokens, library.invalid_utf8));
                assert_eq!((ours.context, ours.thinking), (library.context, library.thinking));
                assert_eq!(ours.judge_unsettled, library.judge_unsettled);
                assert_eq!(ours.gen_interval_tokens, library.gen_interval_tokens);
                assert_eq!(ours.allow_control_ids, library.allow_control_ids);
                assert_eq!(ours.dropped_messages, library.dropped_messages);
                assert!(ours.policy.is_null() && ours.cancel.is_null());
                Ok(())
            })
            .unwrap();
    }
}
