// SPDX-License-Identifier: Apache-2.0
using System;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How a conversation is judged.</summary>
    public sealed class StreamOptions
    {
        /// <summary>Null: the default one, which blocks what is Unsafe or Controversial.</summary>
        public Policy Policy;
        /// <summary>Context; 0: the model's.</summary>
        public int MaxTokens;
        /// <summary>What happens to bytes that are not UTF-8.</summary>
        public InvalidUtf8 InvalidUtf8;
        /// <summary>What happens at the end of the context. Null: as the policy says.</summary>
        public ContextPolicy? Context;
        /// <summary>What happens to a reasoning model's thinking.</summary>
        public Thinking Thinking;
        /// <summary>Text whose tokens may still change is judged at once.</summary>
        public bool JudgeUnsettled = true;
        /// <summary>Gen: a verdict every so many tokens; at least 1.</summary>
        public int GenIntervalTokens = 32;
        /// <summary>Control tokens among pushed ids are judged like others, not an error.</summary>
        public bool AllowControlIds;
        /// <summary>Gen: turns that no verdict would see are an error; false: Verdict.DroppedMessages names them. Null: as the
        /// policy says.</summary>
        public bool? RejectDropped;

        internal unsafe delegate void Use(q3g_stream_options* raw);

        /// <summary>Runs body with the C struct. cancel: a flag that the caller keeps; may be
        /// null.</summary>
        internal static unsafe void With(StreamOptions options, CancelHandle cancel, Use body)
        {
            var raw = q3g_stream_options.Defaults();
            if (options != null)
            {
                raw.max_tokens = options.MaxTokens;
                raw.invalid_utf8 = (int)options.InvalidUtf8;
                raw.context = (int?)options.Context ?? NativeMethods.Q3G_FROM_POLICY;
                raw.thinking = (int)options.Thinking;
                raw.judge_unsettled = Call.Bool(options.JudgeUnsettled);
                raw.gen_interval_tokens = options.GenIntervalTokens;
                raw.allow_control_ids = Call.Bool(options.AllowControlIds);
                raw.dropped_messages = Call.Choice(options.RejectDropped);
            }
            if (cancel != null) raw.cancel = cancel.DangerousGetHandle();
            using (var policy = new PolicyScope(options?.Policy))
            {
                raw.policy = policy.Raw;
                body(&raw);
            }
            GC.KeepAlive(cancel);
        }
    }

    /// <summary>One stream's share of GuardStream.PushBatch.</summary>
    public sealed class StreamPush
    {
        /// <summary>Each stream at most once in a call.</summary>
        public GuardStream Stream;
        /// <summary>Tokens to judge.</summary>
        public int[] Ids;
        /// <summary>Written: the verdicts, or null. Null, too, while the call runs, and when it throws.</summary>
        public TokenVerdict[] Tokens;
        /// <summary>Written: why there are none, or null.</summary>
        public Qwen3GuardException Error;
    }
}
