// SPDX-License-Identifier: Apache-2.0
using System.Runtime.InteropServices;
using Qwen3Guard.Native;

public static class LayoutTests
{
    public static void SizesAreThoseOfC()
    {
        Check.That(NativeMethods.Sizes.Length > 20, "all structs");
        foreach (var pair in NativeMethods.Sizes) Check.Same(pair.Item2, Marshal.SizeOf(pair.Item1));
    }
}
