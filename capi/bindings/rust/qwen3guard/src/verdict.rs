// SPDX-License-Identifier: Apache-2.0
//! Judgement of a whole message, and room for its text.
use std::ops::Range;

use qwen3guard_sys as sys;

use crate::{
    c::sized,
    error::{call, Error, Result},
    values::probabilities_of,
    Category, Probabilities, Role, Ruling, Severity,
};

/// The part of a long message that a verdict is about ([`LongText::Windows`](crate::LongText::Windows)).
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which of `n_windows`, from 0.
    pub index: usize,
    /// Into how many the message was cut.
    pub n_windows: usize,
    /// The part, in bytes of the message.
    pub bytes: Range<i64>,
}

/// Judgement of the last message of a conversation. The default was not judged.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How bad; no policy changes it.
    pub severity: Severity,
    /// What the policy makes of it: `ruling.action` is what a host should do.
    pub ruling: Ruling,
    /// Whose message it was.
    pub role: Role,
    /// Of the severities, at the token that `position` names.
    pub probabilities: Probabilities,
    /// Stream checkpoints: the token, by its index in the conversation, whose probabilities and category these are. Of a
    /// prompt the token that closes it; of a response the one where the decision fell, or when it is Safe the last one
    /// that is Safe. Gen checkpoints: None.
    pub position: Option<i32>,
    /// With probabilities, most relevant first; empty when Safe.
    pub categories: Vec<(Category, f32)>,
    /// Gen judging a response: whether it refuses, and how probably.
    pub refusal: Option<(bool, f32)>,
    /// Tokens of the rendered conversation.
    pub prompt_tokens: i32,
    /// Of these, taken from a kept state.
    pub cached_tokens: i32,
    /// Tokens written after the prompt.
    pub generated_tokens: i32,
    /// Milliseconds from the start of the call.
    pub latency_ms: f64,
    /// The verdict as the model wrote it, whole; Gen only.
    pub text: String,
    /// Gen: indices of the messages (of a stream: turns) that the template left out, so that nothing of them was seen: an
    /// assistant's that came first, a system's that did not, a tool's. The first 31 of `n_dropped_messages`.
    pub dropped_messages: Vec<i32>,
    /// How many the template left out.
    pub n_dropped_messages: usize,
    /// The message did not fit the context, and this part of it was the worst.
    pub window: Option<Window>,
    /// The folded copy of the message was worse than the message itself.
    pub is_of_folded_copy: bool,
}

impl Default for Verdict {
    fn default() -> Self {
        Self {
            severity: Severity::NotJudged,
            ruling: Ruling::default(),
            role: Role::User,
            probabilities: Probabilities::default(),
            position: None,
            categories: Vec::new(),
            refusal: None,
            prompt_tokens: 0,
            cached_tokens: 0,
            generated_tokens: 0,
            latency_ms: 0.0,
            text: String::new(),
            dropped_messages: Vec::new(),
            n_dropped_messages: 0,
            window: None,
            is_of_folded_copy: false,
        }
    }
}

impl Verdict {
    /// What a policy looks at, and the ruling that there is.
    pub(crate) fn to_c(&self) -> sys::q3g_verdict {
        let mut raw = sys::q3g_verdict {
            role: self.role.value(),
            severity: self.severity.value(),
            p_safe: self.probabilities.safe,
            p_controversial: self.probabilities.controversial,
            p_unsafe: self.probabilities.r#unsafe,
            position: self.position.unwrap_or(-1),
            // One too many is an error of the call.
            n_categories: self.categories.len().try_into().unwrap_or(i32::MAX),
            ..sized()
        };
        let places = raw.categories.iter_mut().zip(&mut raw.category_probabilities);
        for ((category, probability), score) in places.zip(&self.categories) {
            (*category, *probability) = (score.0.value(), score.1);
        }
        self.ruling.write_to_verdict(&mut raw);
        raw
    }
}

/// Bytes of text that any verdict fits in, unless decoding is greedy and the model wanders; greedy decoding that does
/// not fit is read again with the room it needs.
const TEXT_BYTES: usize = 2048;

/// Room for a verdict and its text.
pub(crate) struct VerdictPlace {
    raw: sys::q3g_verdict,
    text: Vec<u8>,
}

impl VerdictPlace {
    pub fn new() -> Self {
        Self::with_room(TEXT_BYTES)
    }

    pub fn with_room(text_bytes: usize) -> Self {
        Self { raw: sized(), text: vec![0; text_bytes] }
    }

    /// The place for a C function. What it writes is there until the place is used again.
    pub fn raw(&mut self) -> &mut sys::q3g_verdict {
        (self.raw.text, self.raw.text_capacity) = (self.text.as_mut_ptr().cast(), self.text.len());
        &mut self.raw
    }

    /// The verdict that was written, or the room that its text needs.
    pub fn verdict(&self) -> std::result::Result<Verdict, usize> {
        verdict_of(&self.raw, &self.text)
    }

    /// Reads a verdict that can be asked for again, so that no text is lost.
    pub fn read(
        mut read: impl FnMut(*mut sys::q3g_verdict, *mut sys::q3g_error) -> sys::q3g_status,
    ) -> Result<Verdict> {
        let mut place = Self::new();
        loop {
            call(|err| read(place.raw(), err))?;
            match place.verdict() {
                Ok(verdict) => return Ok(verdict),
                Err(text_bytes) => place = Self::with_room(text_bytes),
            }
        }
    }

    /// The verdict, where it cannot be asked for again and always fits.
    pub fn only_verdict(&self) -> Result<Verdict> {
        self.verdict().map_err(|n| {
            Error::internal(format!("the verdict's text has {n} bytes; expected at most {}", self.text.len()))
        })
    }
}

/// `text`: the buffer that raw.text points to. Err: the bytes that it would need.
pub(crate) fn verdict_of(raw: &sys::q3g_verdict, text: &[u8]) -> std::result::Result<Verdict, usize> {
    let text = text.get(..raw.text_bytes).ok_or(raw.text_bytes)?;
    let categories = raw.categories.iter().zip(raw.category_probabilities);
    let n_dropped = raw.n_dropped_messages.max(0) as usize;
    Ok(Verdict {
        severity: Severity::of(raw.severity),
        ruling: Ruling::of_verdict(raw),
        role: Role::of(raw.role),
        probabilities: probabilities_of!(raw),
        position: (raw.position >= 0).then_some(raw.position),
        categories: categories.take(raw.n_categories.max(0) as usize).map(|(c, p)| (Category::of(*c), p)).collect(),
        refusal: (raw.has_refusal != 0).then_some((raw.refusal != 0, raw.refusal_probability)),
        prompt_tokens: raw.prompt_tokens,
        cached_tokens: raw.cached_tokens,
        generated_tokens: raw.generated_tokens,
        latency_ms: raw.latency_ms,
        text: String::from_utf8_lossy(text).into_owned(),
        dropped_messages: raw.dropped_messages.iter().take(n_dropped).copied().collect(),
        n_dropped_messages: n_dropped,
        window: (raw.n_windows > 0).then(|| Window {
            index: raw.window_index.max(0) as usize,
            n_windows: raw.n_windows as usize,
            bytes: raw.window_byte_begin..raw.window_byte_end,
        }),
        is_of_folded_copy: raw.is_of_folded_copy != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A C function that writes a verdict with `text`, when it fits.
    fn writes(text: &str) -> impl FnMut(*mut sys::q3g_verdict, *mut sys::q3g_error) -> sys::q3g_status + '_ {
        move |raw, _| {
            let raw = unsafe { &mut *raw };
            (raw.text_bytes, raw.n_categories, raw.categories[0]) = (text.len(), 1, 77);
            if text.len() <= raw.text_capacity {
                unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), raw.text.cast(), text.len()) };
            }
            sys::Q3G_OK
        }
    }

    #[test]
    fn no_text_is_too_long_for_a_verdict() {
        for n in [0, TEXT_BYTES - 1, TEXT_BYTES, TEXT_BYTES + 1, 70_000] {
            let text = "x".repeat(n);
            let verdict = VerdictPlace::read(writes(&text)).unwrap();
            assert_eq!(verdict.text, text);
            assert_eq!(verdict.categories, [(Category::Other(77), 0.0)]);
        }
        let mut place = VerdictPlace::new();
        writes(&"x".repeat(9999))(place.raw(), std::ptr::null_mut());
        let error = place.only_verdict().unwrap_err();
        assert!(error.kind() == crate::ErrorKind::Internal && error.to_string().contains("9999"), "{error}");
    }

    #[test]
    fn counts_out_of_range_are_cut() {
        let many = sys::q3g_verdict { n_categories: i32::MAX, ..sized() };
        assert_eq!(verdict_of(&many, b"").unwrap().categories.len(), sys::Q3G_CATEGORY_COUNT);
        let negative = sys::q3g_verdict { n_categories: -1, ..sized() };
        assert!(verdict_of(&negative, b"").unwrap().categories.is_empty());
    }
}
