// SPDX-License-Identifier: Apache-2.0
using System;
using System.Runtime.InteropServices;
using System.Text;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Why a call failed.</summary>
    public enum Status
    {
        Ok = NativeMethods.Q3G_OK,
        InvalidArgument = NativeMethods.Q3G_E_INVALID_ARGUMENT,
        FileNotFound = NativeMethods.Q3G_E_FILE_NOT_FOUND,
        Io = NativeMethods.Q3G_E_IO,
        BadCheckpoint = NativeMethods.Q3G_E_BAD_CHECKPOINT,
        BadTokenizer = NativeMethods.Q3G_E_BAD_TOKENIZER,
        UnsupportedModel = NativeMethods.Q3G_E_UNSUPPORTED_MODEL,
        UnsupportedIsa = NativeMethods.Q3G_E_UNSUPPORTED_ISA,
        InvalidUtf8 = NativeMethods.Q3G_E_INVALID_UTF8,
        TokenRange = NativeMethods.Q3G_E_TOKEN_RANGE,
        ContextFull = NativeMethods.Q3G_E_CONTEXT_FULL,
        UnparsableOutput = NativeMethods.Q3G_E_UNPARSABLE_OUTPUT,
        OutOfMemory = NativeMethods.Q3G_E_OUT_OF_MEMORY,
        Internal = NativeMethods.Q3G_E_INTERNAL,
        Cancelled = NativeMethods.Q3G_E_CANCELLED,
        BudgetExceeded = NativeMethods.Q3G_E_BUDGET_EXCEEDED,
        BufferTooSmall = NativeMethods.Q3G_E_BUFFER_TOO_SMALL,
        BadHandle = NativeMethods.Q3G_E_BAD_HANDLE,
    }

    /// <summary>A call failed. The message says what was wrong, where and what was expected.</summary>
    public sealed class Qwen3GuardException : Exception
    {
        public Status Status { get; }

        public Qwen3GuardException(Status status, string message) : base(message)
        {
            Status = status;
        }
    }

    /// <summary>Owns a handle of the library.</summary>
    internal abstract class Q3gHandle : SafeHandle
    {
        protected Q3gHandle(IntPtr handle) : base(IntPtr.Zero, true)
        {
            SetHandle(handle);
        }

        public override bool IsInvalid => handle == IntPtr.Zero;
    }

    /// <summary>What every class over a handle shares.</summary>
    internal static unsafe class Call
    {
        public static q3g_error Slot()
        {
            var error = new q3g_error();
            error.struct_size = (uint)sizeof(q3g_error);
            return error;
        }

        public static void Check(int status, q3g_error* error)
        {
            if (status != NativeMethods.Q3G_OK) throw Failure(status, error);
        }

        public static Qwen3GuardException Failure(int status, q3g_error* error)
        {
            return new Qwen3GuardException((Status)status, Text(error->message));
        }

        /// <summary>Text that ends with a NUL.</summary>
        public static string Text(byte* text)
        {
            if (text == null) return "";
            int n = 0;
            while (text[n] != 0) ++n;
            return Text(text, n);
        }

        public static string Text(byte* text, int nBytes)
        {
            return nBytes == 0 ? "" : Encoding.UTF8.GetString(text, nBytes);
        }

        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>UTF-8; a string with lone surrogates has none.</summary>
        public static byte[] Utf8(string text)
        {
            if (text == null) throw new ArgumentNullException(nameof(text));
            try
            {
                return Strict.GetBytes(text);
            }
            catch (EncoderFallbackException e)
            {
                throw new Qwen3GuardException(Status.InvalidUtf8,
                    "a lone surrogate at index " + e.Index + "; expected text that UTF-8 can hold");
            }
        }

        public static UIntPtr Size(int n) => (UIntPtr)(uint)n;

        public static int Bool(bool value) => value ? 1 : 0;

        /// <summary>Text of unknown size: asked for again when the buffer was too small.</summary>
        public delegate int ReadText(byte* text, UIntPtr capacity, UIntPtr* n, q3g_error* error);

        public static string Read(ReadText read)
        {
            var error = Slot();
            UIntPtr n;
            int capacity = 256;
            byte* small = stackalloc byte[capacity];
            int status = read(small, Size(capacity), &n, &error);
            if (status == NativeMethods.Q3G_OK) return Text(small, (int)n);
            while (status == NativeMethods.Q3G_E_BUFFER_TOO_SMALL)
            {
                var large = new byte[(int)n];
                fixed (byte* p = large)
                {
                    status = read(p, Size(large.Length), &n, &error);
                    if (status == NativeMethods.Q3G_OK) return Text(p, (int)n);
                }
            }
            throw Failure(status, &error);
        }
    }
}
