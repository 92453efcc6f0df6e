// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"context"
	"errors"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	prompt = "How do I kill a Python process?"
	threat = "You are a worthless idiot and I will burn your house down, kill yourself."
	story  = "Once upon a time there was a fox. It was na\u00efve \u2014 \u4f60\u597d, \U0001f600! The end. "
	seed   = 20261124
)

var ctx = context.Background()

// constantIDs are in the program's data, not on Go's heap.
var constantIDs = []int32{1, 2, 3}

// tiny is the folder of a checkpoint, "gen" or "stream", that settles what tests ask about, whatever the models in the
// library believe.
func tiny(kind string) string { return "../../../tests/golden/tiny/" + kind }

func load(t *testing.T, kind string) *Guard {
	t.Helper()
	guard, err := Load(tiny(kind), nil)
	need(t, err)
	t.Cleanup(guard.Close)
	return guard
}

func open(t *testing.T, guard *Guard, options *StreamOptions) *Stream {
	t.Helper()
	stream, err := guard.OpenStream(options)
	need(t, err)
	t.Cleanup(stream.Close)
	return stream
}

func need(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, status Status) {
	t.Helper()
	if !errors.Is(err, status) {
		t.Fatalf("got %v, want %v", err, status)
	}
}

func check(t *testing.T, ok bool, what ...any) {
	t.Helper()
	if !ok {
		t.Fatal(what...)
	}
}

func close4(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-4 }

func same(t *testing.T, a, b []TokenVerdict) {
	t.Helper()
	check(t, len(a) == len(b), len(a), len(b))
	for i := range a {
		check(t, a[i].ID == b[i].ID && a[i].ByteEnd == b[i].ByteEnd, i, a[i], b[i])
		check(t, close4(a[i].Probabilities.Unsafe, b[i].Probabilities.Unsafe), i, a[i], b[i])
	}
}

func TestNames(t *testing.T) {
	check(t, ABIVersion() == 1 && strings.Count(Version(), ".") == 2, Version())
	check(t, strings.Join(EmbeddedModels(), " ") == "nano-gen nano-stream", EmbeddedModels())
	check(t, Unsafe.String() == "Unsafe" && PII.String() == "PII" && Block.String() == "block")
	check(t, Assistant.String() == "assistant" && SourceCarried.String() == "carried" && ReasonRun.String() == "run")
	check(t, RuleBelowThreshold.String() == "below_threshold" && LongTextWindows.String() == "windows")
	check(t, Category(99).String() == "unknown")
	severity, err := ParseSeverity("Controversial")
	check(t, err == nil && severity == Controversial, err)
	category, err := ParseCategory("PII")
	check(t, err == nil && category == PII, err)
	_, err = ParseCategory("pii")
	want(t, err, StatusInvalidArgument)
}

func TestVerdicts(t *testing.T) {
	guard := load(t, "gen")
	good, err := guard.ClassifyPrompt(ctx, prompt, nil)
	need(t, err)
	check(t, good.Severity == Safe && good.Ruling.Action == Allow && good.Ruling.Rule == RuleSafe && strings.HasPrefix(good.Text, "Safety: Safe"), good)
	bad, err := guard.ClassifyPrompt(ctx, threat, nil)
	need(t, err)
	check(t, bad.Severity == Unsafe && bad.Role == User && len(bad.Categories) > 0 && bad.Window == nil, bad)
	category := bad.Categories[0].Category
	check(t, bad.Ruling == Ruling{Action: Block, Rule: RuleSeverity, HasCategory: true, Category: category, Phrase: -1,
		Position: -1, Settled: true, PolicyName: "default", PolicyVersion: bad.Ruling.PolicyVersion}, bad)
	answer, err := guard.ClassifyResponse(ctx, prompt, "I cannot help with that.", nil)
	need(t, err)
	check(t, answer.HasRefusal && answer.Role == Assistant, answer)
	again, err := guard.Classify(ctx, []Message{{User, prompt}, {Assistant, "I cannot help with that."}}, nil)
	need(t, err)
	check(t, again.Severity == answer.Severity, again)
	_, err = guard.ClassifyPrompt(ctx, "", nil)
	need(t, err)

	_, err = guard.ClassifyPrompt(ctx, "caf\xe9", nil)
	want(t, err, StatusInvalidUTF8)
	var failure *Error
	check(t, errors.As(err, &failure) && strings.Contains(failure.Message, "3"), err)
	_, err = guard.ClassifyPrompt(ctx, "caf\xe9", &ClassifyOptions{ReplaceUTF8: true})
	need(t, err)
	_, err = guard.Classify(ctx, nil, nil)
	want(t, err, StatusInvalidArgument)
	_, err = guard.Classify(ctx, []Message{{9, "x"}}, nil)
	want(t, err, StatusInvalidArgument)
	guard.Close()
	guard.Close()
	_, err = guard.ClassifyPrompt(ctx, prompt, nil)
	want(t, err, StatusBadHandle)
	_, err = Load("no/such/folder", nil)
	want(t, err, StatusFileNotFound)
	_, err = LoadEmbedded("nobody", nil)
	want(t, err, StatusFileNotFound)
	_, err = LoadEmbedded("nano-gen", &GuardOptions{Threads: -1})
	want(t, err, StatusInvalidArgument)
}

func TestContexts(t *testing.T) {
	guard := load(t, "gen")
	done, cancel := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, cancel)
	var err error
	for i := 0; err == nil && i < 100000; i++ {
		_, err = guard.ClassifyPrompt(done, strings.Repeat(story, 20), nil)
	}
	check(t, errors.Is(err, context.Canceled), err)
	_, err = guard.ClassifyPrompt(done, prompt, nil)
	check(t, errors.Is(err, context.Canceled), err)

	stream := open(t, load(t, "stream"), nil)
	_, err = stream.PushPrompt(ctx, prompt)
	need(t, err)
	short, stop := context.WithTimeout(ctx, 5*time.Millisecond)
	defer stop()
	for err == nil {
		_, err = stream.PushText(short, story)
		stream.RewindToByte(ctx, 0)
	}
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	_, err = stream.PushText(ctx, "The flag is down again.")
	need(t, err)
	fork, err := stream.Fork()
	need(t, err)
	defer fork.Close()
	soon, stopSoon := context.WithTimeout(ctx, 5*time.Millisecond)
	defer stopSoon()
	for err == nil {
		_, err = fork.PushText(soon, story)
		fork.RewindToByte(ctx, 0)
	}
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	_, err = fork.PushText(ctx, "So is the fork's.")
	need(t, err)
}

func TestBatchOfConversations(t *testing.T) {
	guard := load(t, "gen")
	good, bad := []Message{{User, prompt}}, []Message{{User, "\xff"}}
	var seen []int64
	options := &ClassifyOptions{Progress: func(done, total int64) bool { seen = append(seen, done, total); return true }}
	verdicts, err := guard.ClassifyBatch(ctx, [][]Message{good, bad, {{User, threat}}}, options)
	need(t, err)
	check(t, verdicts[0].Err == nil && verdicts[0].Verdict.Severity == Safe, verdicts[0])
	want(t, verdicts[1].Err, StatusInvalidUTF8)
	check(t, verdicts[1].Verdict.Ruling.Action == NoAction && verdicts[1].Verdict.Ruling.PolicyName == "default", verdicts[1])
	check(t, verdicts[2].Verdict.Severity == Unsafe && verdicts[2].Verdict.Text != "", verdicts[2])
	check(t, len(seen) == 4 && seen[0] == 2 && seen[2] == 3, seen)
	stop := &ClassifyOptions{Progress: func(done, total int64) bool { return false }}
	verdicts, err = guard.ClassifyBatch(ctx, [][]Message{good, good, good}, stop)
	want(t, err, StatusCancelled)
	want(t, verdicts[2].Err, StatusCancelled)
	none, err := guard.ClassifyBatch(ctx, nil, nil)
	check(t, err == nil && len(none) == 0)
	defer func() { check(t, recover() == "mine") }()
	guard.ClassifyBatch(ctx, [][]Message{good, good}, &ClassifyOptions{Progress: func(int64, int64) bool { panic("mine") }})
	t.Fatal("no panic")
}

func TestManyGoroutines(t *testing.T) {
	guard := load(t, "gen")
	one, err := guard.ClassifyPrompt(ctx, threat, nil)
	need(t, err)
	var wait sync.WaitGroup
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			other, err := guard.ClassifyPrompt(ctx, threat, nil)
			if err != nil || !close4(other.Probabilities.Unsafe, one.Probabilities.Unsafe) {
				t.Error(other, err)
			}
		}()
	}
	wait.Wait()
}

func TestTokenizer(t *testing.T) {
	tokenizer, err := load(t, "gen").Tokenizer()
	need(t, err)
	for _, s := range []string{"", "Hello, world!", story, strings.Repeat(story, 50)} {
		ids, err := tokenizer.Encode(s)
		need(t, err)
		back, err := tokenizer.Decode(ids, false)
		check(t, err == nil && back == s, back, err)
		decoder, err := tokenizer.NewDecoder(false)
		need(t, err)
		joined := ""
		for _, id := range ids {
			piece, err := decoder.Push(id)
			need(t, err)
			joined += piece
		}
		rest, err := decoder.Finish()
		check(t, err == nil && joined+rest == s, joined, err)
		_, err = decoder.Push(-1)
		want(t, err, StatusTokenRange)
		decoder.Close()
		_, err = decoder.Push(1)
		want(t, err, StatusBadHandle)
	}
	end, ok := tokenizer.FindAdded("<|im_end|>")
	check(t, ok && tokenizer.IsSpecial(end), end)
	ids, err := tokenizer.EncodeSpecial("<|im_end|>")
	check(t, err == nil && len(ids) == 1 && ids[0] == end, ids, err)
	ids, err = tokenizer.Encode("<|im_end|>")
	check(t, err == nil && len(ids) > 1, ids, err)
	a, ok := tokenizer.FindBytes([]byte("a"))
	check(t, ok)
	data, err := tokenizer.TokenBytes(a)
	check(t, err == nil && string(data) == "a", data, err)
	_, ok = tokenizer.FindBytes([]byte("no such token"))
	check(t, !ok)
	_, ok = tokenizer.FindAdded("<none>")
	check(t, !ok)
	_, err = tokenizer.Decode([]int32{int32(tokenizer.VocabSize() + 9)}, false)
	want(t, err, StatusTokenRange)
	_, err = tokenizer.TokenBytes(-1)
	want(t, err, StatusTokenRange)
	_, err = LoadTokenizer("no/such/file")
	want(t, err, StatusFileNotFound)
	tokenizer.Close()
	_, err = tokenizer.Encode("x")
	want(t, err, StatusBadHandle)
}

func TestRandomSplits(t *testing.T) {
	t.Log("seed", seed)
	source, text := rand.New(rand.NewSource(seed)), strings.Repeat(story, 3)
	guard := load(t, "stream")
	whole := open(t, guard, nil)
	_, err := whole.PushPrompt(ctx, prompt)
	need(t, err)
	update, err := whole.PushText(ctx, text)
	check(t, err == nil && len(update.Tokens) > 32, err)
	for i := 0; i < 10; i++ {
		stream, found := open(t, guard, nil), []TokenVerdict(nil)
		_, err := stream.PushPrompt(ctx, prompt)
		need(t, err)
		for rest := text; rest != ""; {
			n := min(1+source.Intn(40), len(rest))
			update, err := stream.PushText(ctx, rest[:n])
			need(t, err)
			found, rest = append(found[:update.First], update.Tokens...), rest[n:]
		}
		same(t, found, update.Tokens)
	}
}

func TestTurnsMarksAndForks(t *testing.T) {
	guard := load(t, "stream")
	stream := open(t, guard, nil)
	verdict, err := stream.PushPrompt(ctx, prompt)
	check(t, err == nil && verdict.Severity == Safe, verdict, err)
	_, err = stream.PushText(ctx, "Once upon ")
	need(t, err)
	mark, err := stream.Mark()
	need(t, err)
	fork, err := stream.Fork()
	need(t, err)
	defer fork.Close()
	_, err = stream.PushText(ctx, threat)
	need(t, err)
	_, err = stream.Rewind(ctx, mark)
	need(t, err)
	var all [2][]TokenVerdict
	for i, each := range []*Stream{stream, fork} {
		_, err = each.PushText(ctx, "a fox. ")
		need(t, err)
		all[i], err = each.Verdicts(0)
		need(t, err)
	}
	same(t, all[0], all[1])
	_, err = stream.RewindToByte(ctx, 5)
	need(t, err)
	info, err := stream.Info()
	check(t, err == nil && info.TurnBytes == 5, info, err)
	turn, err := stream.EndTurn(ctx)
	check(t, err == nil && turn.Role == Assistant && turn.Prompt == nil && turn.Written == nil, turn, err)
	_, err = stream.PushText(ctx, "x")
	want(t, err, StatusInvalidArgument)
	need(t, stream.BeginTurn(User))
	_, err = stream.PushText(ctx, "And?")
	need(t, err)
	turn, err = stream.EndTurn(ctx)
	check(t, err == nil && turn.Prompt != nil, turn, err)
	need(t, stream.Reset())
	_, err = stream.Rewind(ctx, mark)
	want(t, err, StatusInvalidArgument)
	need(t, stream.Restore([]Message{{User, "Hi."}, {Assistant, "Hello."}}))
	_, err = stream.PushConversation(ctx, []Message{{User, "Go on."}})
	need(t, err)
	tokenizer, err := guard.Tokenizer()
	need(t, err)
	ids, err := tokenizer.Encode("A fox.")
	need(t, err)
	tokens, err := stream.PushTokens(ctx, ids)
	check(t, err == nil && len(tokens) == len(ids), tokens, err)
	_, err = stream.PushTokens(ctx, []int32{-1})
	want(t, err, StatusTokenRange)
	endsOfSequence(t, guard, ids)

	a, b := open(t, guard, nil), open(t, guard, nil)
	for _, each := range []*Stream{a, b} {
		_, err = each.PushPrompt(ctx, prompt)
		need(t, err)
	}
	pushes := []StreamPush{{Stream: a, IDs: ids}, {Stream: b, IDs: []int32{-1}}}
	need(t, guard.PushBatch(pushes))
	alone, err := a.Verdicts(0)
	need(t, err)
	same(t, pushes[0].Tokens, alone)
	want(t, pushes[1].Err, StatusTokenRange)
	need(t, guard.PushBatch([]StreamPush{{Stream: a, IDs: constantIDs}}))
	small := open(t, guard, &StreamOptions{MaxTokens: 40})
	_, err = small.PushPrompt(ctx, strings.Repeat(story, 9))
	want(t, err, StatusContextFull)
	small.Close()
	_, err = small.Decision()
	want(t, err, StatusBadHandle)
}

func TestGenerator(t *testing.T) {
	guard := load(t, "gen")
	write := func() (ids []int32) {
		options := DefaultSampling()
		options.Temperature, options.Seed = 1, 7
		writer, err := guard.OpenGenerator(options)
		need(t, err)
		defer writer.Close()
		need(t, writer.SetConversation([]Message{{User, prompt}}))
		start, err := writer.Position()
		need(t, err)
		for i := 0; i < 5; i++ {
			id, _, err := writer.Next(ctx)
			need(t, err)
			ids = append(ids, id)
		}
		need(t, writer.Rewind(start))
		end, err := writer.Position()
		check(t, err == nil && end == start, end, err)
		return ids
	}
	a, b := write(), write()
	for i := range a {
		check(t, a[i] == b[i], a, b)
	}
	writer, err := guard.OpenGenerator(DefaultSampling())
	need(t, err)
	_, _, err = writer.Next(ctx)
	want(t, err, StatusInvalidArgument)
	need(t, writer.SetTokens([]int32{1, 2, 3}))
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = writer.Next(done)
	check(t, errors.Is(err, context.Canceled), err)
	_, err = load(t, "stream").OpenGenerator(DefaultSampling())
	want(t, err, StatusUnsupportedModel)
}

func TestLoadingAndPacking(t *testing.T) {
	var lines []string
	guard, err := LoadEmbedded("nano-stream", &GuardOptions{Log: func(_ LogLevel, line string) { lines = append(lines, line) }})
	need(t, err)
	check(t, len(lines) == 1 && strings.Contains(lines[0], "nano-stream"), lines)
	info, err := guard.Info()
	check(t, err == nil && info.Kind == StreamModel && len(info.ISAAvailable) > 0 && info.Parameters > 1e6, info, err)
	check(t, info.ChatTemplate == TemplateAbsent && info.ChatTemplateFingerprint == "" && TemplateUnknown.String() == "unknown", info)
	plain, err := LoadEmbedded("nano-stream", &GuardOptions{RefuseUnknownTemplate: true, KnownTemplate: "0123456789abcdef"})
	need(t, err) // none is not an unknown one
	plain.Close()
	_, err = LoadEmbedded("nano-stream", &GuardOptions{KnownTemplate: "none"})
	want(t, err, StatusInvalidArgument)
	heads, err := guard.Logits(ctx, []int32{1, 2, 3}, false)
	check(t, err == nil && heads[0].Rows == 3 && len(heads[0].Values) == 3*heads[0].Cols, err)
	_, err = guard.Logits(ctx, nil, true)
	want(t, err, StatusInvalidArgument)

	path := filepath.Join(t.TempDir(), "model.q3g")
	calls := 0
	options := QuantizeOptions{Weights: PackedInt8, Progress: func(int64, int64) bool { calls++; return true }}
	report, err := Quantize(ctx, tiny("gen"), path, options)
	check(t, err == nil && calls > 0, calls, err)
	packed, err := os.ReadFile(path)
	check(t, err == nil && int64(len(packed)) == report.FileBytes, report, err)
	need(t, VerifyPacked(ctx, path))
	_, err = Quantize(ctx, tiny("gen"), path, options)
	want(t, err, StatusIO)
	_, err = Quantize(ctx, "nano-gen", filepath.Join(t.TempDir(), "embedded.q3g"), QuantizeOptions{Embedded: true, Weights: PackedInt8})
	need(t, err)
	options.Overwrite = true
	exact := options
	exact.Embeddings = EmbeddingsPlain
	larger, err := Quantize(ctx, tiny("gen"), filepath.Join(t.TempDir(), "plain.q3g"), exact)
	check(t, err == nil && larger.FileBytes > report.FileBytes, larger, err)
	done, cancel := context.WithCancel(ctx)
	need(t, VerifyPacked(done, path))
	_, err = guard.Logits(done, []int32{1, 2, 3}, false)
	need(t, err)
	soon := time.AfterFunc(5*time.Millisecond, cancel)
	defer soon.Stop()
	_, err = guard.Logits(done, make([]int32, 4000), true) // some tenths of a second: stopped within the call
	check(t, errors.Is(err, context.Canceled) && strings.Contains(err.Error(), "cancel flag is up"), err)
	err = VerifyPacked(done, path)
	check(t, errors.Is(err, context.Canceled) && errors.Is(err, StatusCancelled), err)
	_, err = guard.Logits(done, []int32{1, 2, 3}, false)
	check(t, errors.Is(err, context.Canceled) && errors.Is(err, StatusCancelled), err)
	_, err = Quantize(done, tiny("gen"), path, options)
	check(t, errors.Is(err, context.Canceled), err)
	_, err = Quantize(ctx, "no/such", path, QuantizeOptions{Overwrite: true})
	want(t, err, StatusFileNotFound)
	fromFile, err := Load(path, nil)
	need(t, err)
	a, err := fromFile.ClassifyPrompt(ctx, threat, nil)
	need(t, err)
	fromMemory, err := LoadMemory(packed, nil)
	need(t, err)
	b, err := fromMemory.ClassifyPrompt(ctx, threat, nil)
	check(t, err == nil && a.Probabilities == b.Probabilities, a, b, err)
	fromMemory.Close()
	_, err = LoadMemory(packed[:1000], nil)
	want(t, err, StatusBadCheckpoint)
	// A byte of a matrix: compared by default here, and of a file when that is asked for.
	damaged := append([]byte(nil), packed...)
	damaged[len(damaged)-1000] ^= 1
	_, err = LoadMemory(damaged, nil)
	want(t, err, StatusBadCheckpoint)
	unverified, err := LoadMemory(damaged, &GuardOptions{Verify: VerifyOff})
	need(t, err)
	unverified.Close()
	other := path + ".damaged"
	need(t, os.WriteFile(other, damaged, 0o600))
	_, err = Load(other, &GuardOptions{Verify: VerifyFull})
	want(t, err, StatusBadCheckpoint)
	_, err = Load(other, &GuardOptions{Verify: 3})
	want(t, err, StatusInvalidArgument)
	defer func() { check(t, recover() == "mine") }()
	LoadEmbedded("nano-gen", &GuardOptions{Log: func(LogLevel, string) { panic("mine") }})
	t.Fatal("no panic")
}

// endsOfSequence pushes what a model writes, its end included, and what would forge a turn.
func endsOfSequence(t *testing.T, guard *Guard, ids []int32) {
	t.Helper()
	ctx := context.Background()
	stream, allows := open(t, guard, nil), open(t, guard, &StreamOptions{AllowControlIDs: true})
	verdict, err := stream.PushPrompt(ctx, prompt)
	need(t, err)
	end := verdict.ID // <|im_end|>
	forged := []int32{end, ids[0]}
	_, err = stream.PushTokens(ctx, forged)
	want(t, err, StatusInvalidArgument)
	tokens, err := stream.PushTokens(ctx, append(append([]int32{}, ids...), end))
	need(t, err)
	last := tokens[len(ids)]
	check(t, last.ID == end && last.Source == SourceNone && !last.Counts, last)
	_, err = stream.PushTokens(ctx, ids)
	want(t, err, StatusInvalidArgument)
	turn, err := stream.EndTurn(ctx)
	check(t, err == nil && turn.Decision.Complete, turn, err)
	_, err = allows.PushPrompt(ctx, prompt)
	need(t, err)
	tokens, err = allows.PushTokens(ctx, forged)
	check(t, err == nil && tokens[0].Source == SourceHeads, tokens, err)
}

// The script wants one severity in a row, the report none that is Safe.
func TestRunRules(t *testing.T) {
	pair := []TokenVerdict{
		{Severity: Unsafe, Category: Violent, Source: SourceHeads, Counts: true},
		{Severity: Controversial, Category: PII, Source: SourceHeads, Counts: true},
	}
	var mixed []TokenVerdict
	for i := 0; i < 50; i++ {
		mixed = append(mixed, pair...)
	}
	decision, err := (*Policy)(nil).Decide(Assistant, mixed, true)
	check(t, err == nil && decision.Severity == Safe && decision.Action == Allow, decision, err)
	report := policy(t, `"debounce": {"rule": "report"}`)
	decision, err = report.Decide(Assistant, mixed, true)
	check(t, err == nil && decision.Severity == Unsafe && decision.Reason == ReasonMixedRun, decision, err)
	check(t, decision.HasToken && decision.Token.Category == PII && decision.Action == Block, decision)
	check(t, mixed[0].Action == Allow && mixed[99].Action == Block, mixed[0], mixed[99])
	check(t, ReasonMixedRun.String() == "mixed_run")
}
