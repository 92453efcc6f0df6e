// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How the next token is drawn.</summary>
    public sealed class SamplingOptions
    {
        /// <summary>0: always the most probable token.</summary>
        public float Temperature = 0.7f;
        /// <summary>0: all.</summary>
        public int TopK = 20;
        /// <summary>In (0, 1].</summary>
        public float TopP = 0.8f;
        /// <summary>The same seed draws the same.</summary>
        public ulong Seed;
    }

    /// <summary>A causal checkpoint writing text. One thread at a time: a second one gets an InvalidOperationException.</summary>
    public sealed unsafe class Generator : IDisposable
    {
        private readonly GeneratorHandle handle;
        private readonly CancelHandle cancel;

        /// <summary>Opens a generator; of a Gen checkpoint only.</summary>
        public Generator(Guard guard, SamplingOptions options = null)
        {
            Call.Need(guard, nameof(guard));
            var raw = q3g_sampling_options.Defaults();
            if (options != null)
            {
                raw.temperature = options.Temperature;
                raw.top_k = options.TopK;
                raw.top_p = options.TopP;
                raw.seed = options.Seed;
            }
            IntPtr made;
            var error = Call.Slot();
            cancel = CancelScope.New();
            try
            {
                raw.cancel = cancel.DangerousGetHandle(); // the generator keeps what is behind it
                Call.Check(NativeMethods.q3g_generator_open(guard.Handle, &raw, &made, &error), &error);
            }
            catch
            {
                cancel.Dispose();
                throw;
            }
            handle = new GeneratorHandle(made);
        }

        /// <summary>Frees the generator.</summary>
        public void Dispose()
        {
            handle.Dispose();
            cancel.Dispose();
        }

        /// <summary>Sets what was said, the last message the user's, and opens the answer.</summary>
        public void SetConversation(IReadOnlyList<Message> messages)
        {
            var error = Call.Slot();
            using (handle.Enter())
            using (var pinned = new PinnedMessages(messages))
            {
                Call.Check(NativeMethods.q3g_generator_set_conversation(handle, pinned.Raw, pinned.Count, &error), &error);
            }
        }

        /// <summary>The same as tokens.</summary>
        public void SetTokens(int[] ids)
        {
            Call.Need(ids, nameof(ids));
            var error = Call.Slot();
            using (handle.Enter())
            fixed (int* p = ids)
                Call.Check(NativeMethods.q3g_generator_set_tokens(handle, p, Call.Size(ids.Length), &error), &error);
        }

        /// <summary>Draws the next token. isEnd: it ends the answer.</summary>
        public int Next(out bool isEnd, CancellationToken token = default(CancellationToken))
        {
            int id = 0, end = 0;
            using (handle.Enter())
            {
                CancelScope.Run(cancel, token, error =>
                {
                    int drawn, last;
                    int status = NativeMethods.q3g_generator_next(handle, &drawn, &last, error);
                    id = drawn;
                    end = last;
                    return status;
                });
            }
            isEnd = end != 0;
            return id;
        }

        /// <summary>Tokens so far.</summary>
        public int Position
        {
            get
            {
                int position;
                var error = Call.Slot();
                using (handle.Enter())
                    Call.Check(NativeMethods.q3g_generator_position(handle, &position, &error), &error);
                return position;
            }
        }

        /// <summary>Takes back all tokens from a position on, but not the random numbers.</summary>
        public void Rewind(int position)
        {
            var error = Call.Slot();
            using (handle.Enter())
                Call.Check(NativeMethods.q3g_generator_rewind(handle, position, &error), &error);
        }
    }
}
