// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Many live conversations over one model, named by numbers. Any number of threads at once. A deadline is in
    /// milliseconds from the push; below 0: the default.</summary>
    public sealed unsafe class GuardBatch : IDisposable
    {
        private readonly BatchHandle handle;

        internal BatchHandle Handle => handle;

        /// <summary>Opens a batch.</summary>
        public GuardBatch(Guard guard, BatchOptions options = null)
        {
            Call.Need(guard, nameof(guard));
            var raw = q3g_batch_options.Defaults();
            if (options != null)
            {
                raw.memory_budget_bytes = (UIntPtr)options.MemoryBudgetBytes;
                if (options.MaxWaitingBytes != null) raw.max_waiting_bytes = (UIntPtr)options.MaxWaitingBytes.Value;
                raw.max_step_tokens = options.MaxStepTokens ?? raw.max_step_tokens;
                raw.max_session_tokens = options.MaxSessionTokens ?? raw.max_session_tokens;
                raw.default_deadline_ms = options.DefaultDeadlineMs ?? raw.default_deadline_ms;
            }
            IntPtr made;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_open(guard.Handle, &raw, &made, &error), &error);
            handle = new BatchHandle(made);
        }

        /// <summary>Stops the thread; what waits is dropped without a verdict. Calls that run on other threads go on to their ends.</summary>
        public void Dispose() => handle.Dispose();

        /// <summary>A new session.</summary>
        public ulong Add(StreamOptions options = null)
        {
            ulong made = 0;
            StreamOptions.With(options, null, raw =>
            {
                ulong session;
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_batch_add(handle, raw, &session, &error), &error);
                made = session;
            });
            return made;
        }

        /// <summary>Takes a stream in, with its past, and disposes of it; what is refused stays whole.</summary>
        public ulong AddStream(GuardStream stream)
        {
            Call.Need(stream, nameof(stream));
            ulong made;
            var error = Call.Slot();
            using (stream.Handle.Enter())
            {
                int status = NativeMethods.q3g_batch_add_stream(handle, stream.Handle, &made, &error);
                Call.Check(status, &error);
                stream.Release();
            }
            return made;
        }

        /// <summary>Drops a session, and what waits for it without a verdict.</summary>
        public void Remove(ulong session)
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_remove(handle, session, &error), &error);
        }

        /// <summary>Queues a prompt; what is wrong with the text comes as an event.</summary>
        public void PushPrompt(ulong session, string prompt, double deadlineMs = -1)
        {
            var data = Call.Utf8(prompt, nameof(prompt));
            var error = Call.Slot();
            fixed (byte* p = data)
            {
                Call.Check(NativeMethods.q3g_batch_push_prompt(handle, session, p, Call.Size(data.Length), deadlineMs, &error),
                    &error);
            }
        }

        /// <summary>Queues the beginning of a turn.</summary>
        public void BeginTurn(ulong session, Role role)
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_begin_turn(handle, session, (int)role, &error), &error);
        }

        /// <summary>Queues text.</summary>
        public void PushText(ulong session, string text, double deadlineMs = -1) =>
            PushText(session, Call.Utf8(text), deadlineMs);

        /// <summary>Queues UTF-8, split anywhere.</summary>
        public void PushText(ulong session, byte[] text, double deadlineMs = -1)
        {
            Call.Need(text, nameof(text));
            var error = Call.Slot();
            fixed (byte* p = text)
            {
                Call.Check(NativeMethods.q3g_batch_push_text(handle, session, p, Call.Size(text.Length), deadlineMs, &error),
                    &error);
            }
        }

        /// <summary>Queues tokens.</summary>
        public void PushTokens(ulong session, int[] ids, double deadlineMs = -1)
        {
            Call.Need(ids, nameof(ids));
            var error = Call.Slot();
            fixed (int* p = ids)
            {
                Call.Check(NativeMethods.q3g_batch_push_tokens(handle, session, p, Call.Size(ids.Length), deadlineMs, &error),
                    &error);
            }
        }

        /// <summary>Queues the end of a turn.</summary>
        public void EndTurn(ulong session, double deadlineMs = -1)
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_end_turn(handle, session, deadlineMs, &error), &error);
        }

        /// <summary>Takes a session's events; waits for the first one (Overdue at the latest), or until nothing is left to
        /// wait for, at most so many milliseconds. None says nothing of what still waits.</summary>
        public IReadOnlyList<BatchEvent> Poll(ulong session, double timeoutMs = 0)
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_poll(handle, session, timeoutMs, &raw, &error), &error);
            using (var events = new EventsHandle(raw))
            {
                var all = new BatchEvent[Call.Int(NativeMethods.q3g_events_count(events))];
                for (int i = 0; i < all.Length; ++i) all[i] = EventOf(events, i);
                return all;
            }
        }

        private static BatchEvent EventOf(EventsHandle events, int index)
        {
            var raw = q3g_event.New();
            q3g_error failure = Call.Slot(), error = Call.Slot();
            var decision = Decision.Place();
            var i = Call.Size(index);
            Call.Check(NativeMethods.q3g_events_get(events, i, &raw, &failure, &error), &error);
            Call.Check(NativeMethods.q3g_events_decision(events, i, &decision, &error), &error);
            var place = TokenVerdict.Room(Call.Int(raw.n_tokens));
            fixed (q3g_token_verdict* p = place)
                Call.Check(NativeMethods.q3g_events_tokens(events, i, p, Call.Size(place.Length), &error), &error);
            var found = new BatchEvent
            {
                Kind = (EventKind)raw.kind, Decision = new Decision(decision), WaitedMs = raw.waited_ms,
                IsLate = raw.is_late != 0,
                Update = new Update
                {
                    First = Call.Int(raw.first), Settled = Call.Int(raw.n_settled),
                    Tokens = TokenVerdict.Of(place, place.Length),
                },
            };
            if (raw.stopped_at_byte >= 0) found.Update.StoppedAtByte = raw.stopped_at_byte;
            if (raw.status != NativeMethods.Q3G_OK) found.Error = Call.Failure(raw.status, &failure);
            if (found.Kind == EventKind.TurnEnd)
            {
                var prompt = TokenVerdict.Place();
                byte* text = stackalloc byte[Verdict.TextBytes];
                var written = Verdict.Place(text, Verdict.TextBytes);
                Call.Check(NativeMethods.q3g_events_turn(events, i, &prompt, &written, &error), &error);
                found.Turn = new Turn
                {
                    Role = (Role)raw.role, Decision = found.Decision,
                    Prompt = raw.has_prompt != 0 ? TokenVerdict.Of(&prompt) : null,
                    Written = raw.has_written != 0 ? new Verdict(&written) : null,
                };
            }
            return found;
        }

        /// <summary>Runs a function while nobody else uses the session, for marks, rewinds, forks and reading. The stream is
        /// disposed of behind it, and does not look at a CancellationToken while it judges. An exception is thrown again
        /// behind the call.</summary>
        public void Visit(ulong session, Action<GuardStream> visit)
        {
            Call.Need(visit, nameof(visit));
            var error = Call.Slot();
            using (var callback = new Callback())
            {
                callback.Visit = raw =>
                {
                    var stream = new GuardStream(raw);
                    try
                    {
                        visit(stream);
                    }
                    finally
                    {
                        stream.Release();
                    }
                };
                int status = NativeMethods.q3g_batch_visit(handle, session, Callback.VisitPointer, (void*)callback.User, &error);
                callback.Rethrow();
                Call.Check(status, &error);
            }
        }

        /// <summary>Judges what waits until nothing does or the time, in milliseconds, is up; the number of tokens judged.
        /// When no forward is expected to end in time, a short one runs if mustRun, if what is next in line is past its
        /// deadline, or if it was put off for eight times the time it takes.</summary>
        public int Step(double budgetMs = 1e9, bool mustRun = true)
        {
            UIntPtr n;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_step(handle, budgetMs, Call.Bool(mustRun), &n, &error), &error);
            return Call.Int(n);
        }

        /// <summary>Makes a thread that steps until Stop or Dispose.</summary>
        public void Start()
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_start(handle, &error), &error);
        }

        /// <summary>Ends that thread; what waits stays.</summary>
        public void Stop()
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_stop(handle, &error), &error);
        }

        /// <summary>Counters.</summary>
        public BatchStats Stats
        {
            get
            {
                var raw = q3g_batch_stats.New();
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_batch_get_stats(handle, &raw, &error), &error);
                return BatchStats.Of(&raw);
            }
        }
    }
}
