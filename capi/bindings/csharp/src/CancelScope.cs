// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>A native flag that stops running calls while a token is cancelled.</summary>
    internal sealed unsafe class CancelScope : IDisposable
    {
        private static readonly CancelHandle NoFlag = new CancelHandle(IntPtr.Zero);

        private readonly CancelHandle handle;
        private readonly CancellationTokenRegistration registration;

        /// <summary>A flag for one call; null when the token can never be cancelled.</summary>
        public static CancelScope For(CancellationToken token)
        {
            token.ThrowIfCancellationRequested();
            return token.CanBeCanceled ? new CancelScope(token) : null;
        }

        public static CancelHandle New()
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_cancel_new(&raw, &error), &error);
            return new CancelHandle(raw);
        }

        private CancelScope(CancellationToken token)
        {
            handle = New();
            registration = token.Register(Set, handle);
        }

        /// <summary>The scope's flag; no flag for no scope.</summary>
        public static CancelHandle HandleOf(CancelScope scope) => scope != null ? scope.handle : NoFlag;

        /// <summary>Valid until the scope is disposed of, which nobody but the call's own thread does.</summary>
        public IntPtr Raw => handle.DangerousGetHandle();

        public void Dispose()
        {
            registration.Dispose();
            handle.Dispose();
        }

        // The object whose flag it is may be disposed of while it is in a call.
        private static void Set(object flag)
        {
            try
            {
                NativeMethods.q3g_cancel_set((CancelHandle)flag);
            }
            catch (ObjectDisposedException)
            {
            }
        }

        private static void Reset(CancelHandle flag)
        {
            try
            {
                NativeMethods.q3g_cancel_reset(flag);
            }
            catch (ObjectDisposedException)
            {
            }
        }

        /// <summary>Makes a call on an object that has a flag of its own (null: none), which the token raises
        /// meanwhile.</summary>
        public static void Run(CancelHandle flag, CancellationToken token, NativeCall call)
        {
            token.ThrowIfCancellationRequested();
            var error = Call.Slot();
            int status;
            if (token.CanBeCanceled && flag != null)
            {
                // Disposing of the registration waits for a callback that runs.
                using (token.Register(Set, flag)) status = call(&error);
                Reset(flag);
            }
            else
            {
                status = call(&error);
            }
            Check(token, status, &error);
        }

        /// <summary>Throws what a status means, for a call that a token may have stopped.</summary>
        public static void Check(CancellationToken token, int status, q3g_error* error)
        {
            if (status == NativeMethods.Q3G_E_CANCELLED) token.ThrowIfCancellationRequested();
            Call.Check(status, error);
        }
    }
}
