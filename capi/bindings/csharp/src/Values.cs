// SPDX-License-Identifier: Apache-2.0
using System;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>The names that the models and the log use; "unknown" for numbers that have none.</summary>
    public static unsafe class Names
    {
        /// <summary>E.g. "Unsafe".</summary>
        public static string Of(Severity value) => Call.Text(NativeMethods.q3g_severity_name((int)value));
        /// <summary>E.g. "Sexual Content or Sexual Acts".</summary>
        public static string Of(Category value) => Call.Text(NativeMethods.q3g_category_name((int)value));
        /// <summary>E.g. "block".</summary>
        public static string Of(GuardAction value) => Call.Text(NativeMethods.q3g_action_name((int)value));
        /// <summary>E.g. "category_off".</summary>
        public static string Of(Rule value) => Call.Text(NativeMethods.q3g_rule_name((int)value));
        /// <summary>E.g. "assistant".</summary>
        public static string Of(Role value) => Call.Text(NativeMethods.q3g_role_name((int)value));
        /// <summary>E.g. "heads".</summary>
        public static string Of(Source value) => Call.Text(NativeMethods.q3g_source_name((int)value));
        /// <summary>E.g. "end_of_turn".</summary>
        public static string Of(Reason value) => Call.Text(NativeMethods.q3g_reason_name((int)value));
        /// <summary>E.g. "bad_checkpoint".</summary>
        public static string Of(Status value) => Call.Text(NativeMethods.q3g_status_name((int)value));

        /// <summary>The severity of a name, e.g. "Unsafe"; exact match.</summary>
        public static Severity ParseSeverity(string name)
        {
            var data = Call.Utf8(name, nameof(name));
            var error = Call.Slot();
            int value;
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_parse_severity(p, Call.Size(data.Length), &value, &error), &error);
            return (Severity)value;
        }

        /// <summary>The category of a name, e.g. "PII"; exact match.</summary>
        public static Category ParseCategory(string name)
        {
            var data = Call.Utf8(name, nameof(name));
            var error = Call.Slot();
            int value;
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_parse_category(p, Call.Size(data.Length), &value, &error), &error);
            return (Category)value;
        }
    }

    /// <summary>Of the three severities, in [0, 1]; their sum is 1, or 0 where nothing was judged.</summary>
    public struct Probabilities
    {
        /// <summary>P(Safe).</summary>
        public float Safe;
        /// <summary>P(Controversial).</summary>
        public float Controversial;
        /// <summary>P(Unsafe).</summary>
        public float Unsafe;

        /// <summary>Of a severity; 0 for NotJudged.</summary>
        public float this[Severity severity]
        {
            get
            {
                switch (severity)
                {
                    case Severity.Safe: return Safe;
                    case Severity.Controversial: return Controversial;
                    case Severity.Unsafe: return Unsafe;
                    default: return 0;
                }
            }
        }

        internal Probabilities(float safe, float controversial, float @unsafe)
        {
            Safe = safe;
            Controversial = controversial;
            Unsafe = @unsafe;
        }
    }

    /// <summary>One turn of a conversation.</summary>
    public struct Message
    {
        private readonly byte[] utf8;

        /// <summary>Who speaks.</summary>
        public Role Role { get; }
        /// <summary>What is said, in UTF-8; never null.</summary>
        public byte[] Utf8 => utf8 ?? new byte[0];

        /// <summary>A turn.</summary>
        public Message(Role role, string text) : this(role, Call.Utf8(text)) { }

        /// <summary>A turn in UTF-8.</summary>
        public Message(Role role, byte[] utf8)
        {
            Role = role;
            this.utf8 = Call.Need(utf8, nameof(utf8));
        }
    }
}
