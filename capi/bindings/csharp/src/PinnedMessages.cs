// SPDX-License-Identifier: Apache-2.0
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Qwen3Guard.Native;

namespace Qwen3Guard
{
    /// <summary>Messages where native code can read them, until Dispose.</summary>
    internal sealed unsafe class PinnedMessages : IDisposable
    {
        private readonly List<GCHandle> pins = new List<GCHandle>();
        private readonly q3g_message[] raw;

        public PinnedMessages(IReadOnlyList<Message> messages)
        {
            raw = new q3g_message[Call.Need(messages, nameof(messages)).Count];
            try
            {
                for (int i = 0; i < raw.Length; ++i)
                {
                    var message = messages[i];
                    raw[i].struct_size = (uint)sizeof(q3g_message);
                    raw[i].role = (int)message.Role;
                    raw[i].text = (byte*)Pin(message.Utf8);
                    raw[i].text_bytes = Call.Size(message.Utf8.Length);
                }
                Raw = (q3g_message*)Pin(raw);
            }
            catch
            {
                Dispose();
                throw;
            }
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
