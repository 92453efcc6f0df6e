// SPDX-License-Identifier: Apache-2.0
using System.Collections.Generic;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>What the policy made of a turn so far. Immutable.</summary>
    public sealed unsafe class Decision
    {
        private q3g_decision raw;

        /// <summary>One about nothing: NotJudged, and not complete.</summary>
        public Decision() : this(Place()) { }

        internal Decision(q3g_decision raw)
        {
            this.raw = raw;
        }

        internal static q3g_decision Place()
        {
            var raw = q3g_decision.New();
            raw.position = raw.rule_category = raw.rule_phrase = raw.rule_position = -1;
            return raw;
        }

        /// <summary>How bad the turn is; Safe only when IsComplete.</summary>
        public Severity Severity => (Severity)raw.severity;
        /// <summary>Token index in the conversation where it fell; null when no token decided.</summary>
        public int? Position => raw.position < 0 ? (int?)null : raw.position;
        /// <summary>What made it fall.</summary>
        public Reason Reason => (Reason)raw.reason;
        /// <summary>Tokens of the run up to where it fell, that token included.</summary>
        public int RunTokens => raw.n_run_tokens;
        /// <summary>What to do now: the ruling's action, or Allow when the policy has released it.</summary>
        public GuardAction Action => (GuardAction)raw.action;
        /// <summary>The strictest of the turn.</summary>
        public Ruling Ruling
        {
            get
            {
                fixed (q3g_decision* p = &raw) return Ruling.Of(p);
            }
        }
        /// <summary>A token decided, and no text that follows can change it. False: there is none, or the text that follows may
        /// change that token, and take the decision back ("sex" may become "sexton").</summary>
        public bool IsSettled => raw.is_settled != 0;
        /// <summary>Every byte of the turn so far was judged, and there is one at least.</summary>
        public bool IsComplete => raw.is_complete != 0;
        /// <summary>The bytes of the turn's text from here to UnjudgedEnd were not judged.</summary>
        public long UnjudgedBegin => raw.unjudged_begin;
        /// <summary>Equal to UnjudgedBegin when it is complete, or there is no text.</summary>
        public long UnjudgedEnd => raw.unjudged_end;
        /// <summary>Where the run begins in the turn's text, in bytes: what to take back starts here.</summary>
        public long RunByteBegin => raw.run_byte_begin;
        /// <summary>The verdict on the token where it fell, without its Action; null when no token decided.</summary>
        public TokenVerdict Token
        {
            get
            {
                if (raw.has_token == 0) return null;
                fixed (q3g_decision* p = &raw)
                {
                    return new TokenVerdict
                    {
                        Severity = (Severity)p->token_severity,
                        Probabilities = new Probabilities(p->p_safe, p->p_controversial, p->p_unsafe),
                        Category = (Category)p->category,
                        CategoryProbabilities = TokenVerdict.Floats(p->category_probabilities), Position = p->position,
                        Id = p->token_id, Source = (Source)p->source, IsSettled = p->is_settled != 0,
                        ByteBegin = p->byte_begin, ByteEnd = p->byte_end,
                    };
                }
            }
        }

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
        /// <summary>The new verdicts, the first one of which is number First of the turn.</summary>
        public IReadOnlyList<TokenVerdict> Tokens { get; internal set; } = new TokenVerdict[0];
        /// <summary>Verdicts before this index are final.</summary>
        public int Settled { get; internal set; }
        /// <summary>The context is full (ContextPolicy.Stop): the first byte that was not judged; else null.</summary>
        public long? StoppedAtByte { get; internal set; }
    }

    /// <summary>What a turn came to.</summary>
    public sealed class Turn
    {
        /// <summary>Whose turn it was.</summary>
        public Role Role { get; internal set; }
        /// <summary>The policy's decision over it.</summary>
        public Decision Decision { get; internal set; } = new Decision();
        /// <summary>Of a user's turn; else null.</summary>
        public TokenVerdict Prompt { get; internal set; }
        /// <summary>By a Gen checkpoint; else null.</summary>
        public Verdict Written { get; internal set; }
    }

    /// <summary>A place in a conversation, for GuardStream.Rewind; default: its beginning.</summary>
    public struct Mark
    {
        internal ulong Turn;
        internal long Units;
        internal int IsClosed;
    }
}
