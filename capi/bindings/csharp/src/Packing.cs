// SPDX-License-Identifier: Apache-2.0
using System;
using System.Threading;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>How a checkpoint is packed.</summary>
    public sealed class QuantizeOptions
    {
        /// <summary>How matrices are stored.</summary>
        public PackedWeights Weights = PackedWeights.Int8;
        /// <summary>Columns that share a scale; null: the default.</summary>
        public int? GroupSize;
        /// <summary>How the tables with a row for each token are stored.</summary>
        public PackedEmbeddings Embeddings = PackedEmbeddings.Automatic;
        /// <summary>Replace an existing file.</summary>
        public bool Overwrite;
        /// <summary>Gen: store what the model computes for the constant part of its prompt.</summary>
        public bool KeepPrefix;
        /// <summary>0: all cores.</summary>
        public int Threads;
        /// <summary>The model is one of the library.</summary>
        public bool Embedded;
        /// <summary>In bytes (done, total), on the calling thread; false stops. An exception stops too, and is thrown
        /// again.</summary>
        public Func<long, long, bool> Progress;
    }

    /// <summary>Packed model files.</summary>
    public static unsafe class Packing
    {
        /// <summary>Packs a checkpoint into one file, which appears complete or not at all.</summary>
        public static QuantizeReport Quantize(string model, string outFile, QuantizeOptions options = null,
            CancellationToken token = default(CancellationToken))
        {
            options = options ?? new QuantizeOptions();
            var raw = q3g_quantize_options.Defaults();
            raw.type = (int)options.Weights;
            raw.group_size = options.GroupSize ?? raw.group_size;
            raw.embeddings = (int)options.Embeddings;
            raw.overwrite = Call.Bool(options.Overwrite);
            raw.keep_prefix = Call.Bool(options.KeepPrefix);
            raw.n_threads = options.Threads;
            var report = q3g_quantize_report.New();
            var error = Call.Slot();
            byte[] a = Call.Utf8(model, nameof(model)), b = Call.Utf8(outFile, nameof(outFile));
            using (var callback = new Callback { Progress = options.Progress })
            using (var scope = CancelScope.For(token))
            {
                if (scope != null) raw.cancel = scope.Raw;
                if (callback.Progress != null)
                {
                    raw.progress = Callback.ProgressPointer;
                    raw.progress_user = (void*)callback.User;
                }
                int status;
                fixed (byte* p = a, q = b)
                {
                    UIntPtr n = Call.Size(a.Length), m = Call.Size(b.Length);
                    status = options.Embedded ? NativeMethods.q3g_quantize_embedded(p, n, q, m, &raw, &report, &error)
                                              : NativeMethods.q3g_quantize(p, n, q, m, &raw, &report, &error);
                }
                callback.Rethrow();
                CancelScope.Check(token, status, &error);
            }
            return QuantizeReport.Of(&report);
        }

        /// <summary>Compares every checksum of a packed file, which takes as long as reading it.</summary>
        public static void Verify(string file, CancellationToken token = default(CancellationToken))
        {
            var data = Call.Utf8(file, nameof(file));
            var error = Call.Slot();
            using (var scope = CancelScope.For(token))
            {
                int status;
                fixed (byte* p = data)
                {
                    status = NativeMethods.q3g_verify_packed(p, Call.Size(data.Length), CancelScope.HandleOf(scope),
                        &error);
                }
                CancelScope.Check(token, status, &error);
            }
        }
    }
}
