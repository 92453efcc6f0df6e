// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Bounds of a batch; null: the default.</summary>
    public sealed class BatchOptions
    {
        /// <summary>Of all sessions; 0: no bound.</summary>
        public ulong MemoryBudgetBytes;
        public ulong? MaxWaitingBytes;
        public int? MaxStepTokens;
        public int? MaxSessionTokens;
        public double? DefaultDeadlineMs;
    }

    /// <summary>Counters of a batch.</summary>
    public struct BatchStats
    {
        public ulong Sessions, WaitingSessions, MemoryBytes, Steps, Tokens, Late;
    }

    public enum EventKind { Update, TurnEnd, Error }

    /// <summary>What became of something that was pushed.</summary>
    public sealed class BatchEvent
    {
        public EventKind Kind { get; internal set; }
        public Update Update { get; internal set; }
        public Decision Decision { get; internal set; }
        /// <summary>Of a TurnEnd; else null.</summary>
        public Turn Turn { get; internal set; }
        /// <summary>Of an Error; else null.</summary>
        public Qwen3GuardException Error { get; internal set; }
        public double WaitedMs { get; internal set; }
        public bool IsLate { get; internal set; }
    }

    /// <summary>Many live conversations over one model, named by numbers. Any number of threads at once. A deadline counts
    /// from the push; below 0: the default.</summary>
    public sealed unsafe class GuardBatch : IDisposable
    {
        private readonly BatchHandle handle;

        public GuardBatch(Guard guard, BatchOptions options = null)
        {
            q3g_batch_options raw;
            NativeMethods.q3g_batch_options_init(&raw, Call.Size(sizeof(q3g_batch_options)));
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

        /// <summary>Stops the thread; what waits is dropped.</summary>
        public void Dispose() => handle.Dispose();

        /// <summary>A new session.</summary>
        public ulong Add(StreamOptions options = null)
        {
            ulong made = 0;
            StreamOptions.With(options, IntPtr.Zero, raw => Add(raw, out made));
            return made;
        }

        private int Add(q3g_stream_options* options, out ulong made)
        {
            ulong session;
            var error = Call.Slot();
            int status = NativeMethods.q3g_batch_add(handle, options, &session, &error);
            Call.Check(status, &error);
            made = session;
            return status;
        }

        /// <summary>Takes a stream in, with its past; it is disposed of, also when the batch refuses it.</summary>
        public ulong AddStream(GuardStream stream)
        {
            ulong made;
            var error = Call.Slot();
            int status = NativeMethods.q3g_batch_add_stream(handle, stream.Handle, &made, &error);
            stream.Release();
            Call.Check(status, &error);
            return made;
        }

        /// <summary>Drops a session.</summary>
        public void Remove(ulong session)
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_remove(handle, session, &error), &error);
        }

        /// <summary>Queues a prompt; what is wrong with the text comes as an event.</summary>
        public void PushPrompt(ulong session, string prompt, double deadlineMs = -1)
        {
            var data = Call.Utf8(prompt);
            var error = Call.Slot();
            fixed (byte* p = data)
            {
                Call.Check(NativeMethods.q3g_batch_push_prompt(handle, session, p, Call.Size(data.Length), deadlineMs, &error),
                    &error);
            }
        }

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
            var error = Call.Slot();
            fixed (int* p = ids)
            {
                Call.Check(NativeMethods.q3g_batch_push_tokens(handle, session, p, Call.Size(ids.Length), deadlineMs, &error),
                    &error);
            }
        }

        public void EndTurn(ulong session, double deadlineMs = -1)
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_end_turn(handle, session, deadlineMs, &error), &error);
        }

        /// <summary>Takes a session's events; waits for the first one at most so long.</summary>
        public IReadOnlyList<BatchEvent> Poll(ulong session, double timeoutMs = 0)
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_poll(handle, session, timeoutMs, &raw, &error), &error);
            using (var events = new EventsHandle(raw))
            {
                var all = new BatchEvent[(int)NativeMethods.q3g_events_count(events)];
                for (int i = 0; i < all.Length; ++i) all[i] = EventOf(events, i);
                return all;
            }
        }

        private static BatchEvent EventOf(EventsHandle events, int index)
        {
            var raw = new q3g_event();
            raw.struct_size = (uint)sizeof(q3g_event);
            q3g_error failure = Call.Slot(), error = Call.Slot();
            var decision = Decision.Place();
            var i = Call.Size(index);
            Call.Check(NativeMethods.q3g_events_get(events, i, &raw, &failure, &error), &error);
            Call.Check(NativeMethods.q3g_events_decision(events, i, &decision, &error), &error);
            var place = TokenVerdict.Room((int)raw.n_tokens);
            fixed (q3g_token_verdict* p = place)
                Call.Check(NativeMethods.q3g_events_tokens(events, i, p, Call.Size(place.Length), &error), &error);
            var found = new BatchEvent
            {
                Kind = (EventKind)raw.kind, Decision = new Decision(decision), WaitedMs = raw.waited_ms,
                IsLate = raw.is_late != 0,
                Update = new Update { First = (int)raw.first, Settled = (int)raw.n_settled, Tokens = TokenVerdict.Of(place, place.Length) },
            };
            if (raw.stopped_at_byte >= 0) found.Update.StoppedAtByte = raw.stopped_at_byte;
            if (raw.status != NativeMethods.Q3G_OK) found.Error = Call.Failure(raw.status, &failure);
            if (found.Kind == EventKind.TurnEnd)
            {
                var prompt = new q3g_token_verdict();
                prompt.struct_size = (uint)sizeof(q3g_token_verdict);
                byte* text = stackalloc byte[Verdict.TextBytes];
                var written = Verdict.Place(text);
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

        /// <summary>Runs a function while nobody else uses the session; the stream must not be kept.</summary>
        public void Visit(ulong session, Action<GuardStream> visit)
        {
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

        /// <summary>Judges what waits until nothing does or the time is up; the number of tokens judged.</summary>
        public int Step(double budgetMs = 1e9, bool mustRun = true)
        {
            UIntPtr n;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_step(handle, budgetMs, Call.Bool(mustRun), &n, &error), &error);
            return (int)n;
        }

        /// <summary>Makes a thread that steps until Stop or Dispose.</summary>
        public void Start()
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_start(handle, &error), &error);
        }

        public void Stop()
        {
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_batch_stop(handle, &error), &error);
        }

        public BatchStats Stats
        {
            get
            {
                var raw = new q3g_batch_stats();
                raw.struct_size = (uint)sizeof(q3g_batch_stats);
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_batch_get_stats(handle, &raw, &error), &error);
                return new BatchStats
                {
                    Sessions = raw.n_sessions, WaitingSessions = raw.n_waiting_sessions, MemoryBytes = raw.memory_bytes,
                    Steps = raw.n_steps, Tokens = raw.n_tokens, Late = raw.n_late,
                };
            }
        }
    }
}
