// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Makes a decision of the verdicts of tokens; the default is the published rule. Thresholds are in [0, 1]; null:
    /// not set. It is read when it is used: what changes later does not change a stream.</summary>
    public sealed unsafe class Policy
    {
        /// <summary>Strict: a Controversial decision flags too.</summary>
        public Mode Mode;
        /// <summary>Which tokens make a run.</summary>
        public RunRule RunRule;
        /// <summary>Tokens in a row that decide; at least 1.</summary>
        public int ConsecutiveTokens = 2;
        /// <summary>Unsafe when P(Unsafe) reaches it.</summary>
        public float? UnsafeThreshold;
        /// <summary>Else Controversial when P(Unsafe) + P(Controversial) does.</summary>
        public float? ControversialThreshold;
        /// <summary>Safe when 1 - P(Safe) is below the category's.</summary>
        public readonly Dictionary<Category, float> CategoryThresholds = new Dictionary<Category, float>();
        /// <summary>Categories that do not count.</summary>
        public readonly HashSet<Category> IgnoredCategories = new HashSet<Category>();
        /// <summary>A flag goes down after so many Safe tokens in a row; 0: it stays.</summary>
        public int ReleaseTokens;
        /// <summary>And whose 1 - P(Safe) is below it.</summary>
        public float? ReleaseThreshold;
        /// <summary>A run that the turn's end cuts off decides.</summary>
        public bool CountOpenRun;

        internal q3g_policy ToC()
        {
            var raw = q3g_policy.Defaults();
            raw.mode = (int)Mode;
            raw.run_rule = (int)RunRule;
            raw.consecutive_tokens = ConsecutiveTokens;
            raw.unsafe_threshold = UnsafeThreshold ?? -1;
            raw.controversial_threshold = ControversialThreshold ?? -1;
            foreach (var pair in CategoryThresholds)
            {
                raw.category_thresholds[Known(pair.Key, nameof(CategoryThresholds))] = pair.Value;
            }
            foreach (var category in IgnoredCategories)
            {
                raw.category_mask &= ~(1u << Known(category, nameof(IgnoredCategories)));
            }
            raw.release_tokens = ReleaseTokens;
            raw.release_threshold = ReleaseThreshold ?? -1;
            raw.end_of_turn = Call.Bool(CountOpenRun);
            return raw;
        }

        private static int Known(Category category, string where)
        {
            if ((uint)category < NativeMethods.Q3G_CATEGORY_COUNT) return (int)category;
            throw Call.InvalidArgument("{0} names category {1}; expected one of the {2} that there are", where, (int)category,
                NativeMethods.Q3G_CATEGORY_COUNT);
        }

        /// <summary>Throws, with the field's name, when one is out of range.</summary>
        public void Check()
        {
            var raw = ToC();
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_policy_check(&raw, &error), &error);
        }

        /// <summary>The severity that a token counts with.</summary>
        public Severity CountedSeverity(TokenVerdict token)
        {
            var raw = ToC();
            var error = Call.Slot();
            q3g_token_verdict c;
            Call.Need(token, nameof(token)).ToC(&c);
            int severity;
            Call.Check(NativeMethods.q3g_policy_counted_severity(&raw, &c, &severity, &error), &error);
            return (Severity)severity;
        }

        /// <summary>The decision over a turn's verdicts, whose IsFlagged it sets. hasEnded: the turn is over.</summary>
        public Decision Decide(IReadOnlyList<TokenVerdict> tokens, bool hasEnded)
        {
            var policy = ToC();
            var error = Call.Slot();
            var decision = Decision.Place();
            var raw = new q3g_token_verdict[Call.Need(tokens, nameof(tokens)).Count];
            fixed (q3g_token_verdict* p = raw)
            {
                for (int i = 0; i < raw.Length; ++i) Call.Need(tokens[i], nameof(tokens)).ToC(p + i);
                Call.Check(NativeMethods.q3g_policy_decide(&policy, p, Call.Size(raw.Length), Call.Bool(hasEnded), &decision,
                    &error), &error);
                for (int i = 0; i < raw.Length; ++i) tokens[i].IsFlagged = p[i].is_flagged != 0;
            }
            return new Decision(decision);
        }
    }
}
