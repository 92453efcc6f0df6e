// SPDX-License-Identifier: Apache-2.0
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>What a policy made of a text, and why. It never changes a severity. A new one is no advice, and does not mean
    /// Allow. Immutable.</summary>
    public sealed class Ruling
    {
        /// <summary>What to do.</summary>
        public GuardAction Action { get; private set; }
        /// <summary>What decided.</summary>
        public Rule Rule { get; private set; }
        /// <summary>The category whose rule it was; null when there is none.</summary>
        public Category? Category { get; private set; }
        /// <summary>The probability that was compared, calibrated; 0 where there are no thresholds.</summary>
        public float Score { get; private set; }
        /// <summary>Rule.DenyList: index in the policy's deny list; else null.</summary>
        public int? Phrase { get; private set; }
        /// <summary>Stream: index in the conversation of the token where it fell; else null.</summary>
        public int? Position { get; private set; }
        /// <summary>The text that it fell on, in bytes of UTF-8: what to take back begins here.</summary>
        public long ByteBegin { get; private set; }
        /// <summary>Equal to ByteBegin when it is about the whole message.</summary>
        public long ByteEnd { get; private set; }
        /// <summary>No text that follows can change it.</summary>
        public bool IsSettled { get; private set; }
        /// <summary>Of the policy that ruled.</summary>
        public string PolicyName { get; private set; } = "";
        /// <summary>Of the policy that ruled.</summary>
        public string PolicyVersion { get; private set; } = "";

        internal static unsafe Ruling Of(q3g_verdict* raw)
        {
            return new Ruling
            {
                Action = (GuardAction)raw->action, Rule = (Rule)raw->rule,
                Category = raw->rule_category < 0 ? (Category?)null : (Category)raw->rule_category,
                Score = raw->rule_score, Phrase = Index(raw->rule_phrase), Position = Index(raw->rule_position),
                ByteBegin = raw->rule_byte_begin, ByteEnd = raw->rule_byte_end, IsSettled = raw->rule_is_settled != 0,
                PolicyName = Call.Text(raw->policy_name), PolicyVersion = Call.Text(raw->policy_version),
            };
        }

        // The same fields of another struct.
        internal static unsafe Ruling Of(q3g_decision* raw)
        {
            return new Ruling
            {
                Action = (GuardAction)raw->ruling_action, Rule = (Rule)raw->rule,
                Category = raw->rule_category < 0 ? (Category?)null : (Category)raw->rule_category,
                Score = raw->rule_score, Phrase = Index(raw->rule_phrase), Position = Index(raw->rule_position),
                ByteBegin = raw->rule_byte_begin, ByteEnd = raw->rule_byte_end, IsSettled = raw->rule_is_settled != 0,
                PolicyName = Call.Text(raw->policy_name), PolicyVersion = Call.Text(raw->policy_version),
            };
        }

        private static int? Index(int raw) => raw < 0 ? (int?)null : raw;
    }

    /// <summary>The part of a long message that was the worst (LongText.Windows).</summary>
    public struct Window
    {
        /// <summary>Which one, from 0.</summary>
        public int Index { get; internal set; }
        /// <summary>How many there were.</summary>
        public int Count { get; internal set; }
        /// <summary>Where it begins in the message, in bytes of UTF-8.</summary>
        public long ByteBegin { get; internal set; }
        /// <summary>Where it ends.</summary>
        public long ByteEnd { get; internal set; }
    }
}
