// SPDX-License-Identifier: Apache-2.0
// The C# compiler (Roslyn) from its library, which has no program of its own. Takes the arguments of csc: sources, -r:,
// -out:, -define:, -doc:, -nowarn: and so on; writes warnings and errors to standard output; exits 1 when there are errors.
// It runs on .NET with Roslyn beside it, but is compiled by mcs, which cannot read Roslyn: hence reflection.
using System;
using System.Collections;
using System.IO;
using System.Linq;
using System.Reflection;

internal static class Csc
{
    private static readonly Assembly common = Assembly.Load("Microsoft.CodeAnalysis");
    private static readonly Assembly csharp = Assembly.Load("Microsoft.CodeAnalysis.CSharp");

    /// <summary>Calls the static function that begins with these parameters; the others get their default values.</summary>
    private static object Invoke(Type type, string name, params object[] arguments)
    {
        var method = type.GetMethods(BindingFlags.Public | BindingFlags.Static).First(m =>
            m.Name == name && m.GetParameters().Length >= arguments.Length &&
            m.GetParameters().Skip(arguments.Length).All(p => p.IsOptional) &&
            m.GetParameters().Zip(arguments, (p, a) => p.ParameterType.IsInstanceOfType(a)).All(fits => fits));
        var missing = Enumerable.Repeat(Type.Missing, method.GetParameters().Length - arguments.Length);
        return method.Invoke(null, arguments.Concat(missing).ToArray());
    }

    private static Array ArrayOf(string type, IEnumerable items)
    {
        var all = items.Cast<object>().ToArray();
        var array = Array.CreateInstance(common.GetType("Microsoft.CodeAnalysis." + type), all.Length);
        all.CopyTo(array, 0);
        return array;
    }

    private static int Main(string[] arguments)
    {
        var parser = csharp.GetType("Microsoft.CodeAnalysis.CSharp.CSharpCommandLineParser");
        dynamic parsed = ((dynamic)parser.GetProperty("Default").GetValue(null)).Parse(arguments, Environment.CurrentDirectory,
            Path.GetDirectoryName(typeof(object).Assembly.Location), null);
        var trees = ((IEnumerable)parsed.SourceFiles).Cast<dynamic>().Select(file => Invoke(
            csharp.GetType("Microsoft.CodeAnalysis.CSharp.CSharpSyntaxTree"), "ParseText",
            File.ReadAllText((string)file.Path), (object)parsed.ParseOptions, (string)file.Path));
        var references = ((IEnumerable)parsed.MetadataReferences).Cast<dynamic>().Select(reference => Invoke(
            common.GetType("Microsoft.CodeAnalysis.MetadataReference"), "CreateFromFile", (string)reference.Reference));
        dynamic compilation = Invoke(csharp.GetType("Microsoft.CodeAnalysis.CSharp.CSharpCompilation"), "Create",
            (string)parsed.CompilationName, ArrayOf("SyntaxTree", trees), ArrayOf("MetadataReference", references),
            (object)parsed.CompilationOptions);
        bool isOk = true;
        Action<IEnumerable> report = found =>
        {
            foreach (var item in found.Cast<dynamic>())
            {
                string severity = item.Severity.ToString();
                if (item.IsSuppressed || severity == "Hidden" || severity == "Info") continue;
                Console.WriteLine(item.ToString());
                isOk = isOk && severity != "Error" && !item.IsWarningAsError;
            }
        };
        report((IEnumerable)parsed.Errors);
        using (MemoryStream output = new MemoryStream(), text = new MemoryStream())
        {
            report((IEnumerable)compilation.Emit(output, null, text).Diagnostics);
            string file = Path.Combine(parsed.OutputDirectory, parsed.OutputFileName);
            if (isOk) File.WriteAllBytes(file, output.ToArray());
        }
        return isOk ? 0 : 1;
    }
}
