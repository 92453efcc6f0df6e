// SPDX-License-Identifier: Apache-2.0
//! A response judged while it flows, through an iterator or a writer.
use std::{fmt, io, iter::FusedIterator};

use crate::{Action, Decision, Result, StreamRef, Turn, Update};

impl StreamRef {
    /// Pushes each piece of an iterator into the open turn; yields what it changed and the decision so far. Ends with the
    /// pieces, or behind the first error: a piece that failed is not judged, so none behind it may be. The turn stays
    /// open.
    ///
    /// ```
    /// # fn main() -> qwen3guard::Result<()> {
    /// # let mut stream = qwen3guard::Stream::open(&qwen3guard::Guard::embedded("nano-stream")?)?;
    /// stream.push_prompt("Hello!")?;
    /// for judged in stream.judge(["Good ", "morning!"]) {
    ///     let (update, decision) = judged?;
    ///     assert_ne!(decision.action, qwen3guard::Action::Block);
    /// }
    /// stream.end_turn()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn judge<I>(&mut self, pieces: I) -> Judge<'_, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        Judge { stream: self, pieces: Some(pieces.into_iter()) }
    }

    /// A writer that judges text of the open turn, and passes on to `to` what was judged. Text that waits for its verdict
    /// is held back: the end of a character, or what follows a Gen checkpoint's last verdict; [`JudgedWriter::finish`]
    /// ends the turn and passes on the rest. Each write is judged at once: a `BufWriter` around this one makes fewer and
    /// larger steps.
    ///
    /// When the policy blocks, also provisionally, the write fails with [`io::ErrorKind::PermissionDenied`] and
    /// [`Blocked`], and its bytes are not passed on. When the context is full and judging has stopped, it fails in the
    /// same way with [`Unjudged`], and what was judged has been passed on. After any error, what was judged may be more
    /// than what was passed on.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # let mut stream = qwen3guard::Stream::open(&qwen3guard::Guard::embedded("nano-stream")?)?;
    /// stream.push_prompt("Hello!")?;
    /// let (mut response, mut shown) = (&b"Good morning!"[..], Vec::new());
    /// let mut writer = stream.writer(&mut shown);
    /// std::io::copy(&mut response, &mut writer)?;
    /// writer.finish()?;
    /// assert_eq!(shown, b"Good morning!");
    /// # Ok(())
    /// # }
    /// ```
    pub fn writer<W: io::Write>(&mut self, to: W) -> JudgedWriter<'_, W> {
        JudgedWriter { stream: self, to, held: Vec::new() }
    }
}

/// What [`StreamRef::judge`] returns.
#[must_use = "nothing is pushed until the iterator is advanced"]
#[derive(Debug)]
pub struct Judge<'a, I> {
    stream: &'a mut StreamRef,
    /// None behind the end or an error.
    pieces: Option<I>,
}

impl<I: Iterator> Iterator for Judge<'_, I>
where
    I::Item: AsRef<[u8]>,
{
    type Item = Result<(Update, Decision)>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(piece) = self.pieces.as_mut()?.next() else {
            self.pieces = None;
            return None;
        };
        let judged = self.stream.push_text(piece).and_then(|update| Ok((update, self.stream.decision()?)));
        if judged.is_err() {
            self.pieces = None;
        }
        Some(judged)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may end it early.
        (0, self.pieces.as_ref().map_or(Some(0), |pieces| pieces.size_hint().1))
    }
}

impl<I: Iterator> FusedIterator for Judge<'_, I> where I::Item: AsRef<[u8]> {}

/// What [`StreamRef::writer`] returns.
#[derive(Debug)]
pub struct JudgedWriter<'a, W> {
    stream: &'a mut StreamRef,
    to: W,
    /// The end of the turn's text, not judged yet.
    held: Vec<u8>,
}

impl<W: io::Write> JudgedWriter<'_, W> {
    /// Ends the turn and passes on what was held back. Errors: those of a write; [`Unjudged`] when part of the turn was not
    /// judged, which is not passed on.
    pub fn finish(mut self) -> io::Result<Turn> {
        let turn = self.stream.end_turn()?;
        // A user's turn has a decision of its own.
        match turn.prompt {
            Some(_) => self.pass_on(&self.stream.prompt_decision()?, true)?,
            None => self.pass_on(&turn.decision, true)?,
        }
        Ok(turn)
    }

    /// Passes on what the decision says was judged.
    fn pass_on(&mut self, decision: &Decision, is_last: bool) -> io::Result<()> {
        if decision.action == Action::Block {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, Blocked(Box::new(decision.clone()))));
        }
        let n_unjudged = match decision.is_complete {
            true => 0,
            // All that follows, too; where nothing was judged the range begins at 0.
            false => usize::try_from(self.stream.info()?.turn_bytes - decision.unjudged_bytes.start).unwrap_or(0),
        };
        let n = self.held.len().saturating_sub(n_unjudged);
        self.to.write_all(&self.held[..n])?;
        self.held.drain(..n);
        if is_last && !self.held.is_empty() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, Unjudged(Box::new(decision.clone()))));
        }
        Ok(())
    }
}

impl<W: io::Write> io::Write for JudgedWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let update = self.stream.push_text(bytes)?;
        self.held.extend_from_slice(bytes);
        self.pass_on(&self.stream.decision()?, update.stopped_at_byte.is_some())?;
        // All of it: what is judged must not be given again.
        Ok(bytes.len())
    }

    /// Of what was passed on.
    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The policy blocks the text, by this decision; the error inside the [`io::Error`] of a [`JudgedWriter`].
#[derive(Clone, Debug, PartialEq)]
pub struct Blocked(pub Box<Decision>);

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.explain() {
            Ok(why) => write!(f, "blocked: {why}"),
            Err(_) => write!(f, "blocked: {}", self.0.severity),
        }
    }
}

impl std::error::Error for Blocked {}

/// Part of the text was not judged, as this decision says; the error inside the [`io::Error`] of a [`JudgedWriter`].
#[derive(Clone, Debug, PartialEq)]
pub struct Unjudged(pub Box<Decision>);

impl fmt::Display for Unjudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = &self.0.unjudged_bytes;
        write!(f, "part of the text was not judged: ")?;
        match bytes.is_empty() {
            true => write!(f, "no token of it has a verdict"),
            false => write!(f, "bytes {} to {}", bytes.start, bytes.end),
        }
    }
}

impl std::error::Error for Unjudged {}
