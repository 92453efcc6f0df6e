// SPDX-License-Identifier: Apache-2.0
//! One conversation judged as it is written.
use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use qwen3guard_sys as sys;

use crate::{
    c::sized,
    error::call,
    values::{messages_to_c, tokens_of},
    verdict::VerdictPlace,
    Cancel, Decision, Error, Guard, Mark, Message, Result, Role, StreamInfo, StreamOptions, TokenVerdict, Turn, Update,
};

crate::c::handle!(
    /// One conversation, as its owner. What can be done with it is in [`StreamRef`]. `Send`, but not `Sync`.
    ///
    /// ```
    /// # fn main() -> qwen3guard::Result<()> {
    /// use qwen3guard::{Guard, Severity, Stream};
    /// let mut stream = Stream::open(&Guard::embedded("nano-stream")?)?;
    /// stream.push_prompt("Hello!")?;
    /// stream.push_text("Good mor")?; // split anywhere
    /// stream.push_text("ning!")?;
    /// assert_eq!(stream.end_turn()?.decision.severity, Severity::Safe);
    /// # Ok(())
    /// # }
    /// ```
    Stream,
    q3g_stream,
    q3g_stream_free
);
// SAFETY: "one thread" at a time, never mind which.
unsafe impl Send for Stream {}

/// Verdicts that a change gives at once, without asking for more.
const ROOM: usize = 32;

impl Stream {
    /// Opens a conversation under the default policy. Errors: `BadTokenizer` (a Gen checkpoint without one), `OutOfMemory`.
    pub fn open(guard: &Guard) -> Result<Self> {
        Self::open_with(guard, &StreamOptions::default())
    }

    /// The same with options. Errors: `InvalidArgument` too (an option).
    pub fn open_with(guard: &Guard, options: &StreamOptions<'_>) -> Result<Self> {
        let raw = options.to_c();
        Self::make(|out, err| unsafe { sys::q3g_stream_open(guard.raw.as_ptr(), &raw, out, err) })
    }
}

impl Deref for Stream {
    type Target = StreamRef;
    fn deref(&self) -> &StreamRef {
        // SAFETY: the handle lives as long as self.
        unsafe { &*self.raw.as_ptr().cast() }
    }
}

impl DerefMut for Stream {
    fn deref_mut(&mut self) -> &mut StreamRef {
        // SAFETY: as above, and nothing else has the handle.
        unsafe { &mut *self.raw.as_ptr().cast() }
    }
}

/// A conversation that somebody owns: what a [`Stream`] dereferences to, and what [`Batch::visit`](crate::Batch::visit)
/// lends. A reference to it is the C handle itself and the value behind it has no size, so that nothing can be moved out
/// of it, nor swapped.
///
/// Errors of functions that judge: `InvalidArgument` (a turn is open, or none is), `InvalidUtf8`, `TokenRange` (tokens),
/// `ContextFull`, `Cancelled`, `OutOfMemory`. All of them leave the stream as it was.
#[repr(C)]
#[derive(Debug)]
pub struct StreamRef {
    _handle: [u8; 0],
    _one_thread: PhantomData<*mut sys::q3g_stream>,
}
// SAFETY: "one thread" at a time, never mind which. It is not Sync.
unsafe impl Send for StreamRef {}

impl StreamRef {
    pub(crate) fn raw(&self) -> *mut sys::q3g_stream {
        (self as *const Self).cast_mut().cast()
    }

    /// Feeds the user's turn and opens the assistant's; the verdict on the prompt. Not while a turn is open.
    pub fn push_prompt(&mut self, prompt: impl AsRef<[u8]>) -> Result<TokenVerdict> {
        let (prompt, mut out) = (prompt.as_ref(), sized());
        call(|err| unsafe {
            sys::q3g_stream_push_prompt(self.raw(), prompt.as_ptr().cast(), prompt.len(), &mut out, err)
        })?;
        Ok(TokenVerdict::of(&out))
    }

    /// The same for several turns, the last one the user's.
    pub fn push_conversation(&mut self, messages: &[Message<'_>]) -> Result<TokenVerdict> {
        let raw = messages_to_c(messages);
        let mut out = sized();
        call(|err| unsafe { sys::q3g_stream_push_conversation(self.raw(), raw.as_ptr(), raw.len(), &mut out, err) })?;
        Ok(TokenVerdict::of(&out))
    }

    /// Appends finished turns without judging them.
    pub fn restore(&mut self, messages: &[Message<'_>]) -> Result<()> {
        let raw = messages_to_c(messages);
        call(|err| unsafe { sys::q3g_stream_restore(self.raw(), raw.as_ptr(), raw.len(), err) })
    }

    /// Opens a turn.
    pub fn begin_turn(&mut self, role: Role) -> Result<()> {
        call(|err| unsafe { sys::q3g_stream_begin_turn(self.raw(), role.value(), err) })
    }

    /// Goes on with the open turn: UTF-8, split anywhere, also within a character.
    pub fn push_text(&mut self, text: impl AsRef<[u8]>) -> Result<Update> {
        let text = text.as_ref();
        self.change(|raw, update, tokens, room, err| unsafe {
            sys::q3g_stream_push_text(raw, text.as_ptr().cast(), text.len(), update, tokens, room, err)
        })
    }

    /// Judges the next tokens of the open turn: a verdict for each. A model's end of sequence (`<|im_end|>`,
    /// `<|endoftext|>`) may be the last of an assistant's: its verdict has `Source::None` and does not count, and only
    /// `end_turn()` may follow. Any other control token is an invalid argument, unless
    /// [`StreamOptions::allow_control_ids`].
    pub fn push_tokens(&mut self, ids: &[i32]) -> Result<Vec<TokenVerdict>> {
        let mut tokens: Vec<sys::q3g_token_verdict> = vec![sized(); ids.len()];
        call(|err| unsafe {
            sys::q3g_stream_push_tokens(self.raw(), ids.as_ptr(), ids.len(), tokens.as_mut_ptr(), err)
        })?;
        Ok(tokens_of(&tokens))
    }

    /// Ends the open turn. A character that is not complete is judged as U+FFFD or left out
    /// ([`StreamOptions::invalid_utf8`]); then the decision names its bytes as not judged.
    pub fn end_turn(&mut self) -> Result<Turn> {
        let (mut turn, mut decision, mut prompt) =
            (sized::<sys::q3g_turn>(), sized::<sys::q3g_decision>(), sized::<sys::q3g_token_verdict>());
        let mut written = VerdictPlace::new();
        call(|err| unsafe {
            sys::q3g_stream_end_turn(self.raw(), &mut turn, &mut decision, &mut prompt, written.raw(), err)
        })?;
        Ok(Turn {
            role: Role::of(turn.role),
            decision: Decision::of(&decision),
            prompt: (turn.has_prompt != 0).then(|| TokenVerdict::of(&prompt)),
            // Streams decode no other verdicts than well-formed ones, which fit.
            written: (turn.has_written != 0).then(|| written.only_verdict()).transpose()?,
        })
    }

    /// The place where the conversation is now.
    pub fn mark(&self) -> Result<Mark> {
        let mut raw: sys::q3g_mark = sized();
        call(|err| unsafe { sys::q3g_stream_mark(self.raw(), &mut raw, err) })?;
        Ok(Mark::of(&raw))
    }

    /// Goes back to a mark of this stream, or of what it was forked from. Errors: `InvalidArgument` (not in its past, or
    /// the context slid over it).
    pub fn rewind(&mut self, mark: Mark) -> Result<Update> {
        let raw_mark = mark.to_c();
        self.change(|raw, update, tokens, room, err| unsafe {
            sys::q3g_stream_rewind(raw, &raw_mark, update, tokens, room, err)
        })
    }

    /// Keeps the first `n_bytes` of the open turn's text. Errors: `InvalidArgument`.
    pub fn rewind_to_byte(&mut self, n_bytes: i64) -> Result<Update> {
        self.change(|raw, update, tokens, room, err| unsafe {
            sys::q3g_stream_rewind_to_byte(raw, n_bytes, update, tokens, room, err)
        })
    }

    fn change(
        &mut self,
        change: impl FnOnce(
            *mut sys::q3g_stream,
            *mut sys::q3g_update,
            *mut sys::q3g_token_verdict,
            usize,
            *mut sys::q3g_error,
        ) -> i32,
    ) -> Result<Update> {
        let mut tokens = [sys::q3g_token_verdict::default(); ROOM];
        let mut update: sys::q3g_update = sized();
        call(|err| change(self.raw(), &mut update, tokens.as_mut_ptr(), ROOM, err))?;
        Ok(Update {
            first: update.first,
            tokens: match tokens.get(..update.n_tokens) {
                Some(all) => tokens_of(all),
                None => self.verdicts(update.first)?,
            },
            n_settled: update.n_settled,
            stopped_at_byte: (update.stopped_at_byte >= 0).then_some(update.stopped_at_byte),
        })
    }

    /// A second stream with the same past, which may go on in another thread.
    pub fn fork(&self) -> Result<Stream> {
        Stream::make(|out, err| unsafe { sys::q3g_stream_fork(self.raw(), out, err) })
    }

    /// Another flag for the calls from now on. A fork begins without one.
    pub fn set_cancel(&mut self, cancel: Option<&Cancel>) -> Result<()> {
        call(|err| unsafe { sys::q3g_stream_set_cancel(self.raw(), Cancel::ptr(cancel), err) })
    }

    /// The policy's decision over the open (or else the last) turn so far.
    pub fn decision(&self) -> Result<Decision> {
        let mut out: sys::q3g_decision = sized();
        call(|err| unsafe { sys::q3g_stream_decision(self.raw(), &mut out, err) })?;
        Ok(Decision::of(&out))
    }

    /// The decision on the last user's turn that ended: its ruling is what the policy makes of the prompt.
    pub fn prompt_decision(&self) -> Result<Decision> {
        let mut out: sys::q3g_decision = sized();
        call(|err| unsafe { sys::q3g_stream_prompt_decision(self.raw(), &mut out, err) })?;
        Ok(Decision::of(&out))
    }

    /// The open (or else the last) turn's verdicts from index `begin` on. Errors: `InvalidArgument` (`begin` is outside
    /// [`StreamInfo::first_verdict`] to [`StreamInfo::n_verdicts`]).
    pub fn verdicts(&self, begin: usize) -> Result<Vec<TokenVerdict>> {
        let n_there = self.info()?.n_verdicts;
        let mut tokens: Vec<sys::q3g_token_verdict> = vec![sized(); n_there.saturating_sub(begin)];
        let mut n = 0;
        call(|err| unsafe {
            let (at, room) = (tokens.as_mut_ptr(), tokens.len());
            sys::q3g_stream_verdicts(self.raw(), begin, at, room, &mut n, err)
        })?;
        tokens.truncate(n);
        Ok(tokens_of(&tokens))
    }

    /// Where the stream is.
    pub fn info(&self) -> Result<StreamInfo> {
        let mut raw: sys::q3g_stream_info = sized();
        call(|err| unsafe { sys::q3g_stream_get_info(self.raw(), &mut raw, err) })?;
        Ok(StreamInfo::of(&raw))
    }

    /// Forgets the conversation; memory is kept for the next one.
    pub fn reset(&mut self) -> Result<()> {
        call(|err| unsafe { sys::q3g_stream_reset(self.raw(), err) })
    }
}

/// [`StreamRef::push_tokens`] for several streams of one model in common matrix products: the verdicts, or the error, of
/// each. Errors of the call itself: `InvalidArgument`.
pub fn push_batch(guard: &Guard, pushes: &mut [(&mut StreamRef, &[i32])]) -> Result<Vec<Result<Vec<TokenVerdict>>>> {
    let mut tokens: Vec<Vec<sys::q3g_token_verdict>> = pushes.iter().map(|(_, ids)| vec![sized(); ids.len()]).collect();
    let mut errors: Vec<sys::q3g_error> = vec![sized(); pushes.len()];
    let mut raw: Vec<_> = pushes
        .iter()
        .zip(&mut tokens)
        .zip(&mut errors)
        .map(|(((stream, ids), tokens), error)| sys::q3g_stream_push {
            stream: stream.raw(),
            ids: ids.as_ptr(),
            n_ids: ids.len(),
            tokens: tokens.as_mut_ptr(),
            error,
            ..sized()
        })
        .collect();
    call(|err| unsafe { sys::q3g_guard_push_batch(guard.raw.as_ptr(), raw.as_mut_ptr(), raw.len(), err) })?;
    let done = raw.iter().zip(&tokens).zip(&errors);
    Ok(done
        .map(|((push, tokens), error)| match push.status {
            sys::Q3G_OK => Ok(tokens_of(tokens)),
            status => Err(Error::of(status, error)),
        })
        .collect())
}
