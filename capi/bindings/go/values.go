// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import "unsafe"

// ParseSeverity is the inverse of String for all but NotJudged, which no name stands for.
func ParseSeverity(name string) (Severity, error) {
	var out C.int32_t
	slot := newSlot()
	p, n := text(name)
	status := C.q3g_parse_severity(p, n, &out, &slot)
	return Severity(out), errorOf(status, &slot)
}

// ParseCategory is the inverse of String.
func ParseCategory(name string) (Category, error) {
	var out C.int32_t
	slot := newSlot()
	p, n := text(name)
	status := C.q3g_parse_category(p, n, &out, &slot)
	return Category(out), errorOf(status, &slot)
}

// nameOf names a constant that the C library has no name for.
func nameOf(value int32, names ...string) string {
	if value < 0 || int(value) >= len(names) {
		return "unknown"
	}
	return names[value]
}

// Fails to compile against a header with another number of categories than the arrays below have.
var _ [C.Q3G_CATEGORY_COUNT]float32 = TokenVerdict{}.CategoryProbabilities

// Probabilities of the three severities; their sum is 1, or 0 where nothing was judged.
type Probabilities struct {
	Safe, Controversial, Unsafe float32
}

// Of is the probability of a severity; 0 for NotJudged and those that this package does not know.
func (p Probabilities) Of(severity Severity) float32 {
	switch severity {
	case Safe:
		return p.Safe
	case Controversial:
		return p.Controversial
	case Unsafe:
		return p.Unsafe
	}
	return 0
}

// Message is one turn of a conversation. The text should be UTF-8; what is not is an error of the call.
type Message struct {
	Role Role
	Text string
}

// CategoryScore is a category with its probability.
type CategoryScore struct {
	Category    Category
	Probability float32
}

// Verdict is the judgement of the last message of a conversation. The zero value was not judged.
type Verdict struct {
	Severity      Severity      // no policy changes it
	Ruling        Ruling        // what the policy makes of it: Ruling.Action is what a host should do
	Role          Role          // whose message it was
	Probabilities Probabilities // at the token that Position names
	// Position is, of a Stream checkpoint's verdict, the index in the conversation of the token whose probabilities and
	// category these are: of a prompt the token that closes it; of a response the one where the decision fell, or when it
	// is Safe the last one that is Safe. -1 for a Gen checkpoint's.
	Position           int
	Categories         []CategoryScore // most relevant first; empty when Safe
	HasRefusal         bool            // Gen judged a response
	Refusal            bool
	RefusalProbability float32
	PromptTokens       int
	CachedTokens       int
	GeneratedTokens    int
	LatencyMs          float64
	Text               string // as the model wrote it; Gen only
	// DroppedMessages are the indices of the messages (of a stream: turns) that the Gen template left out: an assistant's
	// that came first, a system's that did not, a tool's. Nothing of them was seen. The first 31; NDroppedMessages is how
	// many there are.
	DroppedMessages  []int
	NDroppedMessages int
	Window           *Window // the message did not fit the context, and this part of it was the worst
	OfFoldedCopy     bool    // the folded copy of the message was worse than the message itself
}

// Window is the part of a long message that a verdict is about (LongTextWindows).
type Window struct {
	Index, Windows     int   // which of how many
	ByteBegin, ByteEnd int64 // of the message
}

// TokenVerdict is the judgement of one token. The zero value was not judged.
type TokenVerdict struct {
	// Severity is NotJudged when Source is SourceNone, and when a Safe verdict is carried, which was not about this token.
	Severity              Severity
	Probabilities         Probabilities // all 0 when Source is SourceNone
	Category              Category      // meaningful unless Safe
	CategoryProbabilities [9]float32
	Position              int // token index in the conversation
	ID                    int32
	Source                Source
	// Action is what the policy does from this token on: the strictest action so far, until the debounce releases it;
	// NoAction where nothing was judged yet.
	Action             Action
	Counts             bool
	Settled            bool  // no text that follows can change the token; false: the verdict is provisional
	ByteBegin, ByteEnd int64 // in the turn's text
}

// Decision is what the policy made of a turn so far. The zero value was not judged.
//
// A ruling can be taken back while Ruling.Settled is false: "sex" may become "sexton". A host that must not act on a
// provisional block holds the text back until the block is settled or gone.
type Decision struct {
	Severity  Severity // Safe only when Complete; NotJudged when part of the turn was not judged and nothing worse was found
	Position  int      // of the token where it fell; -1 when none did
	Reason    Reason
	RunTokens int
	// Action is what to do now: the ruling's, or a milder one when the debounce has released it. NoAction, never Allow,
	// while the decision is not complete.
	Action   Action
	Ruling   Ruling // the strictest of the turn, and where it fell
	Settled  bool   // a token decided, and no text that follows can change it; false: the decision may be taken back
	Complete bool   // every byte of the turn's text so far was judged, and there is at least one
	// What of the turn's text was not judged; equal when Complete, or when there is no text.
	UnjudgedBegin, UnjudgedEnd int64
	RunByteBegin               int64
	HasToken                   bool // the rest is about the token where it fell; false when the context slid over it, too
	Token                      TokenVerdict
}

// Update is what a change did to the verdicts of the open turn: those before First stand, Tokens take the place of
// all others, and those before Settled are final.
type Update struct {
	First         int
	Tokens        []TokenVerdict
	Settled       int
	StoppedAtByte int64 // -1: judging has not stopped
}

// Turn is what a turn came to.
type Turn struct {
	Role     Role
	Decision Decision
	Prompt   *TokenVerdict // of a user's turn
	Written  *Verdict      // by a Gen checkpoint
}

// Mark is a place in a conversation, for Rewind.
type Mark struct {
	turn     uint64
	units    int64
	isClosed int32
}

func probabilitiesOf(safe, controversial, unsafe C.float) Probabilities {
	return Probabilities{float32(safe), float32(controversial), float32(unsafe)}
}

func (p Probabilities) toC() (safe, controversial, unsafe C.float) {
	return C.float(p.Safe), C.float(p.Controversial), C.float(p.Unsafe)
}

func tokenOf(raw *C.q3g_token_verdict) TokenVerdict {
	return TokenVerdict{
		Severity:              Severity(raw.severity),
		Probabilities:         probabilitiesOf(raw.p_safe, raw.p_controversial, raw.p_unsafe),
		Category:              Category(raw.category),
		CategoryProbabilities: *(*[9]float32)(unsafe.Pointer(&raw.category_probabilities)),
		Position:              int(raw.position), ID: int32(raw.id), Source: Source(raw.source),
		Action: Action(raw.action), Counts: raw.counts != 0, Settled: raw.is_settled != 0,
		ByteBegin: int64(raw.byte_begin), ByteEnd: int64(raw.byte_end),
	}
}

func (t *TokenVerdict) toC(raw *C.q3g_token_verdict, a *arguments) {
	raw.struct_size = C.uint32_t(unsafe.Sizeof(*raw))
	raw.severity, raw.category = C.int32_t(t.Severity), C.int32_t(t.Category)
	raw.p_safe, raw.p_controversial, raw.p_unsafe = t.Probabilities.toC()
	*(*[9]float32)(unsafe.Pointer(&raw.category_probabilities)) = t.CategoryProbabilities
	raw.position, raw.id, raw.source = a.int32("TokenVerdict.Position", t.Position), C.int32_t(t.ID), C.int32_t(t.Source)
	raw.action, raw.counts, raw.is_settled = C.int32_t(t.Action), cbool(t.Counts), cbool(t.Settled)
	raw.byte_begin, raw.byte_end = C.int64_t(t.ByteBegin), C.int64_t(t.ByteEnd)
}

// newTokens makes room for n verdicts.
func newTokens(n int) []C.q3g_token_verdict {
	out := make([]C.q3g_token_verdict, n)
	if n > 0 {
		out[0].struct_size = C.uint32_t(unsafe.Sizeof(out[0]))
	}
	return out
}

func tokensOf(raw []C.q3g_token_verdict) []TokenVerdict {
	out := make([]TokenVerdict, len(raw))
	for i := range raw {
		out[i] = tokenOf(&raw[i])
	}
	return out
}

func newDecision() C.q3g_decision {
	return C.q3g_decision{struct_size: C.uint32_t(unsafe.Sizeof(C.q3g_decision{}))}
}

func decisionOf(raw *C.q3g_decision) Decision {
	out := Decision{
		Severity: Severity(raw.severity), Position: int(raw.position), Reason: Reason(raw.reason),
		RunTokens: int(raw.n_run_tokens), Action: Action(raw.action), Ruling: rulingOfDecision(raw),
		Settled: raw.is_settled != 0, Complete: raw.is_complete != 0,
		UnjudgedBegin: int64(raw.unjudged_begin), UnjudgedEnd: int64(raw.unjudged_end),
		RunByteBegin: int64(raw.run_byte_begin), HasToken: raw.has_token != 0,
	}
	if out.HasToken {
		out.Token = TokenVerdict{
			Severity:              Severity(raw.token_severity),
			Probabilities:         probabilitiesOf(raw.p_safe, raw.p_controversial, raw.p_unsafe),
			Category:              Category(raw.category),
			CategoryProbabilities: *(*[9]float32)(unsafe.Pointer(&raw.category_probabilities)),
			Position:              int(raw.position), ID: int32(raw.token_id), Source: Source(raw.source),
			Counts: true, Settled: raw.is_settled != 0, ByteBegin: int64(raw.byte_begin), ByteEnd: int64(raw.byte_end),
		}
	}
	return out
}

// Explain says the decision in one sentence for a person.
func (d Decision) Explain() (string, error) {
	var a arguments
	raw := newDecision()
	raw.severity, raw.reason = C.int32_t(d.Severity), C.int32_t(d.Reason)
	raw.position = a.int32("Decision.Position", d.Position)
	raw.n_run_tokens = a.int32("Decision.RunTokens", d.RunTokens)
	raw.action, raw.is_complete = C.int32_t(d.Action), cbool(d.Complete)
	d.Ruling.toDecision(&raw, &a)
	raw.unjudged_begin, raw.unjudged_end = C.int64_t(d.UnjudgedBegin), C.int64_t(d.UnjudgedEnd)
	raw.run_byte_begin, raw.has_token = C.int64_t(d.RunByteBegin), cbool(d.HasToken)
	raw.token_severity, raw.category = C.int32_t(d.Token.Severity), C.int32_t(d.Token.Category)
	raw.token_id, raw.source = C.int32_t(d.Token.ID), C.int32_t(d.Token.Source)
	raw.is_settled = cbool(d.Settled)
	raw.byte_begin, raw.byte_end = C.int64_t(d.Token.ByteBegin), C.int64_t(d.Token.ByteEnd)
	raw.p_safe, raw.p_controversial, raw.p_unsafe = d.Token.Probabilities.toC()
	*(*[9]float32)(unsafe.Pointer(&raw.category_probabilities)) = d.Token.CategoryProbabilities
	if a.err != nil {
		return "", a.err
	}
	return readText(func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_decision_explain(&raw, text, capacity, n, err)
	})
}

func turnOf(role, hasPrompt, hasWritten C.int32_t, decision *C.q3g_decision, prompt *C.q3g_token_verdict, written *verdictPlace) Turn {
	out := Turn{Role: Role(role), Decision: decisionOf(decision)}
	if hasPrompt != 0 {
		token := tokenOf(prompt)
		out.Prompt = &token
	}
	if hasWritten != 0 {
		verdict := verdictOf(&written.raw, written.text)
		out.Written = &verdict
	}
	return out
}
