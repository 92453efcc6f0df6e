// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    public sealed unsafe partial class GuardStream
    {
        /// <summary>PushTokens for several streams of a guard in common matrix products. Each has a result of its own, in its
        /// StreamPush.</summary>
        public static void PushBatch(Guard guard, IReadOnlyList<StreamPush> pushes)
        {
            Call.Need(guard, nameof(guard));
            var all = Call.Need(pushes, nameof(pushes)).ToArray();
            foreach (var push in all.Where(push => push != null))
            {
                push.Tokens = null; // of an earlier call
                push.Error = null;
            }
            foreach (var push in all)
            {
                Call.Need(push, nameof(pushes));
                Call.Need(push.Stream, nameof(StreamPush.Stream));
                Call.Need(push.Ids, nameof(StreamPush.Ids));
            }
            var entered = new List<Q3gHandle.Entered>();
            var held = new List<StreamHandle>();
            var pins = new List<GCHandle>();
            Func<object, IntPtr> pin = array =>
            {
                pins.Add(GCHandle.Alloc(array, GCHandleType.Pinned));
                return pins[pins.Count - 1].AddrOfPinnedObject();
            };
            try
            {
                var raw = new q3g_stream_push[all.Length];
                var errors = new q3g_error[all.Length];
                var places = new q3g_token_verdict[all.Length][];
                var error = Call.Slot();
                var errorAt = (q3g_error*)pin(errors);
                for (int i = 0; i < raw.Length; ++i)
                {
                    var stream = all[i].Stream.handle;
                    bool isHeld = false;
                    entered.Add(stream.Enter());
                    stream.DangerousAddRef(ref isHeld); // so that Dispose on another thread waits
                    held.Add(stream);
                    errors[i] = Call.Slot();
                    places[i] = TokenVerdict.Room(all[i].Ids.Length);
                    raw[i].struct_size = (uint)sizeof(q3g_stream_push);
                    raw[i].stream = stream.DangerousGetHandle();
                    raw[i].ids = (int*)pin(all[i].Ids);
                    raw[i].n_ids = Call.Size(all[i].Ids.Length);
                    raw[i].tokens = (q3g_token_verdict*)pin(places[i]);
                    raw[i].error = errorAt + i;
                }
                fixed (q3g_stream_push* p = raw)
                    Call.Check(NativeMethods.q3g_guard_push_batch(guard.Handle, p, Call.Size(raw.Length), &error), &error);
                for (int i = 0; i < raw.Length; ++i)
                {
                    bool ok = raw[i].status == NativeMethods.Q3G_OK;
                    all[i].Tokens = ok ? TokenVerdict.Of(places[i], places[i].Length) : null;
                    all[i].Error = ok ? null : Call.Failure(raw[i].status, errorAt + i);
                }
            }
            finally
            {
                foreach (var pinned in pins) pinned.Free();
                foreach (var stream in held) stream.DangerousRelease();
                foreach (var call in entered) call.Dispose();
            }
        }
    }
}
