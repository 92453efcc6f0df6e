// SPDX-License-Identifier: Apache-2.0
using System;
using System.Runtime.InteropServices;
using System.Threading;
using Qwen3Guard;
using static Fixture;

public static class AllocatorTests
{
    [DllImport("libc", CallingConvention = CallingConvention.Cdecl)]
    private static extern int posix_memalign(out IntPtr block, UIntPtr alignment, UIntPtr bytes);
    [DllImport("libc", CallingConvention = CallingConvention.Cdecl)]
    private static extern void free(IntPtr block);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate IntPtr AllocateFunction(IntPtr user, UIntPtr bytes, UIntPtr alignment);
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void DeallocateFunction(IntPtr user, IntPtr block, UIntPtr bytes, UIntPtr alignment);
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void ReleaseFunction(IntPtr user);

    private static long nBlocks, nBytes, nWrong, nReleased;
    private static bool hasMemory = true;

    private static IntPtr Allocate(IntPtr user, UIntPtr bytes, UIntPtr alignment)
    {
        IntPtr block;
        if (user != (IntPtr)77) Interlocked.Increment(ref nWrong);
        if (!hasMemory || posix_memalign(out block, alignment, bytes) != 0) return IntPtr.Zero;
        Interlocked.Increment(ref nBlocks);
        Interlocked.Add(ref nBytes, (long)bytes.ToUInt64());
        return block;
    }

    private static void Deallocate(IntPtr user, IntPtr block, UIntPtr bytes, UIntPtr alignment)
    {
        Interlocked.Decrement(ref nBlocks);
        Interlocked.Add(ref nBytes, -(long)bytes.ToUInt64());
        free(block);
    }

    private static void Release(IntPtr user) => Interlocked.Increment(ref nReleased);

    // Static: the garbage collector must not take them while the library knows them.
    private static readonly AllocateFunction allocate = Allocate;
    private static readonly DeallocateFunction deallocate = Deallocate;
    private static readonly ReleaseFunction release = Release;

    private static GuardOptions Options()
    {
        return new GuardOptions
        {
            Allocator = new NativeAllocator(Marshal.GetFunctionPointerForDelegate(allocate),
                Marshal.GetFunctionPointerForDelegate(deallocate), (IntPtr)77, Marshal.GetFunctionPointerForDelegate(release)),
        };
    }

    public static void EveryBlockComesBack()
    {
        long before = Interlocked.Read(ref nReleased);
        using (var guard = Guard.Embedded("nano-gen", Options()))
        using (var usual = Gen())
        {
            Check.Same(usual.ClassifyPrompt(Threat).Text, guard.ClassifyPrompt(Threat).Text);
            Check.That(Interlocked.Read(ref nBlocks) > 0 && Interlocked.Read(ref nBytes) > 0, "blocks are in use");
        }
        using (var guard = Guard.Embedded("nano-stream", Options()))
        using (var stream = new GuardStream(guard))
        {
            guard.Dispose();
            stream.PushPrompt(Prompt);
            stream.PushText(Story);
            Check.Same(before + 1, Interlocked.Read(ref nReleased));
            Check.That(Interlocked.Read(ref nBlocks) > 0, "blocks are in use");
        }
        Check.Same(0L, Interlocked.Read(ref nBlocks));
        Check.Same(0L, Interlocked.Read(ref nBytes));
        Check.Same(0L, Interlocked.Read(ref nWrong));
        Check.Same(before + 2, Interlocked.Read(ref nReleased));
    }

    public static void WrongAllocators()
    {
        hasMemory = false;
        try
        {
            Check.Fails(Status.OutOfMemory, () =>
            {
                using (var guard = Guard.Embedded("nano-gen", Options())) guard.ClassifyPrompt(Prompt);
            });
        }
        finally
        {
            hasMemory = true;
        }
        long before = Interlocked.Read(ref nReleased);
        Check.Fails(Status.FileNotFound, () => Guard.Embedded("nobody", Options()));
        Check.Same(before + 1, Interlocked.Read(ref nReleased));
        Check.Same(0L, Interlocked.Read(ref nBlocks));
        var half = new NativeAllocator(IntPtr.Zero, Marshal.GetFunctionPointerForDelegate(deallocate));
        Check.Fails(Status.InvalidArgument, () => Guard.Embedded("nano-gen", new GuardOptions { Allocator = half }));
    }
}
