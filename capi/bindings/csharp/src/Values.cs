// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How bad a text is; ordered by harm.</summary>
    public enum Severity { Safe, Controversial, Unsafe }

    /// <summary>The policy's categories; Jailbreak is of prompts only.</summary>
    public enum Category
    {
        Violent, NonViolentIllegalActs, SexualContent, Pii, SuicideSelfHarm, UnethicalActs, PoliticallySensitive,
        CopyrightViolation, Jailbreak
    }

    /// <summary>What a host should do.</summary>
    public enum GuardAction { Allow, Flag, Block }

    /// <summary>Who speaks.</summary>
    public enum Role { System, User, Assistant }

    /// <summary>Where a token's verdict comes from; None is no Safe.</summary>
    public enum Source { None, Heads, Written, Carried }

    /// <summary>What made a decision fall.</summary>
    public enum Reason { None, Run, EndOfTurn, Written }

    /// <summary>The two kinds of checkpoint.</summary>
    public enum ModelKind { Gen, Stream }

    /// <summary>What Controversial counts as: unsafe (Strict) or safe (Loose).</summary>
    public enum Mode { Strict, Loose }

    /// <summary>What happens to text that is not UTF-8.</summary>
    public enum InvalidUtf8 { Reject, Replace }

    /// <summary>What happens when a response reaches the end of the context.</summary>
    public enum ContextPolicy { Error, Stop, Slide }

    /// <summary>What happens to a reasoning model's thinking.</summary>
    public enum Thinking { None, Judge, Skip }

    /// <summary>How matrices are stored in a packed file.</summary>
    public enum PackedWeights { Bf16, Int8, Int4 }

    /// <summary>The names that the models and the log use.</summary>
    public static unsafe class Names
    {
        public static string Of(Severity value) => Call.Text(NativeMethods.q3g_severity_name((int)value));
        public static string Of(Category value) => Call.Text(NativeMethods.q3g_category_name((int)value));
        public static string Of(GuardAction value) => Call.Text(NativeMethods.q3g_action_name((int)value));
        public static string Of(Role value) => Call.Text(NativeMethods.q3g_role_name((int)value));
        public static string Of(Source value) => Call.Text(NativeMethods.q3g_source_name((int)value));
        public static string Of(Reason value) => Call.Text(NativeMethods.q3g_reason_name((int)value));
        public static string Of(Status value) => Call.Text(NativeMethods.q3g_status_name((int)value));

        /// <summary>The severity of a name, e.g. "Unsafe".</summary>
        public static Severity ParseSeverity(string name)
        {
            var data = Call.Utf8(name);
            var error = Call.Slot();
            int value;
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_parse_severity(p, Call.Size(data.Length), &value, &error), &error);
            return (Severity)value;
        }

        /// <summary>The category of a name, e.g. "PII".</summary>
        public static Category ParseCategory(string name)
        {
            var data = Call.Utf8(name);
            var error = Call.Slot();
            int value;
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_parse_category(p, Call.Size(data.Length), &value, &error), &error);
            return (Category)value;
        }
    }

    /// <summary>Of the three severities; their sum is 1.</summary>
    public struct Probabilities
    {
        public float Safe, Controversial, Unsafe;

        internal static unsafe Probabilities Of(float* raw) =>
            new Probabilities { Safe = raw[0], Controversial = raw[1], Unsafe = raw[2] };

        internal unsafe void ToC(float* raw)
        {
            raw[0] = Safe;
            raw[1] = Controversial;
            raw[2] = Unsafe;
        }
    }

    /// <summary>One turn of a conversation, in UTF-8.</summary>
    public struct Message
    {
        public readonly Role Role;
        public readonly byte[] Utf8;

        public Message(Role role, string text) : this(role, Call.Utf8(text)) { }

        public Message(Role role, byte[] utf8)
        {
            Role = role;
            Utf8 = utf8 ?? throw new ArgumentNullException(nameof(utf8));
        }
    }

    /// <summary>Judgement of the last message of a conversation.</summary>
    public sealed class Verdict
    {
        public Severity Severity { get; }
        public GuardAction Action { get; }
        public Probabilities Probabilities { get; }
        /// <summary>With probabilities, most relevant first; empty when Safe.</summary>
        public IReadOnlyList<KeyValuePair<Category, float>> Categories { get; }
        /// <summary>Gen judging a response; else null.</summary>
        public bool? Refusal { get; }
        public float RefusalProbability { get; }
        public int PromptTokens { get; }
        public int CachedTokens { get; }
        public int GeneratedTokens { get; }
        public double LatencyMs { get; }
        /// <summary>As the model wrote it; Gen only.</summary>
        public string Text { get; }

        internal unsafe Verdict(q3g_verdict* raw)
        {
            Severity = (Severity)raw->severity;
            Action = (GuardAction)raw->action;
            Probabilities = Probabilities.Of(raw->probabilities);
            var categories = new KeyValuePair<Category, float>[Math.Min(raw->n_categories, NativeMethods.Q3G_CATEGORY_COUNT)];
            for (int i = 0; i < categories.Length; ++i)
            {
                categories[i] = new KeyValuePair<Category, float>((Category)raw->categories[i], raw->category_probabilities[i]);
            }
            Categories = categories;
            if (raw->has_refusal != 0) Refusal = raw->refusal != 0;
            RefusalProbability = raw->refusal_probability;
            PromptTokens = raw->prompt_tokens;
            CachedTokens = raw->cached_tokens;
            GeneratedTokens = raw->generated_tokens;
            LatencyMs = raw->latency_ms;
            bool fits = raw->text != null && (ulong)raw->text_bytes <= (ulong)raw->text_capacity;
            Text = fits ? Call.Text(raw->text, (int)raw->text_bytes) : "";
        }

        internal const int TextBytes = 1024;

        internal static unsafe q3g_verdict Place(byte* text)
        {
            var raw = new q3g_verdict();
            raw.struct_size = (uint)sizeof(q3g_verdict);
            raw.text = text;
            raw.text_capacity = Call.Size(TextBytes);
            return raw;
        }
    }

    /// <summary>Judgement of one token.</summary>
    public sealed class TokenVerdict
    {
        /// <summary>The most probable one.</summary>
        public Severity Severity { get; internal set; }
        public Probabilities Probabilities { get; internal set; }
        /// <summary>The most probable one; meaningful unless Safe.</summary>
        public Category Category { get; internal set; }
        /// <summary>By category.</summary>
        public float[] CategoryProbabilities { get; internal set; }
        /// <summary>Token index in the conversation.</summary>
        public int Position { get; internal set; }
        public int Id { get; internal set; }
        public Source Source { get; internal set; }
        public bool IsFlagged { get; internal set; }
        public bool Counts { get; internal set; }
        public bool IsSettled { get; internal set; }
        /// <summary>In the turn's text as UTF-8.</summary>
        public long ByteBegin { get; internal set; }
        public long ByteEnd { get; internal set; }

        internal static unsafe TokenVerdict Of(q3g_token_verdict* raw)
        {
            return new TokenVerdict
            {
                Severity = (Severity)raw->severity, Probabilities = Probabilities.Of(raw->probabilities),
                Category = (Category)raw->category, CategoryProbabilities = Floats(raw->category_probabilities),
                Position = raw->position, Id = raw->id, Source = (Source)raw->source, IsFlagged = raw->is_flagged != 0,
                Counts = raw->counts != 0, IsSettled = raw->is_settled != 0, ByteBegin = raw->byte_begin,
                ByteEnd = raw->byte_end,
            };
        }

        internal static unsafe float[] Floats(float* raw)
        {
            var values = new float[NativeMethods.Q3G_CATEGORY_COUNT];
            for (int i = 0; i < values.Length; ++i) values[i] = raw[i];
            return values;
        }

        internal unsafe void ToC(q3g_token_verdict* raw)
        {
            *raw = new q3g_token_verdict();
            raw->struct_size = (uint)sizeof(q3g_token_verdict);
            raw->severity = (int)Severity;
            Probabilities.ToC(raw->probabilities);
            raw->category = (int)Category;
            for (int i = 0; i < CategoryProbabilities.Length; ++i) raw->category_probabilities[i] = CategoryProbabilities[i];
            raw->position = Position;
            raw->id = Id;
            raw->source = (int)Source;
            raw->is_flagged = Call.Bool(IsFlagged);
            raw->counts = Call.Bool(Counts);
            raw->is_settled = Call.Bool(IsSettled);
            raw->byte_begin = ByteBegin;
            raw->byte_end = ByteEnd;
        }

        internal static unsafe q3g_token_verdict[] Room(int n)
        {
            var room = new q3g_token_verdict[n];
            if (n > 0) room[0].struct_size = (uint)sizeof(q3g_token_verdict);
            return room;
        }

        internal static unsafe TokenVerdict[] Of(q3g_token_verdict[] raw, int n)
        {
            var all = new TokenVerdict[n];
            fixed (q3g_token_verdict* p = raw)
            {
                for (int i = 0; i < n; ++i) all[i] = Of(p + i);
            }
            return all;
        }
    }

    /// <summary>What the policy made of a turn so far.</summary>
    public sealed unsafe class Decision
    {
        private q3g_decision raw;

        internal Decision(q3g_decision raw)
        {
            this.raw = raw;
        }

        internal static q3g_decision Place()
        {
            var raw = new q3g_decision();
            raw.struct_size = (uint)sizeof(q3g_decision);
            return raw;
        }

        public Severity Severity => (Severity)raw.severity;
        /// <summary>Token index in the conversation where it fell; null when Safe.</summary>
        public int? Position => raw.position < 0 ? (int?)null : raw.position;
        public Reason Reason => (Reason)raw.reason;
        public int RunTokens => raw.n_run_tokens;
        /// <summary>The policy's flag is up at the last token.</summary>
        public bool IsFlagged => raw.is_flagged != 0;
        /// <summary>False: part of the turn was not judged.</summary>
        public bool IsComplete => raw.is_complete != 0;
        /// <summary>Where the run begins in the turn's text: what to take back starts here.</summary>
        public long RunByteBegin => raw.run_byte_begin;
        /// <summary>Of the token where it fell; null when Safe.</summary>
        public Category? Category => raw.has_token == 0 ? (Category?)null : (Category)raw.category;

        /// <summary>One sentence for a person.</summary>
        public string Explain()
        {
            return Call.Read((text, capacity, n, error) =>
            {
                fixed (q3g_decision* p = &raw) return NativeMethods.q3g_decision_explain(p, text, capacity, n, error);
            });
        }
    }

    /// <summary>What a change did to the verdicts of the open turn.</summary>
    public sealed class Update
    {
        /// <summary>Verdicts before this index stand; Tokens take the place of all others.</summary>
        public int First { get; internal set; }
        public IReadOnlyList<TokenVerdict> Tokens { get; internal set; }
        /// <summary>Verdicts before this index are final.</summary>
        public int Settled { get; internal set; }
        /// <summary>The context is full: the first byte that was not judged.</summary>
        public long? StoppedAtByte { get; internal set; }
    }

    /// <summary>What a turn came to.</summary>
    public sealed class Turn
    {
        public Role Role { get; internal set; }
        public Decision Decision { get; internal set; }
        /// <summary>Of a user's turn; else null.</summary>
        public TokenVerdict Prompt { get; internal set; }
        /// <summary>By a Gen checkpoint; else null.</summary>
        public Verdict Written { get; internal set; }
    }

    /// <summary>A place in a conversation, for GuardStream.Rewind.</summary>
    public struct Mark
    {
        internal ulong Turn;
        internal long Units;
        internal int IsClosed;
    }
}
