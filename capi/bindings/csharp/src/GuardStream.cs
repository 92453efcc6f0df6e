// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>One conversation judged as it is written. One thread at a time: a second one gets an InvalidOperationException.
    /// A CancellationToken stops a call with an OperationCanceledException; a call that fails leaves the stream as it
    /// was.</summary>
    public sealed unsafe partial class GuardStream : IDisposable
    {
        private const int Room = 32;
        private readonly StreamHandle handle;
        private readonly CancelHandle cancel; // the stream's own; null in a batch's visit

        /// <summary>Opens a conversation. options: null for the defaults.</summary>
        public GuardStream(Guard guard, StreamOptions options = null)
        {
            Call.Need(guard, nameof(guard));
            cancel = CancelScope.New();
            IntPtr made = IntPtr.Zero;
            try
            {
                StreamOptions.With(options, cancel, raw =>
                {
                    IntPtr opened;
                    var error = Call.Slot();
                    Call.Check(NativeMethods.q3g_stream_open(guard.Handle, raw, &opened, &error), &error);
                    made = opened;
                });
            }
            catch
            {
                cancel.Dispose();
                throw;
            }
            handle = new StreamHandle(made);
        }

        internal GuardStream(IntPtr raw, CancelHandle cancel = null)
        {
            handle = new StreamHandle(raw);
            this.cancel = cancel;
        }

        internal StreamHandle Handle => handle;

        /// <summary>The library owns the handle again.</summary>
        internal void Release()
        {
            handle.SetHandleAsInvalid();
            cancel?.Dispose();
        }

        /// <summary>Frees the stream; a call that runs on another thread goes on to its end.</summary>
        public void Dispose()
        {
            handle.Dispose();
            cancel?.Dispose();
        }

        internal void Invoke(CancellationToken token, NativeCall call)
        {
            using (handle.Enter()) CancelScope.Run(cancel, token, call);
        }

        /// <summary>Feeds the user's turn and opens the assistant's; the verdict on the prompt.</summary>
        public TokenVerdict PushPrompt(string prompt, CancellationToken token = default(CancellationToken))
        {
            var data = Call.Utf8(prompt, nameof(prompt));
            var place = TokenVerdict.Room(1);
            Invoke(token, error =>
            {
                fixed (byte* p = data)
                fixed (q3g_token_verdict* q = place)
                    return NativeMethods.q3g_stream_push_prompt(handle, p, Call.Size(data.Length), q, error);
            });
            return TokenVerdict.Of(place, 1)[0];
        }

        /// <summary>The same for several turns, the last one the user's.</summary>
        public TokenVerdict PushConversation(IReadOnlyList<Message> messages,
            CancellationToken token = default(CancellationToken))
        {
            var place = TokenVerdict.Room(1);
            using (var pinned = new PinnedMessages(messages))
            {
                Invoke(token, error =>
                {
                    fixed (q3g_token_verdict* q = place)
                        return NativeMethods.q3g_stream_push_conversation(handle, pinned.Raw, pinned.Count, q, error);
                });
            }
            return TokenVerdict.Of(place, 1)[0];
        }

        /// <summary>Appends finished turns without judging them.</summary>
        public void Restore(IReadOnlyList<Message> messages, CancellationToken token = default(CancellationToken))
        {
            using (var pinned = new PinnedMessages(messages))
                Invoke(token, error => NativeMethods.q3g_stream_restore(handle, pinned.Raw, pinned.Count, error));
        }

        /// <summary>Opens a turn.</summary>
        public void BeginTurn(Role role) =>
            Invoke(CancellationToken.None, error => NativeMethods.q3g_stream_begin_turn(handle, (int)role, error));

        /// <summary>Goes on with the open turn. A surrogate pair must not be split (a TextQueue puts it together): its halves
        /// are then lone surrogates, as in InvalidUtf8.</summary>
        public Update PushText(string text, CancellationToken token = default(CancellationToken)) =>
            PushText(Call.Utf8(text), token);

        /// <summary>Goes on with the open turn: UTF-8, split anywhere.</summary>
        public Update PushText(byte[] text, CancellationToken token = default(CancellationToken))
        {
            Call.Need(text, nameof(text));
            return Change(token, (update, tokens, room, error) =>
            {
                fixed (byte* p = text)
                    return NativeMethods.q3g_stream_push_text(handle, p, Call.Size(text.Length), update, tokens, room, error);
            });
        }

        /// <summary>Judges tokens of the open turn. A model's end of sequence may be the last of an assistant's: its
        /// verdict has no source and does not count, and only EndTurn may follow. Any other control token is
        /// InvalidArgument, unless StreamOptions.AllowControlIds.</summary>
        public TokenVerdict[] PushTokens(int[] ids, CancellationToken token = default(CancellationToken))
        {
            var place = TokenVerdict.Room(Call.Need(ids, nameof(ids)).Length);
            Invoke(token, error =>
            {
                fixed (int* p = ids)
                fixed (q3g_token_verdict* q = place)
                    return NativeMethods.q3g_stream_push_tokens(handle, p, Call.Size(ids.Length), q, error);
            });
            return TokenVerdict.Of(place, place.Length);
        }

        /// <summary>Ends the open turn. A character that is not complete is judged as U+FFFD or left out (InvalidUtf8),
        /// and the decision names its bytes as not judged.</summary>
        public Turn EndTurn(CancellationToken token = default(CancellationToken))
        {
            Turn ended = null;
            Invoke(token, error =>
            {
                var turn = q3g_turn.New();
                var decision = Decision.Place();
                var prompt = TokenVerdict.Place();
                byte* text = stackalloc byte[Verdict.TextBytes];
                var written = Verdict.Place(text, Verdict.TextBytes);
                int status = NativeMethods.q3g_stream_end_turn(handle, &turn, &decision, &prompt, &written, error);
                if (status != NativeMethods.Q3G_OK) return status;
                ended = new Turn
                {
                    Role = (Role)turn.role, Decision = new Decision(decision),
                    Prompt = turn.has_prompt != 0 ? TokenVerdict.Of(&prompt) : null,
                    Written = turn.has_written != 0 ? new Verdict(&written) : null,
                };
                return status;
            });
            return ended;
        }

        /// <summary>The place where the conversation is now.</summary>
        public Mark GetMark()
        {
            var raw = q3g_mark.New();
            var error = Call.Slot();
            using (handle.Enter()) Call.Check(NativeMethods.q3g_stream_mark(handle, &raw, &error), &error);
            return new Mark { Turn = raw.turn, Units = raw.n_units, IsClosed = raw.is_closed };
        }

        /// <summary>Goes back to a mark of this stream, or of what it was forked from.</summary>
        public Update Rewind(Mark mark, CancellationToken token = default(CancellationToken))
        {
            return Change(token, (update, tokens, room, error) =>
            {
                var raw = new q3g_mark { turn = mark.Turn, n_units = mark.Units, is_closed = mark.IsClosed };
                raw.struct_size = (uint)sizeof(q3g_mark);
                return NativeMethods.q3g_stream_rewind(handle, &raw, update, tokens, room, error);
            });
        }

        /// <summary>Keeps the first bytes of the open turn's text, counted in UTF-8.</summary>
        public Update RewindToByte(long bytes, CancellationToken token = default(CancellationToken))
        {
            return Change(token, (update, tokens, room, error) =>
                NativeMethods.q3g_stream_rewind_to_byte(handle, bytes, update, tokens, room, error));
        }

        private delegate int ChangeTurn(q3g_update* update, q3g_token_verdict* tokens, UIntPtr room, q3g_error* error);

        private Update Change(CancellationToken token, ChangeTurn change)
        {
            Update changed = null;
            Invoke(token, error =>
            {
                var raw = q3g_update.New();
                var tokens = stackalloc q3g_token_verdict[Room];
                tokens[0] = TokenVerdict.Place();
                int status = change(&raw, tokens, Call.Size(Room), error);
                if (status != NativeMethods.Q3G_OK) return status;
                changed = new Update { First = Call.Int(raw.first), Settled = Call.Int(raw.n_settled) };
                if (raw.stopped_at_byte >= 0) changed.StoppedAtByte = raw.stopped_at_byte;
                if (raw.n_tokens.ToUInt64() > Room)
                {
                    changed.Tokens = VerdictsFrom(changed.First);
                    return status;
                }
                var all = new TokenVerdict[Call.Int(raw.n_tokens)];
                for (int i = 0; i < all.Length; ++i) all[i] = TokenVerdict.Of(tokens + i);
                changed.Tokens = all;
                return status;
            });
            return changed;
        }

        /// <summary>A second stream with the same past; the two share memory as long as they can.</summary>
        public GuardStream Fork()
        {
            IntPtr raw;
            var error = Call.Slot();
            using (handle.Enter()) Call.Check(NativeMethods.q3g_stream_fork(handle, &raw, &error), &error);
            var fork = new GuardStream(raw, CancelScope.New());
            Call.Check(NativeMethods.q3g_stream_set_cancel(fork.handle, fork.cancel, &error), &error);
            return fork;
        }

        /// <summary>The policy's decision over the open (or else the last) turn so far.</summary>
        public Decision Decision
        {
            get
            {
                var raw = Qwen3Guard.Decision.Place();
                var error = Call.Slot();
                using (handle.Enter()) Call.Check(NativeMethods.q3g_stream_decision(handle, &raw, &error), &error);
                return new Decision(raw);
            }
        }

        /// <summary>The decision on the last user's turn that ended: its ruling says what the policy makes of the
        /// prompt.</summary>
        public Decision PromptDecision
        {
            get
            {
                var raw = Qwen3Guard.Decision.Place();
                var error = Call.Slot();
                using (handle.Enter()) Call.Check(NativeMethods.q3g_stream_prompt_decision(handle, &raw, &error), &error);
                return new Decision(raw);
            }
        }

        /// <summary>That turn's verdicts from an index on, as far as they are there (StreamInfo.FirstVerdict).</summary>
        public TokenVerdict[] Verdicts(int begin = 0)
        {
            using (handle.Enter()) return VerdictsFrom(begin);
        }

        private TokenVerdict[] VerdictsFrom(int begin)
        {
            var info = ReadInfo();
            begin = Math.Max(begin, info.FirstVerdict);
            var place = TokenVerdict.Room(Math.Max(info.VerdictsEnd - begin, 0));
            UIntPtr n;
            var error = Call.Slot();
            fixed (q3g_token_verdict* p = place)
            {
                Call.Check(NativeMethods.q3g_stream_verdicts(handle, Call.Size(begin), p, Call.Size(place.Length), &n, &error),
                    &error);
            }
            return TokenVerdict.Of(place, place.Length);
        }

        /// <summary>Where the stream is.</summary>
        public StreamInfo Info
        {
            get
            {
                using (handle.Enter()) return ReadInfo();
            }
        }

        private StreamInfo ReadInfo()
        {
            var raw = q3g_stream_info.New();
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_stream_get_info(handle, &raw, &error), &error);
            return StreamInfo.Of(&raw);
        }

        /// <summary>Forgets the conversation; memory is kept for the next one.</summary>
        public void Reset() => Invoke(CancellationToken.None, error => NativeMethods.q3g_stream_reset(handle, error));
    }
}
