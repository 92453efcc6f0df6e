// SPDX-License-Identifier: Apache-2.0
using System;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Custom memory for large blocks: keys and values, scratch matrices, copies of weights. Native functions, since
    /// they are called often and from any thread: those of the host's own native code, or
    /// <c>Marshal.GetFunctionPointerForDelegate</c> of delegates that are kept alive.</summary>
    public sealed class NativeAllocator
    {
        /// <summary><c>void* allocate(void* user, size_t bytes, size_t alignment)</c>, in C's calling convention; NULL
        /// when there is no memory. The alignment is a power of 2.</summary>
        public IntPtr Allocate { get; }
        /// <summary><c>void deallocate(void* user, void* block, size_t bytes, size_t alignment)</c>: takes back what
        /// Allocate gave, with the same sizes.</summary>
        public IntPtr Deallocate { get; }
        /// <summary>Passed to all. It and the functions must live until Release.</summary>
        public IntPtr User { get; }
        /// <summary><c>void release(void* user)</c>: told once, when the guard and all that was made from it are freed, or
        /// loading failed. What is not disposed of is freed by the garbage collector, at any time. May be zero.</summary>
        public IntPtr Release { get; }

        /// <summary>Names the functions; the first two are needed.</summary>
        public NativeAllocator(IntPtr allocate, IntPtr deallocate, IntPtr user = default(IntPtr),
            IntPtr release = default(IntPtr))
        {
            Allocate = allocate;
            Deallocate = deallocate;
            User = user;
            Release = release;
        }
    }

    /// <summary>How a model is loaded.</summary>
    public sealed class GuardOptions
    {
        /// <summary>Threads of one call; 0: all cores.</summary>
        public int Threads;
        /// <summary>0: the checkpoint's own limit.</summary>
        public int MaxContextTokens;
        /// <summary>Gen: tokens of the last conversations that are kept; 0: none; null: the default.</summary>
        public int? KeptTokens;
        /// <summary>A model without tokenizer files loads, for logits only.</summary>
        public bool WithoutTokenizer;
        /// <summary>How much of the files is compared. A damaged one is Status.BadCheckpoint.</summary>
        public Verify Verify;
        /// <summary>A checkpoint whose own chat template is unknown is Status.UnsupportedModel.</summary>
        public bool RefuseUnknownTemplate;
        /// <summary>A ModelInfo.ChatTemplateFingerprint that counts as known; empty: none.</summary>
        public string KnownTemplate = "";
        /// <summary>Instruction set, one of ModelInfo.IsaAvailable; empty: the best there is.</summary>
        public string Isa = "";
        /// <summary>Told (level, line) what was loaded and how; level 1 is a warning. An exception is thrown again when
        /// loading is over.</summary>
        public Action<int, string> Log;
        /// <summary>Custom memory; null: the system's.</summary>
        public NativeAllocator Allocator;
    }

    /// <summary>How a verdict is reached, and what is done about it.</summary>
    public sealed class ClassifyOptions
    {
        /// <summary>The published way: generate, then parse; Gen only. A text that is no verdict is
        /// Status.UnparsableOutput.</summary>
        public bool Greedy;
        /// <summary>Null: the default one, which blocks what is Unsafe or Controversial.</summary>
        public Policy Policy;
        /// <summary>What becomes of the response's thinking.</summary>
        public Thinking Thinking;
        /// <summary>What happens to bytes that are not UTF-8.</summary>
        public InvalidUtf8 InvalidUtf8;
        /// <summary>What happens to a message that does not fit the context. Null: as the policy says.</summary>
        public LongText? LongText;
        /// <summary>Messages that the Gen template leaves out are an error; false: Verdict.DroppedMessages names them. Null: as the
        /// policy says.</summary>
        public bool? RejectDropped;
        /// <summary>Of ClassifyBatch, in conversations (done, total), on the calling thread; false stops. An exception stops
        /// too, and is thrown again.</summary>
        public Func<long, long, bool> Progress;

        // The room for a verdict's text at first; a longer text takes a second run.
        internal int TextBytes = Verdict.TextBytes;

        /// <summary>policy: of the options, which the caller keeps as long as the C struct.</summary>
        internal static unsafe q3g_classify_options ToC(ClassifyOptions options, PolicyScope policy)
        {
            var raw = q3g_classify_options.Defaults();
            if (options == null) return raw;
            raw.decoder = Call.Bool(options.Greedy);
            raw.thinking = (int)options.Thinking;
            raw.policy = policy.Raw;
            raw.invalid_utf8 = (int)options.InvalidUtf8;
            raw.long_text = (int?)options.LongText ?? NativeMethods.Q3G_FROM_POLICY;
            raw.dropped_messages = Call.Choice(options.RejectDropped);
            return raw;
        }
    }

    /// <summary>One head's logits.</summary>
    public sealed class HeadLogits
    {
        /// <summary>The head's name.</summary>
        public string Name { get; internal set; }
        /// <summary>Positions.</summary>
        public int Rows { get; internal set; }
        /// <summary>Classes of the head.</summary>
        public int Cols { get; internal set; }
        /// <summary>[Rows, Cols], row-major.</summary>
        public float[] Values { get; internal set; }
    }

    /// <summary>The verdict, or the error, of one conversation; the other one is null.</summary>
    public struct BatchVerdict
    {
        /// <summary>The verdict.</summary>
        public Verdict Verdict;
        /// <summary>Why there is none; Status.Cancelled when the call was stopped before this one was judged.</summary>
        public Qwen3GuardException Error;
        /// <summary>The verdict's; NotJudged when there is none.</summary>
        public Severity Severity => Verdict?.Severity ?? Severity.NotJudged;
        /// <summary>The verdict's; None when there is none.</summary>
        public GuardAction Action => Verdict?.Action ?? GuardAction.None;
    }
}
