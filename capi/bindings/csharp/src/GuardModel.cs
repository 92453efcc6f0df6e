// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>A loaded model. Immutable: any number of threads at once.</summary>
    public sealed unsafe class Guard : IDisposable
    {
        internal readonly GuardHandle Handle;

        private Guard(GuardHandle handle)
        {
            Handle = handle;
        }

        /// <summary>What was made from the guard lives on.</summary>
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
            q3g_guard_options raw;
            NativeMethods.q3g_guard_options_init(&raw, Call.Size(sizeof(q3g_guard_options)));
            raw.n_threads = options.Threads;
            raw.max_context_tokens = options.MaxContextTokens;
            raw.kept_tokens = options.KeptTokens ?? raw.kept_tokens;
            raw.require_tokenizer = Call.Bool(!options.WithoutTokenizer);
            var isa = Call.Utf8(options.Isa + "\0");
            var error = Call.Slot();
            IntPtr guard;
            int status;
            using (var callback = new Callback { Log = options.Log })
            {
                if (options.Log != null)
                {
                    raw.log = Callback.LogPointer;
                    raw.log_user = (void*)callback.User;
                }
                fixed (byte* p = isa)
                {
                    raw.isa = p;
                    status = load(&raw, &guard, &error);
                }
                if (status == NativeMethods.Q3G_OK)
                {
                    var loaded = new Guard(new GuardHandle(guard));
                    callback.Rethrow();
                    return loaded;
                }
                callback.Rethrow();
            }
            throw Call.Failure(status, &error);
        }

        /// <summary>Loads a checkpoint folder or a packed file.</summary>
        public static Guard Load(string path, GuardOptions options = null)
        {
            var data = Call.Utf8(path);
            return Load(options, (raw, guard, error) =>
            {
                fixed (byte* p = data)
                    return NativeMethods.q3g_guard_load(p, Call.Size(data.Length), raw, guard, error);
            });
        }

        /// <summary>Loads a model of the library.</summary>
        public static Guard Embedded(string name, GuardOptions options = null)
        {
            var data = Call.Utf8(name);
            return Load(options, (raw, guard, error) =>
            {
                fixed (byte* p = data)
                    return NativeMethods.q3g_guard_load_embedded(p, Call.Size(data.Length), raw, guard, error);
            });
        }

        /// <summary>Loads a packed model's bytes, of which a copy outside of managed memory is kept.</summary>
        public static Guard FromMemory(byte[] packed, GuardOptions options = null)
        {
            return FromMemory(new Dictionary<string, byte[]> { { "model.q3g", packed } }, options);
        }

        /// <summary>Loads a checkpoint's files by name. As the other one.</summary>
        public static Guard FromMemory(IReadOnlyDictionary<string, byte[]> files, GuardOptions options = null)
        {
            const int alignment = 64; // what the kernels read without a copy
            long size = alignment;
            foreach (var file in files) size += file.Value.Length + 2 * alignment + Call.Utf8(file.Key).Length + 1;
            IntPtr block = Marshal.AllocHGlobal((IntPtr)size); // freed by OnRelease
            var raw = new q3g_file[files.Count];
            byte* at = (byte*)block;
            int i = 0;
            foreach (var file in files)
            {
                at += (alignment - (long)at % alignment) % alignment;
                Marshal.Copy(file.Value, 0, (IntPtr)at, file.Value.Length);
                raw[i].struct_size = (uint)sizeof(q3g_file);
                raw[i].bytes = at;
                raw[i].n_bytes = Call.Size(file.Value.Length);
                at += file.Value.Length;
                var name = Call.Utf8(file.Key + "\0");
                Marshal.Copy(name, 0, (IntPtr)at, name.Length);
                raw[i++].name = at;
                at += name.Length;
            }
            return Load(options, (o, guard, error) =>
            {
                fixed (q3g_file* p = raw)
                {
                    return NativeMethods.q3g_guard_load_memory(p, Call.Size(raw.Length), Callback.ReleasePointer, (void*)block,
                        o, guard, error);
                }
            });
        }

        /// <summary>What the model is.</summary>
        public ModelInfo Info
        {
            get
            {
                var raw = new q3g_model_info();
                raw.struct_size = (uint)sizeof(q3g_model_info);
                var error = Call.Slot();
                Call.Check(NativeMethods.q3g_guard_info(Handle, &raw, &error), &error);
                return new ModelInfo
                {
                    Kind = (ModelKind)raw.kind, Architecture = Call.Text(raw.architecture),
                    WeightDtype = Call.Text(raw.weight_dtype), Isa = Call.Text(raw.isa),
                    IsaAvailable = Call.Text(raw.isa_available).Split(' '), HiddenSize = raw.hidden_size,
                    Layers = raw.n_layers, Heads = raw.n_heads, KvHeads = raw.n_kv_heads, HeadDim = raw.head_dim,
                    IntermediateSize = raw.intermediate_size, VocabSize = raw.vocab_size,
                    MaxContextTokens = raw.max_context_tokens, TiedEmbeddings = raw.tied_embeddings != 0,
                    Threads = raw.n_threads, Parameters = raw.n_parameters, WeightBytes = raw.weight_bytes,
                    KvBytesPerToken = raw.kv_bytes_per_token,
                };
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
        public IReadOnlyList<HeadLogits> Logits(int[] ids, bool lastOnly = false)
        {
            IntPtr raw;
            var error = Call.Slot();
            fixed (int* p = ids)
            {
                Call.Check(NativeMethods.q3g_guard_logits(Handle, p, Call.Size(ids.Length), Call.Bool(lastOnly), &raw, &error),
                    &error);
            }
            using (var all = new LogitsHandle(raw))
            {
                var heads = new HeadLogits[(int)NativeMethods.q3g_logits_count(all)];
                for (int i = 0; i < heads.Length; ++i)
                {
                    var head = new q3g_head_logits();
                    head.struct_size = (uint)sizeof(q3g_head_logits);
                    Call.Check(NativeMethods.q3g_logits_get(all, Call.Size(i), &head, &error), &error);
                    var values = new float[head.rows * head.cols];
                    Marshal.Copy((IntPtr)head.values, values, 0, values.Length);
                    heads[i] = new HeadLogits { Name = Call.Text(head.name), Rows = head.rows, Cols = head.cols, Values = values };
                }
                return heads;
            }
        }

        private delegate int Judge(q3g_classify_options* options, q3g_verdict* verdict, q3g_error* error);

        private static Verdict Classify(ClassifyOptions options, CancellationToken token, Judge judge)
        {
            var raw = ClassifyOptions.ToC(options);
            byte* text = stackalloc byte[Verdict.TextBytes];
            var verdict = Verdict.Place(text);
            var error = Call.Slot();
            using (var scope = CancelScope.For(token))
            {
                if (scope != null) raw.cancel = scope.Raw;
                CancelScope.Check(token, judge(&raw, &verdict, &error), &error);
            }
            return new Verdict(&verdict);
        }

        /// <summary>Judges a user's prompt.</summary>
        public Verdict ClassifyPrompt(string prompt, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return ClassifyPrompt(Call.Utf8(prompt), options, token);
        }

        /// <summary>Judges a user's prompt in UTF-8.</summary>
        public Verdict ClassifyPrompt(byte[] prompt, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return Classify(options, token, (raw, verdict, error) =>
            {
                fixed (byte* p = prompt)
                {
                    return NativeMethods.q3g_guard_classify_prompt(Handle, p, Call.Size(prompt.Length), raw, verdict, error);
                }
            });
        }

        /// <summary>ClassifyPrompt on the thread pool; cancelling the token stops the call.</summary>
        public Task<Verdict> ClassifyPromptAsync(string prompt, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            return Task.Run(() => ClassifyPrompt(prompt, options, token), token);
        }

        /// <summary>Judges the response to a prompt.</summary>
        public Verdict ClassifyResponse(string prompt, string response, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            byte[] a = Call.Utf8(prompt), b = Call.Utf8(response);
            return Classify(options, token, (raw, verdict, error) =>
            {
                fixed (byte* p = a, q = b)
                {
                    return NativeMethods.q3g_guard_classify_response(Handle, p, Call.Size(a.Length), q, Call.Size(b.Length),
                        raw, verdict, error);
                }
            });
        }

        /// <summary>Judges the last message of a conversation.</summary>
        public Verdict Classify(IReadOnlyList<Message> messages, ClassifyOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            using (var pinned = new PinnedMessages(messages))
            {
                return Classify(options, token, (raw, verdict, error) =>
                    NativeMethods.q3g_guard_classify(Handle, pinned.Raw, pinned.Count, raw, verdict, error));
            }
        }

        /// <summary>Judges several conversations together: the verdict, or the error, of each.</summary>
        public IReadOnlyList<BatchVerdict> ClassifyBatch(IReadOnlyList<IReadOnlyList<Message>> conversations,
            ClassifyOptions options = null, CancellationToken token = default(CancellationToken))
        {
            int n = conversations.Count;
            var results = new BatchVerdict[n];
            if (n == 0) return results;
            var pinned = new List<PinnedMessages>();
            var raw = new q3g_conversation[n];
            var verdicts = new q3g_verdict[n];
            var errors = new q3g_error[n];
            var texts = new byte[n * Verdict.TextBytes];
            var c = ClassifyOptions.ToC(options);
            var error = Call.Slot();
            try
            {
                foreach (var conversation in conversations) pinned.Add(new PinnedMessages(conversation));
                fixed (byte* text = texts)
                fixed (q3g_conversation* rawAt = raw)
                fixed (q3g_verdict* verdictAt = verdicts)
                fixed (q3g_error* errorAt = errors)
                using (var callback = new Callback { Progress = options?.Progress })
                using (var scope = CancelScope.For(token))
                {
                    for (int i = 0; i < n; ++i)
                    {
                        raw[i].struct_size = (uint)sizeof(q3g_conversation);
                        raw[i].messages = pinned[i].Raw;
                        raw[i].n_messages = pinned[i].Count;
                        verdicts[i] = Verdict.Place(text + i * Verdict.TextBytes);
                        errors[i] = Call.Slot();
                    }
                    if (scope != null) c.cancel = scope.Raw;
                    if (callback.Progress != null)
                    {
                        c.progress = Callback.ProgressPointer;
                        c.progress_user = (void*)callback.User;
                    }
                    int status = NativeMethods.q3g_guard_classify_batch(Handle, rawAt, Call.Size(n), &c, verdictAt, errorAt,
                        &error);
                    callback.Rethrow();
                    CancelScope.Check(token, status, &error);
                    for (int i = 0; i < n; ++i)
                    {
                        if (verdicts[i].status == NativeMethods.Q3G_OK) results[i].Verdict = new Verdict(verdictAt + i);
                        else results[i].Error = Call.Failure(verdicts[i].status, errorAt + i);
                    }
                }
            }
            finally
            {
                foreach (var messages in pinned) messages.Dispose();
            }
            return results;
        }

        /// <summary>What a host should do, by the mode and thresholds of the options. A pure function.</summary>
        public static GuardAction DecideAction(Severity severity, Probabilities probabilities, ClassifyOptions options = null)
        {
            var raw = ClassifyOptions.ToC(options);
            var error = Call.Slot();
            float* p = stackalloc float[NativeMethods.Q3G_SEVERITY_COUNT];
            probabilities.ToC(p);
            int action;
            Call.Check(NativeMethods.q3g_decide_action(&raw, (int)severity, p, &action, &error), &error);
            return (GuardAction)action;
        }
    }

    /// <summary>Messages where native code can read them.</summary>
    internal sealed unsafe class PinnedMessages : IDisposable
    {
        private readonly List<GCHandle> pins = new List<GCHandle>();
        private readonly q3g_message[] raw;

        public PinnedMessages(IReadOnlyList<Message> messages)
        {
            raw = new q3g_message[messages.Count];
            for (int i = 0; i < raw.Length; ++i)
            {
                var text = messages[i].Utf8 ?? new byte[0];
                raw[i].struct_size = (uint)sizeof(q3g_message);
                raw[i].role = (int)messages[i].Role;
                raw[i].text = (byte*)Pin(text);
                raw[i].text_bytes = Call.Size(text.Length);
            }
            Raw = (q3g_message*)Pin(raw);
        }

        public q3g_message* Raw { get; }
        public UIntPtr Count => Call.Size(raw.Length);

        private IntPtr Pin(object array)
        {
            var pin = GCHandle.Alloc(array, GCHandleType.Pinned);
            pins.Add(pin);
            return pin.AddrOfPinnedObject();
        }

        public void Dispose()
        {
            foreach (var pin in pins) pin.Free();
            pins.Clear();
        }
    }
}
