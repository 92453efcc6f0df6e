// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Judgement of the last message of a conversation. What a policy decides by can be stored, made again and given to
    /// Policy.DecideVerdict. A new one is not judged.</summary>
    public sealed class Verdict
    {
        /// <summary>The model's; no policy changes it.</summary>
        public Severity Severity { get; set; }
        /// <summary>The policy's.</summary>
        public Ruling Ruling { get; } = new Ruling();
        /// <summary>What a host should do: the ruling's.</summary>
        public GuardAction Action => Ruling.Action;
        /// <summary>Whose message it was.</summary>
        public Role Role { get; set; } = Role.User;
        /// <summary>Of the severities, at the token that Position names.</summary>
        public Probabilities Probabilities { get; set; }
        /// <summary>Stream checkpoints: index in the conversation of the token whose probabilities and category these are; null
        /// for Gen.</summary>
        public int? Position { get; set; }
        /// <summary>With probabilities, most relevant first; empty when Safe.</summary>
        public IReadOnlyList<KeyValuePair<Category, float>> Categories { get; set; }
        /// <summary>The response refuses; null unless Gen judged a response.</summary>
        public bool? Refusal { get; }
        /// <summary>Of a refusal.</summary>
        public float RefusalProbability { get; }
        /// <summary>Tokens that were read.</summary>
        public int PromptTokens { get; }
        /// <summary>Of these, tokens that were not computed again.</summary>
        public int CachedTokens { get; }
        /// <summary>Tokens that were written.</summary>
        public int GeneratedTokens { get; }
        /// <summary>From the start of the call, in milliseconds.</summary>
        public double LatencyMs { get; }
        /// <summary>As the model wrote it; empty for a Stream checkpoint.</summary>
        public string Text { get; }
        /// <summary>Gen: indices of the messages (of a stream: turns) that the template left out, so that nothing of them was
        /// seen: an assistant's that came first, a system's that did not, a tool's. The first 31 of
        /// DroppedMessageCount.</summary>
        public IReadOnlyList<int> DroppedMessages { get; }
        /// <summary>How many the template left out.</summary>
        public int DroppedMessageCount { get; }
        /// <summary>The message did not fit, and this part of it was the worst; else null.</summary>
        public Window? Window { get; }
        /// <summary>The folded copy was the worse one.</summary>
        public bool IsOfFoldedCopy { get; }

        /// <summary>One that says nothing: NotJudged, and no action.</summary>
        public Verdict()
        {
            Categories = new KeyValuePair<Category, float>[0];
            DroppedMessages = new int[0];
            Text = "";
        }

        internal unsafe Verdict(q3g_verdict* raw)
        {
            Severity = (Severity)raw->severity;
            Ruling = Ruling.Of(raw);
            Role = (Role)raw->role;
            Probabilities = new Probabilities(raw->p_safe, raw->p_controversial, raw->p_unsafe);
            if (raw->position >= 0) Position = raw->position;
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
            DroppedMessageCount = raw->n_dropped_messages;
            var dropped = new int[Math.Min(raw->n_dropped_messages, NativeMethods.Q3G_DROPPED_MESSAGES_SHOWN)];
            for (int i = 0; i < dropped.Length; ++i) dropped[i] = raw->dropped_messages[i];
            DroppedMessages = dropped;
            if (raw->n_windows != 0)
            {
                Window = new Window
                {
                    Index = raw->window_index, Count = raw->n_windows, ByteBegin = raw->window_byte_begin,
                    ByteEnd = raw->window_byte_end,
                };
            }
            IsOfFoldedCopy = raw->is_of_folded_copy != 0;
            if (raw->text_bytes.ToUInt64() > raw->text_capacity.ToUInt64())
            {
                throw new Qwen3GuardException(Status.Internal, "a verdict's text is longer than any that the decoder writes");
            }
            Text = Call.Text(raw->text, Call.Int(raw->text_bytes));
        }

        /// <summary>What a policy decides by.</summary>
        internal unsafe void ToC(q3g_verdict* raw)
        {
            int n = Call.Need(Categories, nameof(Categories)).Count;
            if (n > NativeMethods.Q3G_CATEGORY_COUNT)
            {
                throw Call.InvalidArgument("Categories has {0} elements; expected at most {1}", n,
                    NativeMethods.Q3G_CATEGORY_COUNT);
            }
            *raw = Place(null, 0);
            raw->role = (int)Role;
            raw->severity = (int)Severity;
            raw->p_safe = Probabilities.Safe;
            raw->p_controversial = Probabilities.Controversial;
            raw->p_unsafe = Probabilities.Unsafe;
            raw->position = Position ?? -1;
            raw->n_categories = n;
            for (int i = 0; i < n; ++i)
            {
                raw->categories[i] = (int)Categories[i].Key;
                raw->category_probabilities[i] = Categories[i].Value;
            }
            raw->rule_category = raw->rule_phrase = raw->rule_position = -1;
        }

        /// <summary>Enough unless decoding is greedy; only Guard's calls can be that, and they look.</summary>
        internal const int TextBytes = 256;

        internal static unsafe q3g_verdict Place(byte* text, int capacity)
        {
            var raw = q3g_verdict.New();
            raw.text = text;
            raw.text_capacity = Call.Size(capacity);
            return raw;
        }
    }

    /// <summary>Judgement of one token. Those that a stream gives can be stored, made again and given to a Policy. A new one is
    /// not judged.</summary>
    public sealed class TokenVerdict
    {
        /// <summary>The most probable one, of two the worse; NotJudged when Source is None, or a Safe verdict is
        /// Carried.</summary>
        public Severity Severity { get; set; }
        /// <summary>Of the severities.</summary>
        public Probabilities Probabilities { get; set; }
        /// <summary>The most probable one; meaningful unless Safe.</summary>
        public Category Category { get; set; }
        /// <summary>By category; as many as there are categories.</summary>
        public float[] CategoryProbabilities { get; set; } = new float[NativeMethods.Q3G_CATEGORY_COUNT];
        /// <summary>Token index in the conversation, from 0, template included.</summary>
        public int Position { get; set; }
        /// <summary>The token; -1 where a Gen verdict is on no token.</summary>
        public int Id { get; set; } = -1;
        /// <summary>Where it comes from.</summary>
        public Source Source { get; set; }
        /// <summary>What the policy does from this token on.</summary>
        public GuardAction Action { get; set; }
        /// <summary>False inside thinking that is skipped.</summary>
        public bool Counts { get; set; } = true;
        /// <summary>No text that follows can change the token; when false, the verdict is provisional.</summary>
        public bool IsSettled { get; set; }
        /// <summary>Where it begins in the turn's text, in bytes of UTF-8.</summary>
        public long ByteBegin { get; set; }
        /// <summary>Where it ends.</summary>
        public long ByteEnd { get; set; }

        internal static unsafe TokenVerdict Of(q3g_token_verdict* raw)
        {
            return new TokenVerdict
            {
                Severity = (Severity)raw->severity,
                Probabilities = new Probabilities(raw->p_safe, raw->p_controversial, raw->p_unsafe),
                Category = (Category)raw->category, CategoryProbabilities = Floats(raw->category_probabilities),
                Position = raw->position, Id = raw->id, Source = (Source)raw->source, Action = (GuardAction)raw->action,
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
            if (CategoryProbabilities?.Length != NativeMethods.Q3G_CATEGORY_COUNT)
            {
                throw Call.InvalidArgument("CategoryProbabilities has {0} elements; expected {1}",
                    CategoryProbabilities?.Length ?? 0, NativeMethods.Q3G_CATEGORY_COUNT);
            }
            *raw = Place();
            raw->severity = (int)Severity;
            raw->p_safe = Probabilities.Safe;
            raw->p_controversial = Probabilities.Controversial;
            raw->p_unsafe = Probabilities.Unsafe;
            raw->category = (int)Category;
            for (int i = 0; i < CategoryProbabilities.Length; ++i) raw->category_probabilities[i] = CategoryProbabilities[i];
            raw->position = Position;
            raw->id = Id;
            raw->source = (int)Source;
            raw->action = (int)Action;
            raw->counts = Call.Bool(Counts);
            raw->is_settled = Call.Bool(IsSettled);
            raw->byte_begin = ByteBegin;
            raw->byte_end = ByteEnd;
        }

        internal static unsafe q3g_token_verdict Place()
        {
            var raw = q3g_token_verdict.New();
            return raw;
        }

        internal static q3g_token_verdict[] Room(int n)
        {
            var room = new q3g_token_verdict[n];
            if (n > 0) room[0] = Place();
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
}
