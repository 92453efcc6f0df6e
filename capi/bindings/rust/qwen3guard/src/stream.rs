// SPDX-License-Identifier: Apache-2.0
//! One conversation judged as it is written.
use qwen3guard_sys as sys;

use crate::{
    error::{call, Error, Result},
    guard::cancel_ptr,
    sized,
    values::VerdictPlace,
    Cancel, Decision, Guard, InvalidUtf8, Mark, Message, Policy, Role, TokenVerdict, Turn, Update,
};

crate::handle!(
    /// One conversation. What happens at once to two streams is independent.
    Stream,
    q3g_stream,
    q3g_stream_free
);
// "one thread" at a time, never mind which.
unsafe impl Send for Stream {}

/// What happens when a response reaches the end of the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Context {
    /// The push fails with `ContextFull`.
    #[default]
    Error = 0,
    /// From there on nothing is judged, and every verdict says so.
    Stop = 1,
    /// The response's most recent half stays.
    Slide = 2,
}

/// What happens to a reasoning model's thinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// Responses do not think.
    #[default]
    None = 0,
    /// It is judged like the rest.
    Judge = 1,
    /// It is read, but does not count.
    Skip = 2,
}

/// How a conversation is judged.
#[derive(Clone, Debug)]
pub struct StreamOptions<'a> {
    /// None: the published rule.
    pub policy: Option<Policy>,
    /// Context; 0: the model's.
    pub max_tokens: i32,
    /// What happens to text that is not UTF-8.
    pub invalid_utf8: InvalidUtf8,
    /// What happens at the end of the context.
    pub context: Context,
    /// What happens to thinking.
    pub thinking: Thinking,
    /// Text whose tokens may still change is judged at once.
    pub judge_unsettled: bool,
    /// Gen: a verdict every so many tokens.
    pub gen_interval_tokens: i32,
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
            cancel: None,
        }
    }
}

impl StreamOptions<'_> {
    /// Runs `body` with the C struct, which points to the policy.
    pub(crate) fn with_c<T>(&self, body: impl FnOnce(&sys::q3g_stream_options) -> T) -> T {
        let policy = self.policy.as_ref().map(Policy::to_c);
        let mut raw: sys::q3g_stream_options = sized();
        unsafe { sys::q3g_stream_options_init(&mut raw, std::mem::size_of_val(&raw)) };
        raw.policy = policy.as_ref().map_or(std::ptr::null(), |p| p as *const _);
        raw.max_tokens = self.max_tokens;
        raw.invalid_utf8 = self.invalid_utf8 as i32;
        raw.context = self.context as i32;
        raw.thinking = self.thinking as i32;
        raw.judge_unsettled = self.judge_unsettled.into();
        raw.gen_interval_tokens = self.gen_interval_tokens;
        raw.cancel = cancel_ptr(self.cancel);
        body(&raw)
    }
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Tokens so far: the index that the next one gets.
    pub position: i32,
    /// Tokens there is room for.
    pub max_tokens: i32,
    /// Bytes of the open (or else the last) turn's text.
    pub turn_bytes: i64,
    /// Index of that turn's first verdict that is there.
    pub first_verdict: usize,
    /// One more than the index of the last.
    pub n_verdicts: usize,
    /// Held; shared pages count in full.
    pub memory_bytes: usize,
}

const ROOM: usize = 32;

impl Stream {
    /// Opens a conversation by the published rule.
    pub fn open(guard: &Guard) -> Result<Self> {
        Self::open_with(guard, &StreamOptions::default())
    }

    /// Opens a conversation.
    pub fn open_with(guard: &Guard, options: &StreamOptions<'_>) -> Result<Self> {
        options.with_c(|raw| Self::make(|out, err| unsafe { sys::q3g_stream_open(guard.raw.as_ptr(), raw, out, err) }))
    }

    /// Feeds the user's turn and opens the assistant's; the verdict on the prompt.
    pub fn push_prompt(&mut self, prompt: impl AsRef<[u8]>) -> Result<TokenVerdict> {
        let (prompt, mut out) = (prompt.as_ref(), sized());
        call(|err| unsafe {
            sys::q3g_stream_push_prompt(self.raw.as_ptr(), prompt.as_ptr().cast(), prompt.len(), &mut out, err)
        })?;
        Ok(TokenVerdict::of(&out))
    }

    /// The same for several turns, the last one the user's.
    pub fn push_conversation(&mut self, messages: &[Message<'_>]) -> Result<TokenVerdict> {
        let raw: Vec<_> = messages.iter().map(|m| m.to_c()).collect();
        let mut out = sized();
        call(|err| unsafe {
            sys::q3g_stream_push_conversation(self.raw.as_ptr(), raw.as_ptr(), raw.len(), &mut out, err)
        })?;
        Ok(TokenVerdict::of(&out))
    }

    /// Appends finished turns without judging them.
    pub fn restore(&mut self, messages: &[Message<'_>]) -> Result<()> {
        let raw: Vec<_> = messages.iter().map(|m| m.to_c()).collect();
        call(|err| unsafe { sys::q3g_stream_restore(self.raw.as_ptr(), raw.as_ptr(), raw.len(), err) })
    }

    /// Opens a turn.
    pub fn begin_turn(&mut self, role: Role) -> Result<()> {
        call(|err| unsafe { sys::q3g_stream_begin_turn(self.raw.as_ptr(), role.value(), err) })
    }

    /// Goes on with the open turn; split anywhere.
    pub fn push_text(&mut self, text: impl AsRef<[u8]>) -> Result<Update> {
        let text = text.as_ref();
        self.change(|raw, update, tokens, room, err| unsafe {
            sys::q3g_stream_push_text(raw, text.as_ptr().cast(), text.len(), update, tokens, room, err)
        })
    }

    /// Judges tokens of the open turn.
    pub fn push_tokens(&mut self, ids: &[i32]) -> Result<Vec<TokenVerdict>> {
        let mut tokens: Vec<sys::q3g_token_verdict> = vec![sized(); ids.len()];
        call(|err| unsafe {
            sys::q3g_stream_push_tokens(self.raw.as_ptr(), ids.as_ptr(), ids.len(), tokens.as_mut_ptr(), err)
        })?;
        Ok(tokens.iter().map(TokenVerdict::of).collect())
    }

    /// Ends the open turn.
    pub fn end_turn(&mut self) -> Result<Turn> {
        let (mut turn, mut decision, mut prompt) =
            (sized::<sys::q3g_turn>(), sized::<sys::q3g_decision>(), sized::<sys::q3g_token_verdict>());
        let mut written = VerdictPlace::new();
        call(|err| unsafe {
            let raw = self.raw.as_ptr();
            sys::q3g_stream_end_turn(raw, &mut turn, &mut decision, &mut prompt, &mut written.raw, err)
        })?;
        Ok(Turn {
            role: Role::of(turn.role),
            decision: Decision::of(&decision),
            prompt: (turn.has_prompt != 0).then(|| TokenVerdict::of(&prompt)),
            written: (turn.has_written != 0).then(|| written.verdict()),
        })
    }

    /// The place where the conversation is now.
    pub fn mark(&self) -> Result<Mark> {
        let mut raw: sys::q3g_mark = sized();
        call(|err| unsafe { sys::q3g_stream_mark(self.raw.as_ptr(), &mut raw, err) })?;
        Ok(Mark { turn: raw.turn, n_units: raw.n_units, is_closed: raw.is_closed != 0 })
    }

    /// Goes back to a mark of this stream, or of what it was forked from.
    pub fn rewind(&mut self, mark: Mark) -> Result<Update> {
        let raw_mark =
            sys::q3g_mark { turn: mark.turn, n_units: mark.n_units, is_closed: mark.is_closed.into(), ..sized() };
        self.change(|raw, update, tokens, room, err| unsafe {
            sys::q3g_stream_rewind(raw, &raw_mark, update, tokens, room, err)
        })
    }

    /// Keeps the first `n_bytes` of the open turn's text.
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
        let mut tokens: [sys::q3g_token_verdict; ROOM] = crate::zeroed();
        tokens[0].struct_size = crate::size::<sys::q3g_token_verdict>();
        let mut update: sys::q3g_update = sized();
        call(|err| change(self.raw.as_ptr(), &mut update, tokens.as_mut_ptr(), ROOM, err))?;
        Ok(Update {
            first: update.first,
            tokens: match tokens.get(..update.n_tokens) {
                Some(all) => all.iter().map(TokenVerdict::of).collect(),
                None => self.verdicts(update.first)?,
            },
            n_settled: update.n_settled,
            stopped_at_byte: (update.stopped_at_byte >= 0).then_some(update.stopped_at_byte),
        })
    }

    /// A second stream with the same past.
    pub fn fork(&self) -> Result<Self> {
        Self::make(|out, err| unsafe { sys::q3g_stream_fork(self.raw.as_ptr(), out, err) })
    }

    /// Another flag for the calls from now on. A fork begins without one.
    pub fn set_cancel(&mut self, cancel: Option<&Cancel>) -> Result<()> {
        call(|err| unsafe { sys::q3g_stream_set_cancel(self.raw.as_ptr(), cancel_ptr(cancel), err) })
    }

    /// The policy's decision over the open (or else the last) turn so far.
    pub fn decision(&self) -> Result<Decision> {
        let mut out: sys::q3g_decision = sized();
        call(|err| unsafe { sys::q3g_stream_decision(self.raw.as_ptr(), &mut out, err) })?;
        Ok(Decision::of(&out))
    }

    /// That turn's verdicts from index `begin` on, as far as they are there.
    pub fn verdicts(&self, begin: usize) -> Result<Vec<TokenVerdict>> {
        let info = self.info()?;
        let begin = begin.max(info.first_verdict);
        let mut tokens: Vec<sys::q3g_token_verdict> = vec![sized(); info.n_verdicts.saturating_sub(begin)];
        let mut n = 0;
        call(|err| unsafe {
            let (at, room) = (tokens.as_mut_ptr(), tokens.len());
            sys::q3g_stream_verdicts(self.raw.as_ptr(), begin, at, room, &mut n, err)
        })?;
        Ok(tokens.iter().map(TokenVerdict::of).collect())
    }

    /// Where the stream is.
    pub fn info(&self) -> Result<StreamInfo> {
        let mut raw: sys::q3g_stream_info = sized();
        call(|err| unsafe { sys::q3g_stream_get_info(self.raw.as_ptr(), &mut raw, err) })?;
        Ok(StreamInfo {
            position: raw.position,
            max_tokens: raw.max_tokens,
            turn_bytes: raw.turn_bytes,
            first_verdict: raw.first_verdict,
            n_verdicts: raw.n_verdicts,
            memory_bytes: raw.memory_bytes,
        })
    }

    /// Forgets the conversation; memory is kept for the next one.
    pub fn reset(&mut self) -> Result<()> {
        call(|err| unsafe { sys::q3g_stream_reset(self.raw.as_ptr(), err) })
    }

    /// Pushes each piece of an iterator; yields what it changed and the decision so far. The turn stays open.
    pub fn judge<'a, I>(&'a mut self, pieces: I) -> impl Iterator<Item = Result<(Update, Decision)>> + 'a
    where
        I: IntoIterator + 'a,
        I::Item: AsRef<[u8]>,
    {
        pieces.into_iter().map(move |piece| Ok((self.push_text(piece)?, self.decision()?)))
    }
}

/// [`Stream::push_tokens`] for several streams in common matrix products: the verdicts, or the error, of each.
pub fn push_batch(guard: &Guard, pushes: &mut [(&mut Stream, &[i32])]) -> Result<Vec<Result<Vec<TokenVerdict>>>> {
    let mut tokens: Vec<Vec<sys::q3g_token_verdict>> = pushes.iter().map(|(_, ids)| vec![sized(); ids.len()]).collect();
    let mut errors: Vec<sys::q3g_error> = vec![sized(); pushes.len()];
    let mut raw: Vec<_> = pushes
        .iter()
        .zip(&mut tokens)
        .zip(&mut errors)
        .map(|(((stream, ids), tokens), error)| sys::q3g_stream_push {
            stream: stream.raw.as_ptr(),
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
            sys::Q3G_OK => Ok(tokens.iter().map(TokenVerdict::of).collect()),
            status => Err(Error::of(status, error)),
        })
        .collect())
}
