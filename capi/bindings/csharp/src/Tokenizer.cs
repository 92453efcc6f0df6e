// SPDX-License-Identifier: Apache-2.0
using System;
using System.Runtime.InteropServices;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Turns text into tokens. Immutable: any number of threads at once.</summary>
    public sealed unsafe class Tokenizer : IDisposable
    {
        private readonly TokenizerHandle handle;

        internal Tokenizer(TokenizerHandle handle)
        {
            this.handle = handle;
        }

        /// <summary>Frees the tokenizer; the guard that it is from, and decoders, live on.</summary>
        public void Dispose() => handle.Dispose();

        /// <summary>Reads tokenizer.json, or a folder with it or with vocab.json and merges.txt.</summary>
        public static Tokenizer Load(string path)
        {
            var data = Call.Utf8(path, nameof(path));
            IntPtr raw;
            var error = Call.Slot();
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_tokenizer_load(p, Call.Size(data.Length), &raw, &error), &error);
            return new Tokenizer(new TokenizerHandle(raw));
        }

        /// <summary>Tokens of a text. recognizeSpecial: control tokens count as such; not for content.</summary>
        public int[] Encode(string text, bool recognizeSpecial = false) => Encode(Call.Utf8(text), recognizeSpecial);

        /// <summary>Tokens of UTF-8.</summary>
        public int[] Encode(byte[] text, bool recognizeSpecial = false)
        {
            Call.Need(text, nameof(text));
            var error = Call.Slot();
            UIntPtr n;
            fixed (byte* p = text)
            {
                if (text.Length <= 256)
                {
                    int* small = stackalloc int[256];
                    int status = NativeMethods.q3g_tokenizer_encode(handle, p, Call.Size(text.Length),
                        Call.Bool(recognizeSpecial), small, Call.Size(256), &n, &error);
                    if (status != NativeMethods.Q3G_E_BUFFER_TOO_SMALL)
                    {
                        Call.Check(status, &error);
                        var found = new int[Call.Int(n)];
                        Marshal.Copy((IntPtr)small, found, 0, found.Length);
                        return found;
                    }
                }
                // A text rarely has more tokens than bytes; how many there are is told then.
                for (int capacity = text.Length;; capacity = Call.Int(n))
                {
                    var ids = new int[capacity];
                    fixed (int* q = ids)
                    {
                        int status = NativeMethods.q3g_tokenizer_encode(handle, p, Call.Size(text.Length),
                            Call.Bool(recognizeSpecial), q, Call.Size(capacity), &n, &error);
                        if (status == NativeMethods.Q3G_E_BUFFER_TOO_SMALL) continue;
                        Call.Check(status, &error);
                    }
                    Array.Resize(ref ids, Call.Int(n));
                    return ids;
                }
            }
        }

        /// <summary>Text of tokens; ill-formed UTF-8 becomes U+FFFD. skipSpecial: without control tokens.</summary>
        public string Decode(int[] ids, bool skipSpecial = false)
        {
            Call.Need(ids, nameof(ids));
            return Call.Read((text, capacity, n, error) =>
            {
                fixed (int* p = ids)
                {
                    return NativeMethods.q3g_tokenizer_decode(handle, p, Call.Size(ids.Length), Call.Bool(skipSpecial), text,
                        capacity, n, error);
                }
            });
        }

        /// <summary>A token's bytes, which may be a part of a character.</summary>
        public byte[] TokenBytes(int id)
        {
            byte* at;
            UIntPtr n;
            var error = Call.Slot();
            bool isHeld = false;
            try
            {
                handle.DangerousAddRef(ref isHeld); // the bytes are the tokenizer's, and live as long
                Call.Check(NativeMethods.q3g_tokenizer_token_bytes(handle, id, &at, &n, &error), &error);
                var data = new byte[Call.Int(n)];
                if (data.Length > 0) Marshal.Copy((IntPtr)at, data, 0, data.Length);
                return data;
            }
            finally
            {
                if (isHeld) handle.DangerousRelease();
            }
        }

        /// <summary>The regular token of exactly these bytes; null when there is none.</summary>
        public int? FindBytes(byte[] data)
        {
            Call.Need(data, nameof(data));
            int id;
            var error = Call.Slot();
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_tokenizer_find_bytes(handle, p, Call.Size(data.Length), &id, &error), &error);
            return id < 0 ? (int?)null : id;
        }

        /// <summary>The added token of a text, e.g. "&lt;|im_end|&gt;"; null when there is none.</summary>
        public int? FindAdded(string text)
        {
            var data = Call.Utf8(text);
            int id;
            var error = Call.Slot();
            fixed (byte* p = data)
                Call.Check(NativeMethods.q3g_tokenizer_find_added(handle, p, Call.Size(data.Length), &id, &error), &error);
            return id < 0 ? (int?)null : id;
        }

        /// <summary>True for control tokens.</summary>
        public bool IsSpecial(int id)
        {
            int value;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_tokenizer_is_special(handle, id, &value, &error), &error);
            return value != 0;
        }

        /// <summary>One more than the largest id.</summary>
        public int VocabSize
        {
            get
            {
                int n;
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_tokenizer_vocab_size(handle, &n, &error), &error);
                return n;
            }
        }

        /// <summary>Decodes tokens one by one into whole characters.</summary>
        public StreamingDecoder NewDecoder(bool skipSpecial = false)
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_decoder_new(handle, Call.Bool(skipSpecial), &raw, &error), &error);
            return new StreamingDecoder(new DecoderHandle(raw));
        }
    }

    /// <summary>Holds back the bytes of an unfinished character. One thread at a time: a second one gets an
    /// InvalidOperationException.</summary>
    public sealed unsafe class StreamingDecoder : IDisposable
    {
        private readonly DecoderHandle handle;

        internal StreamingDecoder(DecoderHandle handle)
        {
            this.handle = handle;
        }

        /// <summary>Frees the decoder.</summary>
        public void Dispose() => handle.Dispose();

        /// <summary>Text that the token completes; may be empty.</summary>
        public string Push(int id)
        {
            using (handle.Enter())
            {
                return Call.Read((text, capacity, n, error) =>
                    NativeMethods.q3g_decoder_push(handle, id, text, capacity, n, error));
            }
        }

        /// <summary>What was held back, as U+FFFD; the decoder is then as new.</summary>
        public string Finish()
        {
            using (handle.Enter())
            {
                return Call.Read((text, capacity, n, error) =>
                    NativeMethods.q3g_decoder_finish(handle, text, capacity, n, error));
            }
        }
    }
}
