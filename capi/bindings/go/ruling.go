// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import "unsafe"

// Ruling is what a policy made of a text, and why. The zero value was not judged.
type Ruling struct {
	Action      Action // what to do
	Rule        Rule   // what in the policy decided
	HasCategory bool   // false: no category's rule decided
	Category    Category
	Score       float32 // the probability that thresholds were compared with; 0 where the category has none
	Phrase      int     // RuleDenyList: the phrase's index in the policy's list; else -1
	// Position is, in streams and of Stream checkpoints, the index in the conversation of the token where it fell; else -1.
	Position int
	// The bytes of the message, or of the turn's text, that it fell on: what to take back begins at ByteBegin. Equal when it
	// is about the whole.
	ByteBegin, ByteEnd int64
	Settled            bool // no text that follows can change it; in a stream it may be taken back while it is false
	PolicyName         string
	PolicyVersion      string
}

func rulingOfVerdict(raw *C.q3g_verdict) Ruling {
	return Ruling{
		Action: Action(raw.action), Rule: Rule(raw.rule), HasCategory: raw.rule_category >= 0,
		Category: Category(max(raw.rule_category, 0)), Score: float32(raw.rule_score), Phrase: int(raw.rule_phrase),
		Position: int(raw.rule_position), ByteBegin: int64(raw.rule_byte_begin), ByteEnd: int64(raw.rule_byte_end),
		Settled: raw.rule_is_settled != 0, PolicyName: textOfChars(raw.policy_name[:]),
		PolicyVersion: textOfChars(raw.policy_version[:]),
	}
}

func rulingOfDecision(raw *C.q3g_decision) Ruling {
	return Ruling{
		Action: Action(raw.ruling_action), Rule: Rule(raw.rule), HasCategory: raw.rule_category >= 0,
		Category: Category(max(raw.rule_category, 0)), Score: float32(raw.rule_score), Phrase: int(raw.rule_phrase),
		Position: int(raw.rule_position), ByteBegin: int64(raw.rule_byte_begin), ByteEnd: int64(raw.rule_byte_end),
		Settled: raw.rule_is_settled != 0, PolicyName: textOfChars(raw.policy_name[:]),
		PolicyVersion: textOfChars(raw.policy_version[:]),
	}
}

func (r *Ruling) toDecision(raw *C.q3g_decision, a *arguments) {
	raw.ruling_action, raw.rule, raw.rule_category = C.int32_t(r.Action), C.int32_t(r.Rule), -1
	if r.HasCategory {
		raw.rule_category = C.int32_t(r.Category)
	}
	raw.rule_score, raw.rule_is_settled = C.float(r.Score), cbool(r.Settled)
	raw.rule_phrase = a.int32("Ruling.Phrase", r.Phrase)
	raw.rule_position = a.int32("Ruling.Position", r.Position)
	raw.rule_byte_begin, raw.rule_byte_end = C.int64_t(r.ByteBegin), C.int64_t(r.ByteEnd)
	charsOf(raw.policy_name[:], r.PolicyName)
	charsOf(raw.policy_version[:], r.PolicyVersion)
}

// textOfChars is a field's text, up to its NUL.
func textOfChars(chars []C.char) string {
	for i, c := range chars {
		if c == 0 {
			return C.GoStringN(&chars[0], C.int(i))
		}
	}
	return C.GoStringN(&chars[0], C.int(len(chars)))
}

// charsOf fills a field that ends with a NUL; what does not fit is cut.
func charsOf(chars []C.char, text string) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&chars[0])), len(chars)-1)
	copy(bytes, text)
}
