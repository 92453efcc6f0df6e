// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Owns a handle of the library. Each native call that is given one keeps it from being freed until it
    /// returns, so that Dispose on another thread is safe at any time.</summary>
    internal abstract class Q3gHandle : SafeHandle
    {
        private int isEntered;

        protected Q3gHandle(IntPtr handle) : base(IntPtr.Zero, true)
        {
            SetHandle(handle);
        }

        public override bool IsInvalid => handle == IntPtr.Zero;

        /// <summary>Begins a call on an object for one thread at a time. Native code does not look, and two threads in it
        /// would spoil its memory: the second one gets an exception here.</summary>
        public Entered Enter()
        {
            if (Interlocked.CompareExchange(ref isEntered, 1, 0) != 0)
            {
                throw new InvalidOperationException("the object is in another call, or named twice in this one; expected one "
                    + "call at a time");
            }
            return new Entered(this);
        }

        /// <summary>A call that goes on until it is disposed of.</summary>
        public struct Entered : IDisposable
        {
            private readonly Q3gHandle handle;

            public Entered(Q3gHandle handle)
            {
                this.handle = handle;
            }

            public void Dispose() => Volatile.Write(ref handle.isEntered, 0);
        }
    }

    /// <summary>A call of the library that has an error slot.</summary>
    internal unsafe delegate int NativeCall(q3g_error* error);

    /// <summary>What every class over a handle shares.</summary>
    internal static unsafe class Call
    {
        public static q3g_error Slot()
        {
            var error = q3g_error.New();
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

        public static Qwen3GuardException InvalidArgument(string format, params object[] values)
        {
            return new Qwen3GuardException(Status.InvalidArgument, string.Format(CultureInfo.InvariantCulture, format, values));
        }

        /// <summary>The argument, which must not be null.</summary>
        public static T Need<T>(T argument, string name) where T : class
        {
            return argument ?? throw new ArgumentNullException(name);
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

        /// <summary>UTF-8. Lone surrogates, which have none, become three bytes each that are ill-formed: the library says
        /// what is to be done with them, as with bytes that a host hands over.</summary>
        public static byte[] Utf8(string text, string name = "text")
        {
            try
            {
                return Strict.GetBytes(Need(text, name));
            }
            catch (EncoderFallbackException)
            {
                return WithSurrogates(text);
            }
        }

        private static byte[] WithSurrogates(string text)
        {
            // U+FFFD has three bytes, too, which are then overwritten.
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            for (int i = 0, at = 0; i < text.Length; ++i)
            {
                char c = text[i];
                if (c < 0x80) ++at;
                else if (c < 0x800) at += 2;
                else if (!char.IsSurrogate(c)) at += 3;
                else if (i + 1 < text.Length && char.IsSurrogatePair(c, text[i + 1]))
                {
                    ++i;
                    at += 4;
                }
                else
                {
                    utf8[at++] = 0xED;
                    utf8[at++] = (byte)(0x80 | (c >> 6 & 0x3F));
                    utf8[at++] = (byte)(0x80 | (c & 0x3F));
                }
            }
            return utf8;
        }

        /// <summary>UTF-8 that ends with a NUL, for what C reads up to there.</summary>
        public static byte[] CString(string text, string name)
        {
            int at = Need(text, name).IndexOf('\0');
            if (at >= 0) throw InvalidArgument("{0} has a NUL at index {1}; expected text without", name, at);
            return Utf8(text + "\0", name);
        }

        public static UIntPtr Size(int n) => (UIntPtr)checked((uint)n);

        /// <summary>A size that must fit; what a number does that does not is otherwise another thing on each runtime.</summary>
        public static int Int(UIntPtr n) => checked((int)n.ToUInt64());

        public static int Bool(bool value) => value ? 1 : 0;

        /// <summary>What may be left to the policy.</summary>
        public static int Choice(bool? value) => value == null ? NativeMethods.Q3G_FROM_POLICY : Bool(value.Value);

        /// <summary>Text of unknown size: asked for again when the buffer was too small.</summary>
        public delegate int ReadText(byte* text, UIntPtr capacity, UIntPtr* n, q3g_error* error);

        public static string Read(ReadText read)
        {
            var error = Slot();
            UIntPtr n;
            int capacity = 256;
            byte* small = stackalloc byte[capacity];
            int status = read(small, Size(capacity), &n, &error);
            if (status == NativeMethods.Q3G_OK) return Text(small, Int(n));
            while (status == NativeMethods.Q3G_E_BUFFER_TOO_SMALL)
            {
                var large = new byte[Int(n)];
                fixed (byte* p = large)
                {
                    status = read(p, Size(large.Length), &n, &error);
                    if (status == NativeMethods.Q3G_OK) return Text(p, Int(n));
                }
            }
            throw Failure(status, &error);
        }
    }
}
