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

        public void Dispose() => handle.Dispose();

        /// <summary>Reads tokenizer.json, or a folder with it or with vocab.json and merges.txt.</summary>
        public static Tokenizer Load(string path)
        {
            var data = Call.Utf8(path);
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
            int capacity = 3 * text.Length; // always enough
            var error = Call.Slot();
            UIntPtr n;
            if (capacity <= 256)
            {
                int* small = stackalloc int[256];
                fixed (byte* p = text)
                {
                    Call.Check(NativeMethods.q3g_tokenizer_encode(handle, p, Call.Size(text.Length), Call.Bool(recognizeSpecial),
                        small, Call.Size(256), &n, &error), &error);
                }
                var found = new int[(int)n];
                Marshal.Copy((IntPtr)small, found, 0, found.Length);
                return found;
            }
            var ids = new int[capacity];
            fixed (byte* p = text)
            fixed (int* q = ids)
            {
                Call.Check(NativeMethods.q3g_tokenizer_encode(handle, p, Call.Size(text.Length), Call.Bool(recognizeSpecial), q,
                    Call.Size(capacity), &n, &error), &error);
            }
            Array.Resize(ref ids, (int)n);
            return ids;
        }

        /// <summary>Text of tokens; ill-formed UTF-8 becomes U+FFFD.</summary>
        public string Decode(int[] ids, bool skipSpecial = false)
        {
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
            Call.Check(NativeMethods.q3g_tokenizer_token_bytes(handle, id, &at, &n, &error), &error);
            var data = new byte[(int)n];
            if (data.Length > 0) Marshal.Copy((IntPtr)at, data, 0, data.Length);
            return data;
        }

        /// <summary>The regular token of exactly these bytes; null when there is none.</summary>
        public int? FindBytes(byte[] data)
        {
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

    /// <summary>Holds back the bytes of an unfinished character. One thread at a time.</summary>
    public sealed unsafe class StreamingDecoder : IDisposable
    {
        private readonly DecoderHandle handle;

        internal StreamingDecoder(DecoderHandle handle)
        {
            this.handle = handle;
        }

        public void Dispose() => handle.Dispose();

        /// <summary>Text that the token completes.</summary>
        public string Push(int id) =>
            Call.Read((text, capacity, n, error) => NativeMethods.q3g_decoder_push(handle, id, text, capacity, n, error));

        /// <summary>What was held back, as U+FFFD.</summary>
        public string Finish() =>
            Call.Read((text, capacity, n, error) => NativeMethods.q3g_decoder_finish(handle, text, capacity, n, error));
    }
}
