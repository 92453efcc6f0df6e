// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// A verdict's text is never lost: what does not fit is asked for again.
func TestLongVerdictText(t *testing.T) {
	guard := load(t, "gen")
	whole, err := guard.ClassifyPrompt(ctx, threat, &ClassifyOptions{Greedy: true})
	need(t, err)
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(nil)
	need(t, err)
	need(t, batch.PushPrompt(id, prompt, -1))
	need(t, batch.PushText(id, threat, -1))
	need(t, batch.EndTurn(id, -1))
	_, err = batch.Step(-1, true)
	need(t, err)
	stream := open(t, guard, nil)
	_, err = stream.PushPrompt(ctx, prompt)
	need(t, err)
	_, err = stream.PushText(ctx, threat)
	need(t, err)

	defer func(n int) { verdictTextBytes = n }(verdictTextBytes)
	verdictTextBytes = 8
	again, err := guard.ClassifyPrompt(ctx, threat, &ClassifyOptions{Greedy: true})
	check(t, err == nil && len(whole.Text) > 8 && again.Text == whole.Text, again, err)
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	all, err := guard.ClassifyBatch(done, [][]Message{{{User, threat}}, {{User, "\xff"}}}, nil)
	check(t, err == nil && all[0].Err == nil && strings.HasPrefix(all[0].Verdict.Text, "Safety: "), all, err)
	want(t, all[1].Err, StatusInvalidUTF8)
	events, err := batch.Poll(ctx, id, 0)
	need(t, err)
	end := events[len(events)-1]
	check(t, end.Turn.Written != nil && strings.HasPrefix(end.Turn.Written.Text, "Safety: "), end)
	turn, err := stream.EndTurn(ctx)
	want(t, err, StatusInternal)
	check(t, turn.Written.Severity == end.Turn.Written.Severity && turn.Role == Assistant, turn)
}

func TestTexts(t *testing.T) {
	gen, judge := load(t, "gen"), load(t, "stream")
	tokenizer, err := judge.Tokenizer()
	need(t, err)
	spare := strings.Clone("some text")
	for _, s := range []string{"", spare[len(spare):], "a\x00b", "\x00", strings.Repeat(" ", 5000), strings.Repeat("\u00ef", 99)} {
		ids, err := tokenizer.Encode(s)
		need(t, err)
		check(t, cap(ids) <= 2*len(ids), len(ids), cap(ids))
		back, err := tokenizer.Decode(ids, false)
		check(t, err == nil && back == s, back, err)
	}
	for _, s := range []string{"", "a\x00b"} {
		_, err = gen.Classify(ctx, []Message{{System, s}, {User, s}}, nil)
		need(t, err)
		stream := open(t, judge, nil)
		_, err = stream.PushPrompt(ctx, s)
		need(t, err)
		update, err := stream.PushText(ctx, s)
		check(t, err == nil && (len(update.Tokens) == 0) == (s == ""), update, err)
	}
	long := strings.Repeat(story, 1<<14)
	_, err = gen.ClassifyPrompt(ctx, long, nil)
	want(t, err, StatusContextFull)
	_, err = judge.Logits(ctx, []int32{}, true)
	want(t, err, StatusInvalidArgument)
	for _, path := range []string{"", "a\x00b", "\xff"} {
		_, err = Load(path, nil)
		check(t, err != nil, path)
	}
}

// Numbers that do not fit, or are out of range, are errors that name the field.
func TestArguments(t *testing.T) {
	guard := load(t, "stream")
	huge := math.MaxInt
	stream := open(t, guard, nil)
	var calls = map[string]func() error{
		"GuardOptions.Threads":   func() error { _, err := LoadEmbedded("nano-gen", &GuardOptions{Threads: huge}); return err },
		"GuardOptions.ISA":       func() error { _, err := LoadEmbedded("nano-gen", &GuardOptions{ISA: "a\x00"}); return err },
		"a file's name":          func() error { _, err := LoadFiles(map[string][]byte{"a\x00": nil}, nil); return err },
		"StreamOptions.MaxToken": func() error { _, err := guard.OpenStream(&StreamOptions{MaxTokens: huge}); return err },
		"StreamOptions.Gen":      func() error { _, err := guard.OpenStream(&StreamOptions{GenIntervalTokens: huge}); return err },
		"context is 7":           func() error { _, err := guard.OpenStream(&StreamOptions{Context: Some(ContextPolicy(7))}); return err },
		"BatchOptions.MemoryBudgetBytes": func() error {
			_, err := guard.OpenBatch(&BatchOptions{MemoryBudgetBytes: -1})
			return err
		},
		"BatchOptions.MaxWaitingBytes": func() error { _, err := guard.OpenBatch(&BatchOptions{MaxWaitingBytes: -1}); return err },
		"QuantizeOptions.GroupSize": func() error {
			_, err := Quantize(ctx, "x", "y", QuantizeOptions{GroupSize: huge})
			return err
		},
		"SamplingOptions.TopK": func() error { _, err := guard.OpenGenerator(SamplingOptions{TopK: huge}); return err },
		"TokenVerdict.Position": func() error {
			_, err := (&Policy{}).Decide(Assistant, []TokenVerdict{{Position: huge}}, true)
			return err
		},
		"Verdict.Position": func() error { _, err := (&Policy{}).DecideVerdict(Verdict{Position: huge}, ""); return err },
		"Verdict.Categories": func() error {
			_, err := (&Policy{}).DecideVerdict(Verdict{Position: -1, Categories: make([]CategoryScore, 10)}, "")
			return err
		},
		"Ruling.Phrase": func() error { _, err := Decision{Ruling: Ruling{Phrase: huge}}.Explain(); return err },
		"long_text": func() error {
			_, err := guard.ClassifyPrompt(ctx, "x", &ClassifyOptions{LongText: Some(LongText(7))})
			return err
		},
		"Decision.RunTokens":      func() error { _, err := Decision{RunTokens: huge}.Explain(); return err },
		"pushes[0].Stream is nil": func() error { return guard.PushBatch([]StreamPush{{}}) },
		"pushes[1].Stream": func() error {
			return guard.PushBatch([]StreamPush{{Stream: stream}, {Stream: stream}})
		},
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, StatusInvalidArgument) || !strings.Contains(err.Error(), name) {
			t.Error(name, err)
		}
	}
	_, err := stream.Info() // the refused pushes have left it
	need(t, err)
}

func TestConstantsNames(t *testing.T) {
	for want, got := range map[string]interface{ String() string }{
		"gen": GenModel, "stream": StreamModel, "turn_end": EventTurnEnd, "int4": PackedInt4, "warning": LogWarning,
		"slide": ContextSlide, "skip": ThinkingSkip, "unknown": EventKind(9), "update": EventUpdate,
	} {
		check(t, got.String() == want, got, want)
	}
	check(t, Category(-1).String() == "unknown" && Status(77).Error() == "unknown", Status(77))
	need(t, abiMismatch(1, 1))
	err := abiMismatch(2, 1)
	check(t, strings.Contains(err.Error(), "has version 2") && strings.Contains(err.Error(), "version 1:"), err)
}

// Files follow one another in the block: on boundaries, apart, within it, wherever it begins.
func TestFilesInABlock(t *testing.T) {
	files := map[string][]byte{"": nil, "empty": {}}
	for i := 0; i < 9; i++ {
		files[strings.Repeat(string(rune('a'+i)), 8+i)] = []byte(strings.Repeat(string(rune('A'+i)), 64*i))
	}
	size := fileAlignment
	for name, data := range files {
		size += spaceOf(name, data)
	}
	for shift := 0; shift < fileAlignment; shift++ {
		room := make([]byte, size+2*fileAlignment)
		at := int(-uintptr(unsafe.Pointer(&room[0]))%fileAlignment) + shift
		for i := range room {
			room[i] = '#'
		}
		for _, file := range copyFiles(room[at:at+size:at+size], files) {
			name := unsafe.Slice((*byte)(unsafe.Pointer(file.name)), 20)
			found := string(name[:strings.IndexByte(string(name), 0)])
			data := string(unsafe.Slice((*byte)(file.bytes), int(file.n_bytes)))
			check(t, uintptr(file.bytes)%fileAlignment == 0 && data == string(files[found]), found, data)
		}
		check(t, strings.Trim(string(room[:at])+string(room[at+size:]), "#") == "", shift)
	}
	_, err := LoadFiles(nil, nil)
	check(t, err != nil, "no files")
	_, err = LoadFiles(files, nil)
	check(t, err != nil, "no model")
}

func TestStoppedPacking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.q3g")
	short, cancel := context.WithTimeout(ctx, 2*time.Millisecond)
	defer cancel()
	_, err := Quantize(short, tiny("gen"), path, QuantizeOptions{Weights: PackedInt4})
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	want(t, err, StatusCancelled)
	_, err = os.Stat(path)
	check(t, errors.Is(err, os.ErrNotExist), err)
	_, err = Quantize(ctx, tiny("gen"), path, QuantizeOptions{Progress: func(int64, int64) bool { return false }})
	want(t, err, StatusCancelled)
	later, cancelLater := context.WithCancel(ctx)
	cancelLater()
	_, err = load(t, "gen").ClassifyBatch(later, [][]Message{{{User, "x"}}}, nil)
	check(t, errors.Is(err, context.Canceled), err)
	var none context.Context // as Background
	_, err = load(t, "gen").ClassifyPrompt(none, prompt, nil)
	need(t, err)
}
