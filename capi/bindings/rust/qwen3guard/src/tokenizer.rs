// SPDX-License-Identifier: Apache-2.0
//! Text to tokens and back.
use std::path::Path;

use qwen3guard_sys as sys;

use crate::{
    c::{lent, text_of},
    error::{call, slot},
    load::path_bytes,
    Error, Result, SpecialTokens,
};

crate::c::handle!(
    /// A tokenizer. Immutable, `Send + Sync`.
    Tokenizer,
    q3g_tokenizer,
    q3g_tokenizer_free
);
// SAFETY: "any thread" in qwen3guard.h.
unsafe impl Send for Tokenizer {}
unsafe impl Sync for Tokenizer {}

crate::c::handle!(
    /// Decodes tokens one by one into whole characters. `Send`, but not `Sync`.
    StreamingDecoder,
    q3g_decoder,
    q3g_decoder_free
);
// SAFETY: "one thread" at a time, never mind which.
unsafe impl Send for StreamingDecoder {}

impl Tokenizer {
    /// Reads `tokenizer.json`, or a folder with it or with `vocab.json` and `merges.txt`. Errors:
    /// `FileNotFound`, `Io`, `BadTokenizer`, `UnsupportedModel`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path_bytes(path.as_ref());
        Self::make(|out, err| unsafe { sys::q3g_tokenizer_load(path.as_ptr().cast(), path.len(), out, err) })
    }

    /// Tokens of a text. Errors: `InvalidUtf8`.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<i32>> {
        self.encode_as(text, SpecialTokens::AsText)
    }

    /// Tokens of a text that may have control tokens. Errors: `InvalidUtf8`.
    pub fn encode_as(&self, text: impl AsRef<[u8]>, special: SpecialTokens) -> Result<Vec<i32>> {
        let text = text.as_ref();
        // As a rule a text has no more tokens than bytes; when it has, the library says how many.
        let mut ids: Vec<i32> = Vec::with_capacity(text.len());
        loop {
            let (mut n, mut slot, room) = (0, slot(), ids.capacity());
            // SAFETY: there is room for as many as is said.
            let status = unsafe {
                let (bytes, to) = (text.as_ptr().cast(), ids.as_mut_ptr());
                sys::q3g_tokenizer_encode(
                    self.raw.as_ptr(),
                    bytes,
                    text.len(),
                    special as i32,
                    to,
                    room,
                    &mut n,
                    &mut slot,
                )
            };
            match status {
                sys::Q3G_OK if n <= room => {
                    // SAFETY: the library wrote so many.
                    unsafe { ids.set_len(n) };
                    return Ok(ids);
                }
                sys::Q3G_E_BUFFER_TOO_SMALL if n > room => ids.reserve_exact(n),
                status => return Err(Error::of(status, &slot)),
            }
        }
    }

    /// Text of tokens, without control tokens when `skip_special`; ill-formed UTF-8 becomes U+FFFD. Errors: `TokenRange`.
    pub fn decode(&self, ids: &[i32], skip_special: bool) -> Result<String> {
        text_of(|text, capacity, n, err| unsafe {
            let skip = skip_special.into();
            sys::q3g_tokenizer_decode(self.raw.as_ptr(), ids.as_ptr(), ids.len(), skip, text, capacity, n, err)
        })
    }

    /// A token's bytes, which may be a part of a character. Errors: `TokenRange`.
    pub fn token_bytes(&self, id: i32) -> Result<&[u8]> {
        let (mut bytes, mut n) = (std::ptr::null(), 0);
        call(|err| unsafe { sys::q3g_tokenizer_token_bytes(self.raw.as_ptr(), id, &mut bytes, &mut n, err) })?;
        // SAFETY: they live as long as the tokenizer.
        Ok(unsafe { lent(bytes.cast(), n) })
    }

    /// The regular token of exactly these bytes.
    #[must_use]
    pub fn find_bytes(&self, bytes: &[u8]) -> Option<i32> {
        let mut id = -1;
        call(|err| unsafe {
            sys::q3g_tokenizer_find_bytes(self.raw.as_ptr(), bytes.as_ptr().cast(), bytes.len(), &mut id, err)
        })
        .ok()?;
        (id >= 0).then_some(id)
    }

    /// The added token of this text, e.g. `<|im_end|>`.
    #[must_use]
    pub fn find_added(&self, text: &str) -> Option<i32> {
        let mut id = -1;
        call(|err| unsafe {
            sys::q3g_tokenizer_find_added(self.raw.as_ptr(), text.as_ptr().cast(), text.len(), &mut id, err)
        })
        .ok()?;
        (id >= 0).then_some(id)
    }

    /// True for control tokens; false for ids that are not in the vocabulary.
    #[must_use]
    pub fn is_special(&self, id: i32) -> bool {
        let mut out = 0;
        let status = unsafe { sys::q3g_tokenizer_is_special(self.raw.as_ptr(), id, &mut out, std::ptr::null_mut()) };
        status == sys::Q3G_OK && out != 0
    }

    /// One more than the largest id.
    #[must_use]
    pub fn vocab_size(&self) -> i32 {
        let mut out = 0;
        unsafe { sys::q3g_tokenizer_vocab_size(self.raw.as_ptr(), &mut out, std::ptr::null_mut()) };
        out
    }

    /// Decodes tokens one by one into whole characters; without control tokens when `skip_special`. Errors:
    /// `OutOfMemory`.
    pub fn decoder(&self, skip_special: bool) -> Result<StreamingDecoder> {
        StreamingDecoder::make(|out, err| unsafe {
            sys::q3g_decoder_new(self.raw.as_ptr(), skip_special.into(), out, err)
        })
    }
}

impl StreamingDecoder {
    /// Text that the token completes; may be empty. Errors: `TokenRange`, and nothing has changed.
    pub fn push(&mut self, id: i32) -> Result<String> {
        text_of(|text, capacity, n, err| unsafe {
            sys::q3g_decoder_push(self.raw.as_ptr(), id, text, capacity, n, err)
        })
    }

    /// What was held back, as U+FFFD; the decoder is then as new.
    pub fn finish(&mut self) -> Result<String> {
        text_of(|text, capacity, n, err| unsafe { sys::q3g_decoder_finish(self.raw.as_ptr(), text, capacity, n, err) })
    }
}
