// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How a conversation is judged.</summary>
    public sealed class StreamOptions
    {
        /// <summary>Null: the published rule.</summary>
        public Policy Policy;
        /// <summary>Context; 0: the model's.</summary>
        public int MaxTokens;
        public InvalidUtf8 InvalidUtf8;
        public ContextPolicy Context;
        public Thinking Thinking;
        /// <summary>Text whose tokens may still change is judged at once.</summary>
        public bool JudgeUnsettled = true;
        /// <summary>Gen: a verdict every so many tokens.</summary>
        public int GenIntervalTokens = 32;

        internal unsafe delegate int Use(q3g_stream_options* raw);

        /// <summary>Runs body with the C struct, which points to the policy.</summary>
        internal static unsafe int With(StreamOptions options, IntPtr cancel, Use body)
        {
            q3g_stream_options raw;
            NativeMethods.q3g_stream_options_init(&raw, Call.Size(sizeof(q3g_stream_options)));
            raw.cancel = cancel;
            if (options == null) return body(&raw);
            raw.max_tokens = options.MaxTokens;
            raw.invalid_utf8 = (int)options.InvalidUtf8;
            raw.context = (int)options.Context;
            raw.thinking = (int)options.Thinking;
            raw.judge_unsettled = Call.Bool(options.JudgeUnsettled);
            raw.gen_interval_tokens = options.GenIntervalTokens;
            if (options.Policy == null) return body(&raw);
            var policy = options.Policy.ToC();
            raw.policy = &policy;
            return body(&raw);
        }
    }

    /// <summary>Where a stream is.</summary>
    public struct StreamInfo
    {
        public int Position, MaxTokens;
        public long TurnBytes;
        public int FirstVerdict, VerdictsEnd;
        public long MemoryBytes;
    }

    /// <summary>One stream's share of GuardStream.PushBatch.</summary>
    public sealed class StreamPush
    {
        public GuardStream Stream;
        public int[] Ids;
        /// <summary>Written: the verdicts, or null.</summary>
        public TokenVerdict[] Tokens;
        /// <summary>Written: why there are none, or null.</summary>
        public Qwen3GuardException Error;
    }

    /// <summary>One conversation judged as it is written. One thread at a time.</summary>
    public sealed unsafe class GuardStream : IDisposable
    {
        private const int Room = 32;
        private StreamHandle handle;
        private readonly CancelHandle cancel; // the stream's own; null in a batch's visit

        /// <summary>Opens a conversation. options: null for the published rule.</summary>
        public GuardStream(Guard guard, StreamOptions options = null)
        {
            cancel = CancelScope.New();
            IntPtr made = IntPtr.Zero;
            try
            {
                StreamOptions.With(options, cancel.DangerousGetHandle(), raw => Open(guard, raw, out made));
            }
            catch
            {
                cancel.Dispose();
                throw;
            }
            handle = new StreamHandle(made);
        }

        private static int Open(Guard guard, q3g_stream_options* options, out IntPtr made)
        {
            IntPtr raw;
            var error = Call.Slot();
            int status = NativeMethods.q3g_stream_open(guard.Handle, options, &raw, &error);
            Call.Check(status, &error);
            made = raw;
            return status;
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

        public void Dispose()
        {
            handle.Dispose();
            cancel?.Dispose();
        }

        private delegate int Run(q3g_error* error);

        /// <summary>Makes a call that the token stops.</summary>
        private void Invoke(CancellationToken token, Run run)
        {
            token.ThrowIfCancellationRequested();
            var error = Call.Slot();
            if (!token.CanBeCanceled || cancel == null)
            {
                CancelScope.Check(token, run(&error), &error);
                return;
            }
            int status;
            // Disposing of the registration waits for a callback that runs.
            using (token.Register(() => NativeMethods.q3g_cancel_set(cancel))) status = run(&error);
            NativeMethods.q3g_cancel_reset(cancel);
            CancelScope.Check(token, status, &error);
        }

        /// <summary>Feeds the user's turn and opens the assistant's; the verdict on the prompt.</summary>
        public TokenVerdict PushPrompt(string prompt, CancellationToken token = default(CancellationToken))
        {
            var data = Call.Utf8(prompt);
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
        public void Restore(IReadOnlyList<Message> messages)
        {
            using (var pinned = new PinnedMessages(messages))
            {
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_stream_restore(handle, pinned.Raw, pinned.Count, &error), &error);
            }
        }

        /// <summary>Opens a turn.</summary>
        public void BeginTurn(Role role)
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_stream_begin_turn(handle, (int)role, &error), &error);
        }

        /// <summary>Goes on with the open turn.</summary>
        public Update PushText(string text, CancellationToken token = default(CancellationToken)) =>
            PushText(Call.Utf8(text), token);

        /// <summary>Goes on with the open turn: UTF-8, split anywhere.</summary>
        public Update PushText(byte[] text, CancellationToken token = default(CancellationToken))
        {
            return Change(token, (update, tokens, room, error) =>
            {
                fixed (byte* p = text)
                    return NativeMethods.q3g_stream_push_text(handle, p, Call.Size(text.Length), update, tokens, room, error);
            });
        }

        /// <summary>Judges tokens of the open turn.</summary>
        public TokenVerdict[] PushTokens(int[] ids, CancellationToken token = default(CancellationToken))
        {
            var place = TokenVerdict.Room(ids.Length);
            Invoke(token, error =>
            {
                fixed (int* p = ids)
                fixed (q3g_token_verdict* q = place)
                    return NativeMethods.q3g_stream_push_tokens(handle, p, Call.Size(ids.Length), q, error);
            });
            return TokenVerdict.Of(place, ids.Length);
        }

        /// <summary>Ends the open turn.</summary>
        public Turn EndTurn(CancellationToken token = default(CancellationToken))
        {
            Turn ended = null;
            Invoke(token, error =>
            {
                var turn = new q3g_turn();
                turn.struct_size = (uint)sizeof(q3g_turn);
                var decision = Decision.Place();
                var prompt = new q3g_token_verdict();
                prompt.struct_size = (uint)sizeof(q3g_token_verdict);
                byte* text = stackalloc byte[Verdict.TextBytes];
                var written = Verdict.Place(text);
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
            var raw = new q3g_mark();
            raw.struct_size = (uint)sizeof(q3g_mark);
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_stream_mark(handle, &raw, &error), &error);
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

        /// <summary>Keeps the first bytes of the open turn's text.</summary>
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
                var raw = new q3g_update();
                raw.struct_size = (uint)sizeof(q3g_update);
                var tokens = stackalloc q3g_token_verdict[Room];
                tokens[0].struct_size = (uint)sizeof(q3g_token_verdict);
                int status = change(&raw, tokens, Call.Size(Room), error);
                if (status != NativeMethods.Q3G_OK) return status;
                changed = new Update { First = (int)raw.first, Settled = (int)raw.n_settled };
                if (raw.stopped_at_byte >= 0) changed.StoppedAtByte = raw.stopped_at_byte;
                if ((ulong)raw.n_tokens > Room) return status;
                var all = new TokenVerdict[(int)raw.n_tokens];
                for (int i = 0; i < all.Length; ++i) all[i] = TokenVerdict.Of(tokens + i);
                changed.Tokens = all;
                return status;
            });
            if (changed.Tokens == null) changed.Tokens = Verdicts(changed.First);
            return changed;
        }

        /// <summary>A second stream with the same past.</summary>
        public GuardStream Fork()
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_stream_fork(handle, &raw, &error), &error);
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
                Call.Check(NativeMethods.q3g_stream_decision(handle, &raw, &error), &error);
                return new Decision(raw);
            }
        }

        /// <summary>That turn's verdicts from an index on, as far as they are there.</summary>
        public TokenVerdict[] Verdicts(int begin = 0)
        {
            var info = Info;
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
                var raw = new q3g_stream_info();
                raw.struct_size = (uint)sizeof(q3g_stream_info);
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_stream_get_info(handle, &raw, &error), &error);
                return new StreamInfo
                {
                    Position = raw.position, MaxTokens = raw.max_tokens, TurnBytes = raw.turn_bytes,
                    FirstVerdict = (int)raw.first_verdict, VerdictsEnd = (int)raw.n_verdicts,
                    MemoryBytes = (long)raw.memory_bytes,
                };
            }
        }

        /// <summary>Forgets the conversation; memory is kept for the next one.</summary>
        public void Reset()
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_stream_reset(handle, &error), &error);
        }

        /// <summary>Pushes each piece; yields what it changed. The turn stays open.</summary>
        public IEnumerable<Update> Judge(IEnumerable<string> pieces, CancellationToken token = default(CancellationToken))
        {
            foreach (var piece in pieces) yield return PushText(piece, token);
        }

#if NET8_0_OR_GREATER || NETSTANDARD2_1
        /// <summary>The same for an asynchronous source; the model runs on the thread pool.</summary>
        public async IAsyncEnumerable<Update> JudgeAsync(IAsyncEnumerable<string> pieces,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token = default)
        {
            await foreach (var piece in pieces.WithCancellation(token).ConfigureAwait(false))
            {
                yield return await System.Threading.Tasks.Task.Run(() => PushText(piece, token), token).ConfigureAwait(false);
            }
        }
#endif

        /// <summary>PushTokens for several streams of a guard in common matrix products.</summary>
        public static void PushBatch(Guard guard, IReadOnlyList<StreamPush> pushes)
        {
            var raw = new q3g_stream_push[pushes.Count];
            var errors = new q3g_error[pushes.Count];
            var places = new q3g_token_verdict[pushes.Count][];
            var pins = new List<GCHandle>();
            var error = Call.Slot();
            Func<object, IntPtr> pin = array =>
            {
                pins.Add(GCHandle.Alloc(array, GCHandleType.Pinned));
                return pins[pins.Count - 1].AddrOfPinnedObject();
            };
            try
            {
                var errorAt = (q3g_error*)pin(errors);
                for (int i = 0; i < raw.Length; ++i)
                {
                    errors[i] = Call.Slot();
                    places[i] = TokenVerdict.Room(pushes[i].Ids.Length);
                    raw[i].struct_size = (uint)sizeof(q3g_stream_push);
                    raw[i].stream = pushes[i].Stream.handle.DangerousGetHandle();
                    raw[i].ids = (int*)pin(pushes[i].Ids);
                    raw[i].n_ids = Call.Size(pushes[i].Ids.Length);
                    raw[i].tokens = (q3g_token_verdict*)pin(places[i]);
                    raw[i].error = errorAt + i;
                }
                fixed (q3g_stream_push* p = raw)
                    Call.Check(NativeMethods.q3g_guard_push_batch(guard.Handle, p, Call.Size(raw.Length), &error), &error);
                for (int i = 0; i < raw.Length; ++i)
                {
                    bool ok = raw[i].status == NativeMethods.Q3G_OK;
                    pushes[i].Tokens = ok ? TokenVerdict.Of(places[i], places[i].Length) : null;
                    pushes[i].Error = ok ? null : Call.Failure(raw[i].status, errorAt + i);
                }
            }
            finally
            {
                foreach (var pinned in pins) pinned.Free();
                GC.KeepAlive(pushes);
            }
        }
    }
}
