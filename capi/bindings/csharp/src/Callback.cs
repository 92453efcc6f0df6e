// SPDX-License-Identifier: Apache-2.0
using System;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Marks functions that native code calls, for ahead-of-time compilers (Unity's IL2CPP looks for the
    /// name).</summary>
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
            callback.Run(() => callback.Log(level, Call.Text(line, Call.Int(n))));
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
}
