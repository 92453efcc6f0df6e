// SPDX-License-Identifier: Apache-2.0

package qwen3guard

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

// checkDecision fails for a decision that no stream may have, whatever its state.
func checkDecision(t *testing.T, d Decision) {
	t.Helper()
	check(t, d.Severity != Safe || d.Complete, d)
	check(t, !d.Complete || d.Severity != NotJudged && d.UnjudgedBegin == d.UnjudgedEnd, d)
	check(t, d.Complete || d.Action != Allow, d)
}

// incomplete is the decision of a stream in which something is not judged.
func incomplete(t *testing.T, stream *Stream) Decision {
	t.Helper()
	decision, err := stream.Decision()
	need(t, err)
	checkDecision(t, decision)
	info, err := stream.Info()
	need(t, err)
	check(t, !decision.Complete && decision.UnjudgedEnd <= info.TurnBytes, decision)
	tokens, err := stream.Verdicts(0)
	need(t, err)
	for _, token := range tokens {
		check(t, token.Source != SourceNone || token.Severity == NotJudged && token.Probabilities == Probabilities{}, token)
		check(t, token.Source != SourceCarried || token.Severity != Safe, token)
	}
	return decision
}

// Nothing that was not judged reads as Safe, or as allowed.
func TestZeroValues(t *testing.T) {
	check(t, NotJudged == 0 && NoAction == 0 && SourceNone == 0 && ReasonNone == 0)
	// Severities and actions of every zero value, wherever they are in it.
	var visit func(value reflect.Value)
	visit = func(value reflect.Value) {
		switch each := value.Interface().(type) {
		case Severity:
			check(t, each == NotJudged)
		case Action:
			check(t, each == NoAction)
		case Decision:
			checkDecision(t, each)
			check(t, !each.Complete && !each.Settled)
		}
		for i := 0; value.Kind() == reflect.Struct && i < value.NumField(); i++ {
			if value.Type().Field(i).IsExported() {
				visit(value.Field(i))
			}
		}
	}
	for _, zero := range []any{Verdict{}, BatchVerdict{}, TokenVerdict{}, Decision{}, Turn{}, Event{}, StreamPush{}} {
		visit(reflect.ValueOf(zero))
	}
	explained, err := Decision{}.Explain()
	check(t, err == nil && strings.HasPrefix(explained, "not judged"), explained, err)
	// No name, probability or threshold makes one of it.
	check(t, NotJudged.String() == "not judged" && NoAction.String() == "none")
	for _, name := range []string{"not judged", "safe", ""} {
		severity, err := ParseSeverity(name)
		want(t, err, StatusInvalidArgument)
		check(t, severity == NotJudged, severity)
	}
	p := Probabilities{Safe: 0.5, Controversial: 0.3, Unsafe: 0.2}
	for severity, probability := range map[Severity]float32{NotJudged: 0, Safe: 0.5, Controversial: 0.3, Unsafe: 0.2, 4: 0, -1: 0} {
		check(t, p.Of(severity) == probability, severity)
	}
	for policy, unjudged := range map[*Policy]Action{nil: NoAction, {}: NoAction, policy(t, `"unjudged": "block"`): Block} {
		action, err := policy.UnjudgedAction()
		check(t, err == nil && action == unjudged, action, err)
		ruling, err := policy.DecideVerdict(Verdict{Position: -1}, "")
		check(t, err == nil && ruling.Action == unjudged, ruling, err)
		for _, tokens := range [][]TokenVerdict{nil, make([]TokenVerdict, 5)} {
			for _, hasEnded := range []bool{false, true} {
				decision, err := policy.Decide(Assistant, tokens, hasEnded)
				check(t, err == nil && decision.Severity == NotJudged && !decision.Complete, decision, err)
				check(t, decision.Action == NoAction || hasEnded && decision.Action == unjudged, decision)
			}
		}
	}
}

// Of several conversations each has a verdict or an error, whatever ended the call.
func TestConversationsNotJudged(t *testing.T) {
	guard := load(t, "gen")
	long := []Message{{User, strings.Repeat(story, 20)}} // some 700 tokens: not all are judged at once
	block := policy(t, `"unjudged": "block"`)
	all := [][]Message{long, {{User, "\xff"}}, long, long, long, long, long, long}
	// The numbers of conversations that were judged, and that were stopped.
	count := func(results []BatchVerdict) (judged, stopped int) {
		t.Helper()
		check(t, len(results) == len(all), results)
		for i, result := range results {
			v := result.Verdict
			if result.Err != nil {
				check(t, v.Severity == NotJudged && v.Probabilities == Probabilities{}, i, result)
				check(t, v.Ruling.Action == Block && v.Ruling.Rule == RuleNotJudged && v.Ruling.PolicyName == "test", i, result)
				if errors.Is(result.Err, StatusCancelled) {
					stopped++
				}
			} else {
				check(t, i != 1 && v.Severity != NotJudged && v.Ruling.Action != NoAction, i, result)
				judged++
			}
		}
		return judged, stopped
	}
	// Cancelled in the middle: the rest is the context's error, and so is the call.
	half, cancel := context.WithCancel(ctx)
	results, err := guard.ClassifyBatch(half, all, &ClassifyOptions{Policy: block, Progress: func(int64, int64) bool {
		cancel()
		time.Sleep(50 * time.Millisecond) // until the flag is up
		return true
	}})
	check(t, errors.Is(err, context.Canceled), err)
	judged, stopped := count(results)
	check(t, judged > 0 && stopped > 0, results)
	for _, result := range results {
		check(t, errors.Is(result.Err, context.Canceled) == errors.Is(result.Err, StatusCancelled), result)
	}
	// A deadline in the first forwards.
	late, cancelLate := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancelLate()
	results, err = guard.ClassifyBatch(late, all, &ClassifyOptions{Policy: block})
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	_, stopped = count(results)
	check(t, stopped > 0, results)
	// And after it.
	results, err = guard.ClassifyBatch(late, all, &ClassifyOptions{Policy: block})
	check(t, errors.Is(err, context.DeadlineExceeded), err)
	judged, stopped = count(results)
	check(t, judged == 0 && stopped == len(all), results)
	verdict, err := guard.Classify(late, long, nil)
	check(t, errors.Is(err, context.DeadlineExceeded) && reflect.DeepEqual(verdict, Verdict{}), verdict, err)
	// The caller's own function.
	results, err = guard.ClassifyBatch(ctx, all, &ClassifyOptions{Policy: block, Progress: func(int64, int64) bool { return false }})
	want(t, err, StatusCancelled)
	judged, stopped = count(results)
	check(t, judged > 0 && stopped > 0, results)
	// One that fails is no error of the call.
	results, err = guard.ClassifyBatch(ctx, all[:3], nil)
	check(t, err == nil && results[0].Err == nil && results[2].Err == nil, results, err)
	want(t, results[1].Err, StatusInvalidUTF8)
	check(t, results[1].Verdict.Severity == NotJudged && results[1].Verdict.Ruling.Action == NoAction, results[1])
	// A call that cannot be made.
	results, err = guard.ClassifyBatch(ctx, all, &ClassifyOptions{Policy: block, Thinking: 3})
	want(t, err, StatusInvalidArgument)
	judged, _ = count(results)
	check(t, judged == 0, results)
	guard.Close()
	results, err = guard.ClassifyBatch(ctx, all, &ClassifyOptions{Policy: block})
	want(t, err, StatusBadHandle)
	judged, _ = count(results)
	check(t, judged == 0, results)
}

func TestVerdictPosition(t *testing.T) {
	verdict, err := load(t, "stream").ClassifyPrompt(ctx, prompt, nil)
	check(t, err == nil && verdict.Severity == Safe && verdict.Position > 0 && verdict.Position < verdict.PromptTokens, verdict, err)
	verdict, err = load(t, "gen").ClassifyPrompt(ctx, prompt, nil)
	check(t, err == nil && verdict.Position == -1, verdict, err)
}

// policy is named "test" and has these members.
func policy(t *testing.T, members string) *Policy {
	t.Helper()
	out, err := ParsePolicy(`{"schema": 1, "name": "test", "version": "7", ` + members + "}")
	need(t, err)
	t.Cleanup(out.Close)
	return out
}

// calm is a policy by which nothing is blocked.
func calm(t *testing.T) *Policy {
	t.Helper()
	return policy(t, `"prompt": {"default": "off"}, "response": {"default": "off"}`)
}

func push(t *testing.T, stream *Stream, text string) Update {
	t.Helper()
	update, err := stream.PushText(ctx, text)
	need(t, err)
	return update
}

func TestStreamsNotJudged(t *testing.T) {
	guard := load(t, "stream")
	stream := open(t, guard, nil)
	check(t, incomplete(t, stream).Severity == NotJudged)
	_, err := stream.PushPrompt(ctx, prompt)
	need(t, err)
	check(t, incomplete(t, stream).Severity == NotJudged)
	push(t, stream, "Hello. ")
	decision, err := stream.Decision()
	check(t, err == nil && decision.Severity == Safe && decision.Complete, decision, err)
	// Half a character.
	push(t, stream, "\xe4\xbd")
	decision = incomplete(t, stream)
	check(t, decision.UnjudgedBegin == 7 && decision.UnjudgedEnd == 9, decision)
	push(t, stream, "\xa0")
	// A push that failed, or ran out of time, has not been judged, and is no part of the turn.
	update, err := stream.PushText(ctx, "\xff")
	want(t, err, StatusInvalidUTF8)
	check(t, reflect.DeepEqual(update, Update{}), update)
	late, cancel := context.WithTimeout(ctx, 0)
	defer cancel()
	update, err = stream.PushText(late, threat)
	check(t, errors.Is(err, context.DeadlineExceeded) && reflect.DeepEqual(update, Update{}), update, err)
	turn, err := stream.EndTurn(late)
	check(t, errors.Is(err, context.DeadlineExceeded) && turn.Decision == Decision{}, turn, err)
	token, err := open(t, guard, nil).PushPrompt(late, prompt)
	check(t, errors.Is(err, context.DeadlineExceeded) && token == TokenVerdict{}, token, err)
	_, err = stream.RewindToByte(ctx, 0)
	need(t, err)
	check(t, incomplete(t, stream).Severity == NotJudged)
	// Finished turns that were not judged.
	need(t, stream.Reset())
	need(t, stream.Restore([]Message{{User, prompt}, {Assistant, threat}}))
	check(t, incomplete(t, stream).Severity == NotJudged)
	// Text whose tokens may still change, when it has to wait.
	waiting := open(t, guard, &StreamOptions{HoldUnsettled: true})
	_, err = waiting.PushPrompt(ctx, "Hello!")
	need(t, err)
	push(t, waiting, "Once upon a tim")
	check(t, incomplete(t, waiting).UnjudgedEnd == 15)
	turn, err = waiting.EndTurn(ctx)
	check(t, err == nil && turn.Decision.Complete, turn, err)
	checkDecision(t, turn.Decision)
	// A Gen checkpoint before its first verdict, and behind it.
	written := open(t, load(t, "gen"), nil)
	_, err = written.PushPrompt(ctx, prompt)
	need(t, err)
	push(t, written, "Hello. ")
	decision = incomplete(t, written)
	check(t, decision.UnjudgedBegin == 0 && decision.UnjudgedEnd == 7, decision)
	hasWritten := func() bool {
		tokens, err := written.Verdicts(0)
		need(t, err)
		for _, token := range tokens {
			if token.Source == SourceWritten {
				return true
			}
		}
		return false
	}
	for !hasWritten() {
		push(t, written, story)
	}
	push(t, written, "And more. ")
	info, err := written.Info()
	check(t, err == nil && incomplete(t, written).UnjudgedEnd == info.TurnBytes, info, err)
	turn, err = written.EndTurn(ctx)
	check(t, err == nil && turn.Decision.Complete && turn.Written.Severity == turn.Decision.Severity, turn, err)
}

func TestProvisionalBlock(t *testing.T) {
	stream := judged(t)
	seen := map[bool]int{}
	for i := range threat {
		push(t, stream, threat[i:i+1])
		decision, err := stream.Decision()
		need(t, err)
		checkDecision(t, decision)
		if !decision.HasToken {
			check(t, !decision.Settled, decision)
			continue
		}
		tokens, err := stream.Verdicts(0)
		need(t, err)
		for _, token := range tokens {
			if token.Position == decision.Position {
				check(t, decision.Settled == token.Settled && decision.Ruling.Settled == token.Settled, decision)
			}
		}
		explained, err := decision.Explain()
		check(t, err == nil && strings.Contains(explained, "provisional") != decision.Settled, explained, err)
		seen[decision.Settled]++
	}
	check(t, seen[true] > 0 && seen[false] > 0, seen)
	turn, err := stream.EndTurn(ctx)
	check(t, err == nil && turn.Decision.Action == Block && turn.Decision.Settled && turn.Decision.Ruling.Settled, turn, err)
}

func TestBatchesNotJudged(t *testing.T) {
	guard := load(t, "stream")
	batch, err := guard.OpenBatch(nil)
	need(t, err)
	defer batch.Close()
	id, err := batch.Add(nil)
	need(t, err)
	need(t, batch.PushPrompt(id, "Hello!", -1))
	need(t, batch.PushText(id, "Good morning. ", -1))
	events, err := batch.Poll(ctx, id, time.Millisecond)
	check(t, err == nil && len(events) == 0, events, err) // nobody has judged anything
	next := func() Event {
		_, err := batch.Step(-1, true)
		need(t, err)
		events, err := batch.Poll(ctx, id, 0)
		need(t, err)
		event := events[len(events)-1]
		checkDecision(t, event.Decision)
		return event
	}
	update := next()
	check(t, update.Kind == EventUpdate && update.Decision.Severity == Safe, update)
	need(t, batch.PushText(id, "\xff", -1))
	failed := next()
	want(t, failed.Err, StatusInvalidUTF8)
	check(t, failed.Decision.Severity == NotJudged && !failed.Decision.Complete && len(failed.Update.Tokens) == 0, failed)

	// Pushes that are used again have nothing left of the last call.
	stream := judged(t)
	ids := []int32{1, 2}
	pushes := []StreamPush{{Stream: stream, IDs: ids}}
	need(t, guard.PushBatch(pushes))
	want(t, pushes[0].Err, StatusInvalidArgument) // another guard's stream
	pushes[0].Stream = open(t, guard, nil)
	need(t, guard.PushBatch(pushes))
	want(t, pushes[0].Err, StatusInvalidArgument) // no open turn
	_, err = pushes[0].Stream.PushPrompt(ctx, prompt)
	need(t, err)
	need(t, guard.PushBatch(pushes))
	check(t, pushes[0].Err == nil && len(pushes[0].Tokens) == 2, pushes)
	pushes[0].Stream.Close()
	want(t, guard.PushBatch(pushes), StatusBadHandle)
	want(t, pushes[0].Err, StatusBadHandle)
	check(t, pushes[0].Tokens == nil, pushes)
}

// A writer's Close says when part of the turn was not judged.
func TestWritersNotJudged(t *testing.T) {
	guard := load(t, "stream")
	full := open(t, guard, &StreamOptions{MaxTokens: 64, Context: Some(ContextStop), Policy: calm(t)})
	_, err := full.PushPrompt(ctx, "Hello!")
	need(t, err)
	writer := full.Writer(ctx, nil)
	_, err = io.Copy(writer, strings.NewReader(strings.Repeat(story, 9)))
	check(t, errors.Is(err, ErrNotJudged) && strings.Contains(err.Error(), "of the text were not judged"), err)
	check(t, incomplete(t, full).Action == NoAction)
	check(t, errors.Is(writer.Close(), ErrNotJudged))

	written := open(t, load(t, "gen"), &StreamOptions{Policy: calm(t)})
	_, err = written.PushPrompt(ctx, "Hello!")
	need(t, err)
	writer = written.Writer(ctx, nil)
	_, err = writer.WriteString("Good morning.") // waits for the turn's end
	need(t, err)
	check(t, incomplete(t, written).Severity == NotJudged)
	need(t, writer.Close())

	need(t, judged(t).Writer(ctx, nil).Close()) // nothing was written
	for text, outcome := range map[string]error{"Good morning.": nil, threat: ErrBlocked, "": nil} {
		user := open(t, guard, nil)
		need(t, user.BeginTurn(User))
		writer = user.Writer(ctx, nil)
		_, err = writer.WriteString(text)
		need(t, err)
		err = writer.Close()
		check(t, errors.Is(err, outcome), text, err)
	}
	system := open(t, guard, nil)
	need(t, system.BeginTurn(System))
	writer = system.Writer(ctx, nil)
	_, err = writer.WriteString("Be kind.")
	need(t, err)
	check(t, errors.Is(writer.Close(), ErrNotJudged)) // by nobody
}

// Messages that the Gen template leaves out are named, or an error.
func TestDroppedMessages(t *testing.T) {
	gen, live, ctx := load(t, "gen"), load(t, "stream"), context.Background()
	messages := []Message{{Assistant, "Hello!"}, {User, "Hi"}, {Tool, "x"}, {Assistant, "It is fine."}}
	verdict, err := gen.Classify(ctx, messages, nil)
	need(t, err)
	check(t, reflect.DeepEqual(verdict.DroppedMessages, []int{0, 2}) && verdict.NDroppedMessages == 2, verdict)
	_, err = gen.Classify(ctx, messages, &ClassifyOptions{RejectDropped: Some(true)})
	want(t, err, StatusInvalidArgument)
	verdict, err = live.Classify(ctx, messages, &ClassifyOptions{RejectDropped: Some(true)})
	need(t, err)
	check(t, verdict.DroppedMessages == nil && verdict.NDroppedMessages == 0, verdict)
	many := []Message{}
	for i := 0; i < 40; i++ {
		many = append(many, Message{Tool, "x"})
	}
	verdict, err = gen.Classify(ctx, append(many, Message{User, "Hi"}), nil)
	need(t, err)
	check(t, len(verdict.DroppedMessages) == 31 && verdict.NDroppedMessages == 40, verdict)
	stream := open(t, gen, &StreamOptions{RejectDropped: Some(true)})
	want(t, stream.Restore(messages), StatusInvalidArgument)
	want(t, stream.BeginTurn(Tool), StatusInvalidArgument)
	check(t, Tool.String() == "tool")
}
