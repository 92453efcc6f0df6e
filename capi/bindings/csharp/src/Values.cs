// SPDX-License-Identifier: Apache-2.0
using System;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How bad a text is; from Safe on ordered by harm.</summary>
    public enum Severity
    {
        /// <summary>Nothing was judged, or not all of it: the default. Treat it as an error. It is below Safe: ask for
        /// <c>== Severity.Safe</c>, not for <c>&lt; Severity.Controversial</c>.</summary>
        NotJudged = NativeMethods.Q3G_SEVERITY_NOT_JUDGED,
        /// <summary>Harmless in most settings.</summary>
        Safe = NativeMethods.Q3G_SEVERITY_SAFE,
        /// <summary>Harmful or not, depending on the setting.</summary>
        Controversial = NativeMethods.Q3G_SEVERITY_CONTROVERSIAL,
        /// <summary>Harmful in most settings.</summary>
        Unsafe = NativeMethods.Q3G_SEVERITY_UNSAFE
    }

    /// <summary>The policy's categories. The list may grow.</summary>
    public enum Category
    {
        /// <summary>"Violent".</summary>
        Violent,
        /// <summary>"Non-violent Illegal Acts".</summary>
        NonViolentIllegalActs,
        /// <summary>"Sexual Content or Sexual Acts".</summary>
        SexualContent,
        /// <summary>"PII": personal data.</summary>
        Pii,
        /// <summary>"Suicide &amp; Self-Harm".</summary>
        SuicideSelfHarm,
        /// <summary>"Unethical Acts".</summary>
        UnethicalActs,
        /// <summary>"Politically Sensitive Topics".</summary>
        PoliticallySensitive,
        /// <summary>"Copyright Violation".</summary>
        CopyrightViolation,
        /// <summary>"Jailbreak": of prompts only.</summary>
        Jailbreak
    }

    /// <summary>What a host should do with a text.</summary>
    public enum GuardAction
    {
        /// <summary>Nothing was judged, so there is no advice: the default. It does not mean Allow.</summary>
        None = NativeMethods.Q3G_ACTION_NONE,
        /// <summary>Let it pass.</summary>
        Allow = NativeMethods.Q3G_ACTION_ALLOW,
        /// <summary>Let it pass, and mark it.</summary>
        Flag = NativeMethods.Q3G_ACTION_FLAG,
        /// <summary>Hold it back.</summary>
        Block = NativeMethods.Q3G_ACTION_BLOCK
    }

    /// <summary>Who speaks.</summary>
    public enum Role
    {
        /// <summary>The host's instructions.</summary>
        System,
        /// <summary>Prompts.</summary>
        User,
        /// <summary>Responses.</summary>
        Assistant,
        /// <summary>A tool's answer to a call of the assistant's; a turn that only Restore and PushConversation make.</summary>
        Tool
    }

    /// <summary>Where a token's verdict comes from.</summary>
    public enum Source
    {
        /// <summary>It was not judged: Severity.NotJudged, and all probabilities are 0.</summary>
        None,
        /// <summary>This token's classification heads.</summary>
        Heads,
        /// <summary>A Gen checkpoint wrote a verdict up to this token.</summary>
        Written,
        /// <summary>A Gen checkpoint's last verdict, before this token.</summary>
        Carried
    }

    /// <summary>What made a decision fall.</summary>
    public enum Reason
    {
        /// <summary>No token did: it is Safe, or not judged.</summary>
        None,
        /// <summary>As many tokens in a row as the policy asks for.</summary>
        Run,
        /// <summary>The turn ended in a shorter run.</summary>
        EndOfTurn,
        /// <summary>A Gen checkpoint's verdict.</summary>
        Written
    }

    /// <summary>The two kinds of checkpoint.</summary>
    public enum ModelKind
    {
        /// <summary>Writes a verdict.</summary>
        Gen,
        /// <summary>Judges every token.</summary>
        Stream
    }

    /// <summary>What Controversial counts as.</summary>
    public enum Mode
    {
        /// <summary>As unsafe.</summary>
        Strict,
        /// <summary>As safe.</summary>
        Loose
    }

    /// <summary>What happens to text that is not UTF-8: bytes that are none, and the three of a lone surrogate in a
    /// string.</summary>
    public enum InvalidUtf8
    {
        /// <summary>The call fails with Status.InvalidUtf8.</summary>
        Reject,
        /// <summary>It is judged as U+FFFD.</summary>
        Replace
    }

    /// <summary>What is compared when a model is loaded, beyond its structure and a sample of its weights.</summary>
    public enum Verify
    {
        /// <summary>All of a model from memory; no more of one from files, which are mapped, or in the library.</summary>
        Automatic,
        /// <summary>No more: files are read when they are used.</summary>
        Off,
        /// <summary>Every checksum and every value. Reads the whole file.</summary>
        Full
    }

    /// <summary>What happens when a response reaches the end of the context.</summary>
    public enum ContextPolicy
    {
        /// <summary>The call fails with Status.ContextFull.</summary>
        Error,
        /// <summary>From there on nothing is judged, and every update says so.</summary>
        Stop,
        /// <summary>The response's most recent half stays.</summary>
        Slide
    }

    /// <summary>What happens to a reasoning model's thinking: from a "&lt;think&gt;" at the response's beginning to the
    /// first "&lt;/think&gt;".</summary>
    public enum Thinking
    {
        /// <summary>Responses do not think.</summary>
        None,
        /// <summary>It is judged like the rest.</summary>
        Judge,
        /// <summary>It does not count; without an answer behind it nothing was judged.</summary>
        Skip
    }

    /// <summary>How matrices are stored in a packed file.</summary>
    public enum PackedWeights
    {
        /// <summary>No loss for the published checkpoints.</summary>
        Bf16,
        /// <summary>8 bits and a scale per group: about half the size.</summary>
        Int8,
        /// <summary>4 bits and a scale per group of 32: about a third.</summary>
        Int4
    }

    /// <summary>The names that the models and the log use; "unknown" for numbers that have none.</summary>
    public static unsafe class Names
    {
        /// <summary>E.g. "Unsafe".</summary>
        public static string Of(Severity value) => Call.Text(NativeMethods.q3g_severity_name((int)value));
        /// <summary>E.g. "Sexual Content or Sexual Acts".</summary>
        public static string Of(Category value) => Call.Text(NativeMethods.q3g_category_name((int)value));
        /// <summary>E.g. "block".</summary>
        public static string Of(GuardAction value) => Call.Text(NativeMethods.q3g_action_name((int)value));
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
