// SPDX-License-Identifier: Apache-2.0
// A runner for the tests: every public method of a class whose name ends in "Tests".
using System;
using System.Linq;
using System.Reflection;

public static class Check
{
    public static void That(bool condition, string what)
    {
        if (!condition) throw new Exception("not so: " + what);
    }

    public static void Same<T>(T expected, T found)
    {
        if (!Equals(expected, found)) throw new Exception("expected " + expected + ", found " + found);
    }

    public static T Throws<T>(Action body) where T : Exception
    {
        try
        {
            body();
        }
        catch (T e)
        {
            return e;
        }
        throw new Exception("expected a " + typeof(T).Name + ", found none");
    }

    public static void Fails(Qwen3Guard.Status status, Action body)
    {
        Same(status, Throws<Qwen3Guard.Qwen3GuardException>(body).Status);
    }
}

internal static class Runner
{
    private static int Main()
    {
        int passed = 0, failed = 0;
        foreach (var type in Assembly.GetExecutingAssembly().GetTypes().Where(t => t.Name.EndsWith("Tests")))
        {
            foreach (var method in type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly))
            {
                try
                {
                    method.Invoke(null, null);
                    ++passed;
                }
                catch (TargetInvocationException e)
                {
                    ++failed;
                    Console.WriteLine(type.Name + "." + method.Name + ": " + e.InnerException);
                }
            }
        }
        Console.WriteLine(passed + " passed, " + failed + " failed");
        return failed == 0 ? 0 : 1;
    }
}
