// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    // Verdicts.
    public sealed unsafe partial class Guard
    {
        private delegate int Judge(q3g_classify_options* options, q3g_verdict* verdict, q3g_error* error);

        private static Verdict Classify(ClassifyOptions options, CancellationToken token, Judge judge)
        {
            int capacity = options?.TextBytes ?? Verdict.TextBytes;
            byte* small = stackalloc byte[capacity];
            using (var policy = new PolicyScope(options?.Policy))
            using (var scope = CancelScope.For(token))
            {
                var raw = ClassifyOptions.ToC(options, policy);
                if (scope != null) raw.cancel = scope.Raw;
                var verdict = Run(&raw, small, capacity, token, judge);
                // Only greedy decoding writes that much. The model then writes the same again.
                while (verdict.text_bytes.ToUInt64() > (ulong)capacity)
                {
                    capacity = Call.Int(verdict.text_bytes);
                    fixed (byte* large = new byte[capacity])
                    {
                        verdict = Run(&raw, large, capacity, token, judge);
                        if (verdict.text_bytes.ToUInt64() <= (ulong)capacity) return new Verdict(&verdict);
                    }
                }
                return new Verdict(&verdict);
            }
        }

        private static q3g_verdict Run(q3g_classify_options* options, byte* text, int capacity, CancellationToken token,
            Judge judge)
        {
            var verdict = Verdict.Place(text, capacity);
            var error = Call.Slot();
            CancelScope.Check(token, judge(options, &verdict, &error), &error);
            return verdict;
        }

        /// <summary>Judges a user's prompt.</summary>
        public Verdict ClassifyPrompt(string prompt, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return ClassifyPrompt(Call.Utf8(prompt, nameof(prompt)), options, token);
        }

        /// <summary>Judges a user's prompt in UTF-8.</summary>
        public Verdict ClassifyPrompt(byte[] prompt, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            Call.Need(prompt, nameof(prompt));
            return Classify(options, token, (raw, verdict, error) =>
            {
                fixed (byte* p = prompt)
                {
                    return NativeMethods.q3g_guard_classify_prompt(Handle, p, Call.Size(prompt.Length), raw, verdict, error);
                }
            });
        }

        /// <summary>Judges the response to a prompt.</summary>
        public Verdict ClassifyResponse(string prompt, string response, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            byte[] a = Call.Utf8(prompt, nameof(prompt)), b = Call.Utf8(response, nameof(response));
            return Classify(options, token, (raw, verdict, error) =>
            {
                fixed (byte* p = a, q = b)
                {
                    return NativeMethods.q3g_guard_classify_response(Handle, p, Call.Size(a.Length), q, Call.Size(b.Length),
                        raw, verdict, error);
                }
            });
        }

        /// <summary>Judges the last message of a conversation, a user's or an assistant's.</summary>
        public Verdict Classify(IReadOnlyList<Message> messages, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            using (var pinned = new PinnedMessages(messages))
            {
                return Classify(options, token, (raw, verdict, error) =>
                    NativeMethods.q3g_guard_classify(Handle, pinned.Raw, pinned.Count, raw, verdict, error));
            }
        }

        /// <summary>Judges several conversations together, which is faster: the verdict, or the error, of each.</summary>
        public IReadOnlyList<BatchVerdict> ClassifyBatch(IReadOnlyList<IReadOnlyList<Message>> conversations,
            ClassifyOptions options = null, CancellationToken token = default(CancellationToken))
        {
            int n = Call.Need(conversations, nameof(conversations)).Count;
            int room = options?.TextBytes ?? Verdict.TextBytes;
            const int most = int.MaxValue / Verdict.TextBytes;
            if (n > most) throw Call.InvalidArgument("{0} conversations; expected at most {1} in a call", n, most);
            var results = new BatchVerdict[n];
            if (n == 0) return results;
            var pinned = new List<PinnedMessages>();
            var raw = new q3g_conversation[n];
            var verdicts = new q3g_verdict[n];
            var errors = new q3g_error[n];
            var texts = new byte[n * room];
            var error = Call.Slot();
            try
            {
                foreach (var conversation in conversations) pinned.Add(new PinnedMessages(conversation));
                fixed (byte* text = texts)
                fixed (q3g_conversation* rawAt = raw)
                fixed (q3g_verdict* verdictAt = verdicts)
                fixed (q3g_error* errorAt = errors)
                using (var callback = new Callback { Progress = options?.Progress })
                using (var policy = new PolicyScope(options?.Policy))
                using (var scope = CancelScope.For(token))
                {
                    var c = ClassifyOptions.ToC(options, policy);
                    for (int i = 0; i < n; ++i)
                    {
                        raw[i].struct_size = (uint)sizeof(q3g_conversation);
                        raw[i].messages = pinned[i].Raw;
                        raw[i].n_messages = pinned[i].Count;
                        verdicts[i] = Verdict.Place(text + i * room, room);
                        errors[i] = Call.Slot();
                    }
                    if (scope != null) c.cancel = scope.Raw;
                    if (callback.Progress != null)
                    {
                        c.progress = Callback.ProgressPointer;
                        c.progress_user = (void*)callback.User;
                    }
                    int status = NativeMethods.q3g_guard_classify_batch(Handle, rawAt, Call.Size(n), &c, verdictAt, errorAt,
                        &error);
                    callback.Rethrow();
                    CancelScope.Check(token, status, &error);
                    for (int i = 0; i < n; ++i)
                    {
                        // The call does not fail when a flag stops it, but a cancelled call of .NET does.
                        if (verdicts[i].status == NativeMethods.Q3G_E_CANCELLED) token.ThrowIfCancellationRequested();
                        if (verdicts[i].status != NativeMethods.Q3G_OK)
                        {
                            results[i].Error = Call.Failure(verdicts[i].status, errorAt + i);
                            continue;
                        }
                        bool fits = verdicts[i].text_bytes.ToUInt64() <= (ulong)room;
                        try
                        {
                            results[i].Verdict = fits ? new Verdict(verdictAt + i) : Classify(conversations[i], options, token);
                        }
                        catch (Qwen3GuardException e) // this one's alone: the others have their verdicts
                        {
                            results[i].Error = e;
                        }
                    }
                }
            }
            finally
            {
                foreach (var messages in pinned) messages.Dispose();
            }
            return results;
        }
    }
}
