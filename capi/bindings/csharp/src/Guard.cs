// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>A loaded model. Immutable: any number of threads at once. What its calls throw is a Qwen3GuardException unless
    /// their text says otherwise.</summary>
    public sealed unsafe partial class Guard : IDisposable
    {
        internal readonly GuardHandle Handle;

        private Guard(GuardHandle handle)
        {
            Handle = handle;
        }

        /// <summary>Frees the model when nothing that was made from it is in use any more: that lives on.</summary>
        public void Dispose() => Handle.Dispose();

        /// <summary>Version of the C library in use.</summary>
        public static string Version => Call.Text(NativeMethods.q3g_version());

        /// <summary>Version of the C interface that the library in use was built with.</summary>
        public static int AbiVersion => (int)NativeMethods.q3g_abi_version();

        /// <summary>Names of the models in the library.</summary>
        public static IReadOnlyList<string> EmbeddedModels()
        {
            var names = new List<string>();
            for (;;)
            {
                byte* name = NativeMethods.q3g_embedded_model_name(Call.Size(names.Count));
                if (name == null) return names;
                names.Add(Call.Text(name));
            }
        }

        private delegate int Loader(q3g_guard_options* options, IntPtr* guard, q3g_error* error);

        private static Guard Load(GuardOptions options, Loader load)
        {
            options = options ?? new GuardOptions();
            var raw = q3g_guard_options.Defaults();
            raw.n_threads = options.Threads;
            raw.max_context_tokens = options.MaxContextTokens;
            raw.kept_tokens = options.KeptTokens ?? raw.kept_tokens;
            raw.require_tokenizer = Call.Bool(!options.WithoutTokenizer);
            raw.verify = (int)options.Verify;
            raw.unknown_template = Call.Bool(options.RefuseUnknownTemplate);
            var isa = Call.CString(options.Isa, nameof(options.Isa));
            var known = Call.CString(options.KnownTemplate, nameof(options.KnownTemplate));
            var allocator = new q3g_allocator();
            if (options.Allocator != null)
            {
                allocator.struct_size = (uint)sizeof(q3g_allocator);
                allocator.user = (void*)options.Allocator.User;
                allocator.allocate = options.Allocator.Allocate;
                allocator.deallocate = options.Allocator.Deallocate;
                allocator.release = options.Allocator.Release;
                raw.allocator = &allocator;
            }
            using (var callback = new Callback { Log = options.Log })
            {
                if (options.Log != null)
                {
                    raw.log = Callback.LogPointer;
                    raw.log_user = (void*)callback.User;
                }
                IntPtr guard = IntPtr.Zero;
                int status;
                var error = Call.Slot();
                fixed (byte* p = isa, knownTemplate = known)
                {
                    raw.isa = p;
                    raw.known_template = knownTemplate;
                    status = load(&raw, &guard, &error);
                }
                var handle = new GuardHandle(guard);
                try
                {
                    callback.Rethrow();
                    Call.Check(status, &error);
                    return new Guard(handle);
                }
                catch
                {
                    handle.Dispose();
                    throw;
                }
            }
        }

        /// <summary>Loads a checkpoint folder or a packed file.</summary>
        public static Guard Load(string path, GuardOptions options = null)
        {
            var data = Call.Utf8(path, nameof(path));
            return Load(options, (raw, guard, error) =>
            {
                fixed (byte* p = data)
                    return NativeMethods.q3g_guard_load(p, Call.Size(data.Length), raw, guard, error);
            });
        }

        /// <summary>Loads a model of the library.</summary>
        public static Guard Embedded(string name, GuardOptions options = null)
        {
            var data = Call.Utf8(name, nameof(name));
            return Load(options, (raw, guard, error) =>
            {
                fixed (byte* p = data)
                    return NativeMethods.q3g_guard_load_embedded(p, Call.Size(data.Length), raw, guard, error);
            });
        }

        /// <summary>Loads a packed model's bytes, of which a copy outside of managed memory is kept.</summary>
        public static Guard FromMemory(byte[] packed, GuardOptions options = null)
        {
            Call.Need(packed, nameof(packed));
            return FromMemory(new Dictionary<string, byte[]> { { "model.q3g", packed } }, options);
        }

        /// <summary>Loads a checkpoint's files by name, e.g. "config.json". As the other one.</summary>
        public static Guard FromMemory(IReadOnlyDictionary<string, byte[]> files, GuardOptions options = null)
        {
            const int alignment = 64; // what the kernels read without a copy
            var all = new List<KeyValuePair<byte[], byte[]>>(); // names and contents
            long size = 0;
            foreach (var file in Call.Need(files, nameof(files)))
            {
                var name = Call.CString(file.Key, "a file's name");
                all.Add(new KeyValuePair<byte[], byte[]>(name, Call.Need(file.Value, nameof(files) + "[\"" + file.Key + "\"]")));
                size += alignment + file.Value.Length + name.Length;
            }
            var raw = new q3g_file[all.Count];
            IntPtr block = Marshal.AllocHGlobal((IntPtr)(size + alignment));
            bool isTaken = false; // the library calls OnRelease, also when loading fails
            try
            {
                byte* at = (byte*)block;
                for (int i = 0; i < raw.Length; ++i)
                {
                    byte[] name = all[i].Key, bytes = all[i].Value;
                    at += (alignment - (long)at % alignment) % alignment;
                    raw[i].struct_size = (uint)sizeof(q3g_file);
                    raw[i].bytes = at;
                    raw[i].n_bytes = Call.Size(bytes.Length);
                    Marshal.Copy(bytes, 0, (IntPtr)at, bytes.Length);
                    at += bytes.Length;
                    raw[i].name = at;
                    Marshal.Copy(name, 0, (IntPtr)at, name.Length);
                    at += name.Length;
                }
                return Load(options, (o, guard, error) =>
                {
                    fixed (q3g_file* p = raw)
                    {
                        int status = NativeMethods.q3g_guard_load_memory(p, Call.Size(raw.Length), Callback.ReleasePointer,
                            (void*)block, o, guard, error);
                        isTaken = true;
                        return status;
                    }
                });
            }
            finally
            {
                if (!isTaken) Marshal.FreeHGlobal(block);
            }
        }

        /// <summary>What the model is.</summary>
        public ModelInfo Info
        {
            get
            {
                var raw = q3g_model_info.New();
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_guard_info(Handle, &raw, &error), &error);
                return ModelInfo.Of(&raw);
            }
        }

        /// <summary>The model's tokenizer, as an object of its own.</summary>
        public Tokenizer GetTokenizer()
        {
            IntPtr raw;
            var error = Call.Slot();
            Call.Check(NativeMethods.q3g_guard_tokenizer(Handle, &raw, &error), &error);
            return new Tokenizer(new TokenizerHandle(raw));
        }

        /// <summary>Raw logits of every head, of the last position only when lastOnly.</summary>
        public IReadOnlyList<HeadLogits> Logits(int[] ids, bool lastOnly = false,
            CancellationToken token = default(CancellationToken))
        {
            Call.Need(ids, nameof(ids));
            IntPtr raw;
            var error = Call.Slot();
            using (var scope = CancelScope.For(token))
            {
                int status;
                fixed (int* p = ids)
                {
                    status = NativeMethods.q3g_guard_logits(Handle, p, Call.Size(ids.Length), Call.Bool(lastOnly),
                        CancelScope.HandleOf(scope), &raw, &error);
                }
                CancelScope.Check(token, status, &error);
            }
            using (var all = new LogitsHandle(raw))
            {
                var heads = new HeadLogits[Call.Int(NativeMethods.q3g_logits_count(all))];
                for (int i = 0; i < heads.Length; ++i)
                {
                    var head = q3g_head_logits.New();
                    Call.Check(NativeMethods.q3g_logits_get(all, Call.Size(i), &head, &error), &error);
                    const int most = 0x7FEFFFFF; // elements of an array of .NET
                    if ((long)head.rows * head.cols > most)
                    {
                        throw Call.InvalidArgument("{0} x {1} logits; expected at most {2}: ask for fewer tokens, or for the "
                            + "last position only", head.rows, head.cols, most);
                    }
                    var values = new float[head.rows * head.cols];
                    Marshal.Copy((IntPtr)head.values, values, 0, values.Length);
                    heads[i] = new HeadLogits
                    {
                        Name = Call.Text(head.name), Rows = head.rows, Cols = head.cols, Values = values,
                    };
                }
                return heads;
            }
        }
    }
}
