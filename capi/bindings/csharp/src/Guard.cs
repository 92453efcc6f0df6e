// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Marks functions that native code calls, for ahead-of-time compilers (Unity's IL2CPP looks for the name).</summary>
    [AttributeUsage(AttributeTargets.Method)]
    internal sealed class MonoPInvokeCallbackAttribute : Attribute
    {
        public MonoPInvokeCallbackAttribute(Type type) { }
    }

    /// <summary>A managed function behind a native one. What it throws stops the call, and is thrown again behind it.</summary>
    internal sealed unsafe class Callback : IDisposable
    {
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate int ProgressFunction(IntPtr user, long done, long total);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void LogFunction(IntPtr user, int level, byte* line, UIntPtr n);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void VisitFunction(IntPtr user, IntPtr stream);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate void ReleaseFunction(IntPtr user);

        // Static, so that they are never collected while native code knows them.
        private static readonly ProgressFunction progressFunction = OnProgress;
        private static readonly LogFunction logFunction = OnLog;
        private static readonly VisitFunction visitFunction = OnVisit;
        private static readonly ReleaseFunction releaseFunction = OnRelease;
        public static readonly IntPtr ProgressPointer = Marshal.GetFunctionPointerForDelegate(progressFunction);
        public static readonly IntPtr LogPointer = Marshal.GetFunctionPointerForDelegate(logFunction);
        public static readonly IntPtr VisitPointer = Marshal.GetFunctionPointerForDelegate(visitFunction);
        public static readonly IntPtr ReleasePointer = Marshal.GetFunctionPointerForDelegate(releaseFunction);

        private readonly GCHandle self;
        private ExceptionDispatchInfo thrown;
        public Func<long, long, bool> Progress;
        public Action<int, string> Log;
        public Action<IntPtr> Visit;

        public Callback()
        {
            self = GCHandle.Alloc(this);
        }

        public IntPtr User => GCHandle.ToIntPtr(self);

        public void Dispose() => self.Free();

        public void Rethrow() => thrown?.Throw();

        private bool Run(Action body)
        {
            if (thrown != null) return false;
            try
            {
                body();
                return true;
            }
            catch (Exception e)
            {
                thrown = ExceptionDispatchInfo.Capture(e);
                return false;
            }
        }

        private static Callback Of(IntPtr user) => (Callback)GCHandle.FromIntPtr(user).Target;

        [MonoPInvokeCallback(typeof(ProgressFunction))]
        private static int OnProgress(IntPtr user, long done, long total)
        {
            var callback = Of(user);
            bool goOn = false;
            return callback.Run(() => goOn = callback.Progress(done, total)) && goOn ? 0 : 1;
        }

        [MonoPInvokeCallback(typeof(LogFunction))]
        private static void OnLog(IntPtr user, int level, byte* line, UIntPtr n)
        {
            var callback = Of(user);
            string text = Call.Text(line, (int)n);
            callback.Run(() => callback.Log(level, text));
        }

        [MonoPInvokeCallback(typeof(VisitFunction))]
        private static void OnVisit(IntPtr user, IntPtr stream)
        {
            var callback = Of(user);
            callback.Run(() => callback.Visit(stream));
        }

        [MonoPInvokeCallback(typeof(ReleaseFunction))]
        private static void OnRelease(IntPtr user) => Marshal.FreeHGlobal(user);
    }

    /// <summary>A native flag that stops running calls while a token is cancelled. For one call at a time.</summary>
    internal sealed unsafe class CancelScope : IDisposable
    {
        private readonly CancelHandle handle;
        private CancellationTokenRegistration registration;

        /// <summary>Null when the token can never be cancelled.</summary>
        public static CancelScope For(CancellationToken token)
        {
            token.ThrowIfCancellationRequested();
            return token.CanBeCanceled ? new CancelScope(token, New()) : null;
        }

        public static CancelHandle New()
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_cancel_new(&raw, &error), &error);
            return new CancelHandle(raw);
        }

        private CancelScope(CancellationToken token, CancelHandle handle)
        {
            this.handle = handle;
            registration = token.Register(() => NativeMethods.q3g_cancel_set(handle));
        }

        public IntPtr Raw => handle.DangerousGetHandle();

        public void Dispose()
        {
            registration.Dispose();
            handle.Dispose();
        }

        /// <summary>Throws what a status means, for a call that a token may have stopped.</summary>
        public static void Check(CancellationToken token, int status, q3g_error* error)
        {
            if (status == NativeMethods.Q3G_E_CANCELLED) token.ThrowIfCancellationRequested();
            Call.Check(status, error);
        }
    }

    /// <summary>How a model is loaded.</summary>
    public sealed class GuardOptions
    {
        /// <summary>Threads of one call; 0: all cores.</summary>
        public int Threads;
        /// <summary>0: the checkpoint's own limit.</summary>
        public int MaxContextTokens;
        /// <summary>Gen: tokens of the last conversations that are kept; null: the default.</summary>
        public int? KeptTokens;
        /// <summary>A model without tokenizer files loads, for logits only.</summary>
        public bool WithoutTokenizer;
        /// <summary>Instruction set; empty: the best there is.</summary>
        public string Isa = "";
        /// <summary>Told (level, line) what was loaded and how.</summary>
        public Action<int, string> Log;
    }

    /// <summary>How a verdict is reached. Thresholds are in [0, 1].</summary>
    public sealed class ClassifyOptions
    {
        /// <summary>The published way: generate, then parse; Gen only.</summary>
        public bool Greedy;
        public Mode Mode;
        public InvalidUtf8 InvalidUtf8;
        public float? FlagThreshold;
        public float? BlockThreshold;
        /// <summary>Of ClassifyBatch, in conversations (done, total); false stops.</summary>
        public Func<long, long, bool> Progress;

        internal static unsafe q3g_classify_options ToC(ClassifyOptions options)
        {
            q3g_classify_options raw;
            NativeMethods.q3g_classify_options_init(&raw, Call.Size(sizeof(q3g_classify_options)));
            if (options == null) return raw;
            raw.decoder = Call.Bool(options.Greedy);
            raw.mode = (int)options.Mode;
            raw.invalid_utf8 = (int)options.InvalidUtf8;
            raw.flag_threshold = options.FlagThreshold ?? -1;
            raw.block_threshold = options.BlockThreshold ?? -1;
            return raw;
        }
    }

    /// <summary>What a model is.</summary>
    public sealed class ModelInfo
    {
        public ModelKind Kind { get; internal set; }
        public string Architecture { get; internal set; }
        public string WeightDtype { get; internal set; }
        public string Isa { get; internal set; }
        public string[] IsaAvailable { get; internal set; }
        public int HiddenSize { get; internal set; }
        public int Layers { get; internal set; }
        public int Heads { get; internal set; }
        public int KvHeads { get; internal set; }
        public int HeadDim { get; internal set; }
        public int IntermediateSize { get; internal set; }
        public int VocabSize { get; internal set; }
        public int MaxContextTokens { get; internal set; }
        public bool TiedEmbeddings { get; internal set; }
        public int Threads { get; internal set; }
        public long Parameters { get; internal set; }
        public long WeightBytes { get; internal set; }
        public long KvBytesPerToken { get; internal set; }
    }

    /// <summary>One head's logits, row-major.</summary>
    public sealed class HeadLogits
    {
        public string Name { get; internal set; }
        public int Rows { get; internal set; }
        public int Cols { get; internal set; }
        public float[] Values { get; internal set; }
    }

    /// <summary>The verdict, or the error, of one conversation.</summary>
    public struct BatchVerdict
    {
        public Verdict Verdict;
        public Qwen3GuardException Error;
    }
}
