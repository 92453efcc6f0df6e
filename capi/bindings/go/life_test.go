// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"context"
	"errors"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// closedOrFine fails the test for an error that is not that of a closed object.
func closedOrFine(t *testing.T, err error) bool {
	if err != nil && !errors.Is(err, StatusBadHandle) {
		t.Error(err)
	}
	return err == nil
}

func TestCloseDuringCalls(t *testing.T) {
	guard, err := Load(tiny("gen"), nil)
	need(t, err)
	tokenizer, err := guard.Tokenizer()
	need(t, err)
	judge, err := Load(tiny("stream"), nil)
	need(t, err)
	batch, err := judge.OpenBatch(nil)
	need(t, err)
	need(t, batch.Start())
	id, err := batch.Add(nil)
	need(t, err)
	long := strings.Repeat(story, 10)
	var wait sync.WaitGroup
	calls := []func() error{
		func() error { _, err := guard.ClassifyPrompt(ctx, long, nil); return err },
		func() error { _, err := tokenizer.Encode(long); return err },
		func() error { _, err := judge.OpenStream(nil); return err },
		func() error { _, err := batch.Poll(ctx, id, time.Millisecond); return err },
	}
	for i := 0; i < 8; i++ {
		call := calls[i%len(calls)]
		wait.Add(1)
		go func() {
			defer wait.Done()
			for closedOrFine(t, call()) {
			}
		}()
	}
	time.Sleep(20 * time.Millisecond)
	for i := 0; i < 2; i++ {
		for _, each := range []interface{ Close() }{guard, tokenizer, judge, batch} {
			wait.Add(1)
			go func(each interface{ Close() }) {
				defer wait.Done()
				each.Close()
			}(each)
		}
	}
	wait.Wait()
	for _, call := range calls {
		want(t, call(), StatusBadHandle)
	}
}

func TestStreamIsClosedInAPush(t *testing.T) {
	guard := load(t, "stream")
	for i := 0; i < 20; i++ {
		stream, err := guard.OpenStream(nil)
		need(t, err)
		_, err = stream.PushPrompt(ctx, prompt)
		need(t, err)
		begun, ended := make(chan bool), make(chan bool)
		go func() {
			close(begun)
			done, cancel := context.WithCancel(ctx)
			defer cancel()
			_, err := stream.PushText(done, strings.Repeat(story, 10))
			closedOrFine(t, err)
			close(ended)
		}()
		<-begun
		time.Sleep(time.Duration(i) * 100 * time.Microsecond)
		stream.Close()
		_, err = stream.Info()
		want(t, err, StatusBadHandle)
		<-ended
	}
}

// One goroutine at a time: a second one is told.
func TestSecondGoroutine(t *testing.T) {
	stream := judged(t)
	need(t, stream.life.enterAlone())
	_, err := stream.PushText(ctx, "x")
	want(t, err, StatusInvalidArgument)
	batch, err := load(t, "stream").OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	_, err = batch.AddStream(stream)
	want(t, err, StatusInvalidArgument)
	stream.life.leave()
	_, err = stream.PushText(ctx, "x")
	need(t, err)
	batch.Close()
	_, err = batch.AddStream(stream)
	want(t, err, StatusBadHandle)
	_, err = stream.PushText(ctx, "It is still open.")
	need(t, err)

	var wait sync.WaitGroup
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for j := 0; j < 20; j++ {
				if _, err := stream.PushText(ctx, "word "); err != nil && !errors.Is(err, StatusInvalidArgument) {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
}

func TestUseAfterClose(t *testing.T) {
	gen, judge := load(t, "gen"), load(t, "stream")
	tokenizer, err := gen.Tokenizer()
	need(t, err)
	decoder, err := tokenizer.NewDecoder(false)
	need(t, err)
	stream := open(t, judge, nil)
	batch, err := judge.OpenBatch(nil)
	need(t, err)
	writer, err := gen.OpenGenerator(DefaultSampling())
	need(t, err)
	rules := policy(t, `"unjudged": "block"`)
	for _, each := range []interface{ Close() }{gen, judge, tokenizer, decoder, stream, batch, writer, rules} {
		each.Close()
		each.Close()
	}
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	options := &GuardOptions{}
	for i, call := range []func() error{
		func() error { _, err := gen.Info(); return err },
		func() error { _, err := gen.Tokenizer(); return err },
		func() error { _, err := gen.Logits(ctx, []int32{1}, true); return err },
		func() error { _, err := gen.Classify(done, []Message{{User, "x"}}, nil); return err },
		func() error { _, err := gen.ClassifyResponse(ctx, "x", "y", nil); return err },
		func() error { _, err := gen.ClassifyBatch(done, [][]Message{{{User, "x"}}}, nil); return err },
		func() error { _, err := gen.OpenStream(&StreamOptions{Policy: &Policy{}}); return err },
		func() error { _, err := load(t, "stream").OpenStream(&StreamOptions{Policy: rules}); return err },
		func() error {
			_, err := load(t, "gen").ClassifyPrompt(ctx, "x", &ClassifyOptions{Policy: rules})
			return err
		},
		func() error { _, err := rules.Describe(); return err },
		func() error { _, err := rules.UnjudgedAction(); return err },
		func() error { _, err := rules.Decide(Assistant, nil, true); return err },
		func() error { _, err := rules.DecideVerdict(Verdict{Position: -1}, ""); return err },
		func() error { _, err := gen.OpenBatch(nil); return err },
		func() error { _, err := gen.OpenGenerator(DefaultSampling()); return err },
		func() error { return judge.PushBatch([]StreamPush{{Stream: stream}}) },
		func() error { _, err := tokenizer.Decode([]int32{1}, true); return err },
		func() error { _, err := tokenizer.TokenBytes(1); return err },
		func() error { _, err := tokenizer.NewDecoder(true); return err },
		func() error { _, err := decoder.Finish(); return err },
		func() error { _, err := stream.PushPrompt(done, "x"); return err },
		func() error { _, err := stream.EndTurn(ctx); return err },
		func() error { _, err := stream.Fork(); return err },
		func() error { _, err := stream.Mark(); return err },
		func() error { return stream.Reset() },
		func() error { _, err := batch.Add(nil); return err },
		func() error { return batch.Start() },
		func() error { return batch.Visit(1, func(*Stream) { t.Error("visited") }) },
		func() error { _, _, err := writer.Next(done); return err },
		func() error { return writer.SetTokens([]int32{1}) },
		func() error { _, err := (&Stream{}).PushText(done, "a stream that was never opened"); return err },
		func() error { _, err := (&Guard{}).Info(); return err },
	} {
		if err := call(); !errors.Is(err, StatusBadHandle) {
			t.Error(i, err)
		}
	}
	(&Guard{}).Close()
	(&Policy{}).Close()
	(*Policy)(nil).Close()
	(&Stream{}).Close()
	_, ok := tokenizer.FindAdded("<|im_end|>")
	check(t, !ok && tokenizer.VocabSize() == 0 && !tokenizer.IsSpecial(1), options)
}

// A context that is done just when a call ends must not stop the next one.
func TestLateContexts(t *testing.T) {
	t.Log("seed", seed)
	source := rand.New(rand.NewSource(seed))
	stream := judged(t)
	fork, err := stream.Fork()
	need(t, err)
	defer fork.Close()
	writer, err := load(t, "gen").OpenGenerator(DefaultSampling())
	need(t, err)
	defer writer.Close()
	need(t, writer.SetTokens([]int32{1, 2, 3}))
	mark, err := stream.Mark()
	need(t, err)
	begin := time.Now()
	_, err = stream.PushText(ctx, "word word ")
	need(t, err)
	usual, stopped := int64(time.Since(begin)), 0
	for i := 0; i < 1500; i++ {
		done, cancel := context.WithCancel(ctx)
		if i%2 == 0 {
			time.AfterFunc(time.Duration(source.Int63n(2*usual)), cancel)
		} else {
			go cancel()
		}
		_, err := stream.PushText(done, "word ")
		if err != nil {
			check(t, errors.Is(err, context.Canceled) && errors.Is(err, StatusCancelled), err)
			stopped++
		}
		_, err = stream.PushText(ctx, "s")
		need(t, err)
		_, err = stream.Rewind(ctx, mark)
		need(t, err)
		if i%10 == 0 {
			_, err = fork.PushText(ctx, "")
			need(t, err)
			writer.Next(done)
			_, _, err = writer.Next(ctx)
			need(t, err)
			need(t, writer.Rewind(3))
		}
		cancel()
	}
	t.Log(stopped, "of 1500 calls were stopped")
}

func TestGoroutinesEnd(t *testing.T) {
	stream := judged(t)
	before := runtime.NumGoroutine()
	for i := 0; i < 200; i++ {
		done, cancel := context.WithCancel(ctx)
		if i%2 == 0 {
			go cancel()
		}
		stream.PushText(done, "a ")
		cancel()
	}
	for i := 0; runtime.NumGoroutine() > before && i < 1000; i++ {
		time.Sleep(time.Millisecond)
	}
	check(t, runtime.NumGoroutine() <= before, runtime.NumGoroutine(), before)
}

// residentBytes is the process's resident memory; 0 where the system does not tell.
func residentBytes() int {
	data, err := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(data)); err == nil && len(fields) > 1 {
		pages, _ := strconv.Atoi(fields[1])
		return pages * os.Getpagesize()
	}
	return 0
}

// Objects that nobody closes are freed when they are collected.
func TestMemoryStaysFlatWithoutClose(t *testing.T) {
	guard := load(t, "stream")
	round := func() int {
		done, cancel := context.WithCancel(ctx)
		defer cancel()
		for i := 0; i < 150; i++ {
			stream, err := guard.OpenStream(nil)
			need(t, err)
			_, err = stream.PushPrompt(done, prompt)
			need(t, err)
			_, err = stream.Fork()
			need(t, err)
			tokenizer, err := guard.Tokenizer()
			need(t, err)
			_, err = tokenizer.NewDecoder(false)
			need(t, err)
			_, err = PresetPolicy("strict")
			need(t, err)
			if i%10 == 0 {
				batch, err := guard.OpenBatch(nil)
				need(t, err)
				_, err = batch.Add(nil)
				need(t, err)
				runtime.GC()
			}
		}
		for i := 0; i < 4; i++ {
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
		return residentBytes()
	}
	round()
	first := round()
	if first == 0 {
		t.Skip("resident memory is read from /proc/self/statm")
	}
	stream := judged(t)
	info, err := stream.Info()
	need(t, err)
	last := 0
	const rounds = 10
	for i := 0; i < rounds; i++ {
		last = round()
	}
	t.Logf("%d KB after 2 rounds, %d KB after %d; a stream holds %d KB", first>>10, last>>10, 2+rounds, info.MemoryBytes>>10)
	// Were streams kept, each round would add 150 times what one holds. The heap's own ups and downs, a few megabytes, do
	// not grow with the rounds.
	check(t, int64(last-first) < rounds*150/10*info.MemoryBytes, first, last)
}
