// SPDX-License-Identifier: Apache-2.0
// A client of Perspective on qwen3guard: what changes is the address.
//   mcs -r:System.Net.Http,System.Runtime.Serialization Moderate.cs
//   export PERSPECTIVE_URL=http://127.0.0.1:8080/ PERSPECTIVE_KEY=...
//   mono Moderate.exe "a comment" ...
// Exit code 1: a comment is not to be shown.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Http;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;
using System.Text;
using System.Threading.Tasks;

[DataContract] sealed class Comment
{
    [DataMember(Name = "text")] public string Text;
}

[DataContract] sealed class Wanted { }

[DataContract] sealed class AnalyzeRequest
{
    [DataMember(Name = "comment")] public Comment Comment;
    [DataMember(Name = "requestedAttributes")] public Dictionary<string, Wanted> RequestedAttributes;
    [DataMember(Name = "spanAnnotations")] public bool SpanAnnotations;
    [DataMember(Name = "doNotStore")] public bool DoNotStore;
}

[DataContract] sealed class Score
{
    [DataMember(Name = "value", IsRequired = true)] public double Value;
}

[DataContract] sealed class SpanScore
{
    [DataMember(Name = "begin")] public int Begin; // UTF-16 code units, as a string's indices
    [DataMember(Name = "end")] public int End;
    [DataMember(Name = "score", IsRequired = true)] public Score Score;
}

[DataContract] sealed class AttributeScores
{
    [DataMember(Name = "spanScores")] public SpanScore[] SpanScores;
    [DataMember(Name = "summaryScore", IsRequired = true)] public Score SummaryScore;
}

[DataContract] sealed class AnalyzeResponse
{
    [DataMember(Name = "attributeScores", IsRequired = true)] public Dictionary<string, AttributeScores> AttributeScores;
}

sealed class Perspective
{
    static readonly DataContractJsonSerializerSettings Settings = new DataContractJsonSerializerSettings { UseSimpleDictionaryFormat = true };
    readonly HttpClient client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
    readonly Uri analyze;

    // Before: new Uri("https://commentanalyzer.googleapis.com/").
    public Perspective(Uri service, string key)
    {
        analyze = new Uri(service, "v1alpha1/comments:analyze?key=" + Uri.EscapeDataString(key));
    }

    // Throws where a comment is not judged: it is not to be taken for one that is fine.
    public async Task<AttributeScores> Analyze(string text, string attribute)
    {
        var request = new AnalyzeRequest
        {
            Comment = new Comment { Text = text },
            RequestedAttributes = new Dictionary<string, Wanted> { { attribute, new Wanted() } },
            SpanAnnotations = true,
            DoNotStore = true,
        };
        var body = new MemoryStream();
        new DataContractJsonSerializer(typeof(AnalyzeRequest), Settings).WriteObject(body, request);
        var content = new StringContent(Encoding.UTF8.GetString(body.ToArray()), Encoding.UTF8, "application/json");
        using (var response = await client.PostAsync(analyze, content))
        {
            var reply = await response.Content.ReadAsStringAsync();
            if (!response.IsSuccessStatusCode) throw new HttpRequestException((int)response.StatusCode + ": " + reply);
            var serializer = new DataContractJsonSerializer(typeof(AnalyzeResponse), Settings);
            var scores = (AnalyzeResponse)serializer.ReadObject(new MemoryStream(Encoding.UTF8.GetBytes(reply)));
            return scores.AttributeScores[attribute];
        }
    }
}

static class Program
{
    const double BlockFrom = 0.7; // choose_threshold.py chooses one from your comments

    static int Main(string[] comments)
    {
        Console.OutputEncoding = new UTF8Encoding(false);
        var service = Environment.GetEnvironmentVariable("PERSPECTIVE_URL") ?? "http://127.0.0.1:8080/";
        var perspective = new Perspective(new Uri(service), Environment.GetEnvironmentVariable("PERSPECTIVE_KEY") ?? "");
        return comments.Count(text => !IsAllowed(perspective, text)) > 0 ? 1 : 0;
    }

    static bool IsAllowed(Perspective perspective, string text)
    {
        try
        {
            var scores = perspective.Analyze(text, "TOXICITY").GetAwaiter().GetResult();
            var isAllowed = scores.SummaryScore.Value < BlockFrom;
            Console.WriteLine((isAllowed ? "allowed " : "blocked ") + text);
            var worst = scores.SpanScores.OrderByDescending(span => span.Score.Value).First();
            if (!isAllowed) Console.WriteLine("  worst: " + text.Substring(worst.Begin, worst.End - worst.Begin).Trim());
            return isAllowed;
        }
        catch (Exception error)
        {
            Console.WriteLine("blocked " + text);
            Console.Error.WriteLine("not judged: " + error.Message);
            return false;
        }
    }
}
