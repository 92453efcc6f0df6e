// SPDX-License-Identifier: Apache-2.0

package qwen3guard

/*
#include <qwen3guard.h>
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Policy says what to do about verdicts: a document (docs/policy.md), read and checked. Immutable; any number of
// goroutines. The zero value and nil are the default policy, which blocks what is Unsafe or Controversial by the published
// evaluation's rule. Streams and batches keep what they need of a policy, which may be closed.
type Policy struct {
	life   life
	handle *C.q3g_policy
}

func newPolicy(make func(out **C.q3g_policy, err *C.q3g_error) C.q3g_status) (*Policy, error) {
	if err := checkLibrary(); err != nil {
		return nil, err
	}
	var handle *C.q3g_policy
	slot := newSlot()
	if err := errorOf(make(&handle, &slot), &slot); err != nil {
		return nil, err
	}
	out := &Policy{handle: handle, life: life{what: "policy", free: func() { C.q3g_policy_free(handle) }}}
	runtime.SetFinalizer(out, (*Policy).Close)
	return out, nil
}

// LoadPolicy reads a policy's file. What is wrong with it is StatusInvalidArgument, with line and path; a file that is not
// there is StatusFileNotFound.
func LoadPolicy(path string) (*Policy, error) {
	return newPolicy(func(out **C.q3g_policy, err *C.q3g_error) C.q3g_status {
		p, n := text(path)
		return C.q3g_policy_load(p, n, out, err)
	})
}

// ParsePolicy reads a policy's JSON text. What is wrong with it is StatusInvalidArgument, with line and path.
func ParsePolicy(json string) (*Policy, error) {
	return newPolicy(func(out **C.q3g_policy, err *C.q3g_error) C.q3g_status {
		p, n := text(json)
		return C.q3g_policy_parse(p, n, out, err)
	})
}

// PresetPolicy is a policy of the library, one of PolicyPresets. Another name is StatusInvalidArgument.
func PresetPolicy(name string) (*Policy, error) {
	return newPolicy(func(out **C.q3g_policy, err *C.q3g_error) C.q3g_status {
		p, n := text(name)
		return C.q3g_policy_preset(p, n, out, err)
	})
}

// PolicyPresets are the names of the policies of the library.
func PolicyPresets() (names []string) {
	for i := C.size_t(0); ; i++ {
		name := C.q3g_policy_preset_name(i)
		if name == nil {
			return names
		}
		names = append(names, C.GoString(name))
	}
}

// Close frees the policy, once; calls that run with it end first.
func (p *Policy) Close() {
	if p == nil {
		return
	}
	p.life.close()
	runtime.SetFinalizer(p, nil)
}

// enter lends the handle, which is nil for the default policy, until leave is called.
func (p *Policy) enter() (handle *C.q3g_policy, leave func(), err error) {
	if p == nil || p.handle == nil {
		return nil, func() {}, nil
	}
	if err := p.life.enter(); err != nil {
		return nil, nil, err
	}
	return p.handle, p.life.leave, nil
}

func (p *Policy) run(call func(handle *C.q3g_policy, err *C.q3g_error) C.q3g_status) error {
	handle, leave, err := p.enter()
	if err != nil {
		return err
	}
	defer leave()
	slot := newSlot()
	return errorOf(call(handle, &slot), &slot)
}

func (p *Policy) text(read func(handle *C.q3g_policy, text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status) (string, error) {
	handle, leave, err := p.enter()
	if err != nil {
		return "", err
	}
	defer leave()
	return readText(func(text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return read(handle, text, capacity, n, err)
	})
}

// JSON is the policy as a document that ParsePolicy reads back to an equal one.
func (p *Policy) JSON() (string, error) {
	return p.text(func(handle *C.q3g_policy, text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_policy_to_json(handle, text, capacity, n, err)
	})
}

// Describe says in plain words what the policy does: some lines for a person.
func (p *Policy) Describe() (string, error) {
	return p.text(func(handle *C.q3g_policy, text *C.char, capacity C.size_t, n *C.size_t, err *C.q3g_error) C.q3g_status {
		return C.q3g_policy_describe(handle, text, capacity, n, err)
	})
}

// UnjudgedAction is what to do about a text that could not be judged, because a call failed: NoAction or Block, never to
// allow it. NoAction with an error.
func (p *Policy) UnjudgedAction() (Action, error) {
	var out C.int32_t
	err := p.run(func(handle *C.q3g_policy, err *C.q3g_error) C.q3g_status {
		return C.q3g_policy_unjudged_action(handle, &out, err)
	})
	return Action(out), err
}

// DecideVerdict is what this policy makes of a verdict that was given under another one, or was stored: bit for bit what
// classifying under it would have given. message is what was judged, which only a policy with lists needs. A Stream
// checkpoint's verdict is StatusInvalidArgument: its tokens are for Decide.
func (p *Policy) DecideVerdict(verdict Verdict, message string) (Ruling, error) {
	var a arguments
	raw := verdict.toC(&a)
	if a.err != nil {
		return Ruling{}, a.err
	}
	err := p.run(func(handle *C.q3g_policy, err *C.q3g_error) C.q3g_status {
		m, n := text(message)
		return C.q3g_policy_decide_verdict(handle, &raw, m, n, err)
	})
	if err != nil {
		return Ruling{}, err
	}
	return rulingOfVerdict(&raw), nil
}

// Decide is the decision over the verdicts of one turn of this role, whose Action it sets. hasEnded: the turn is over.
// Lists have no part in it.
func (p *Policy) Decide(role Role, tokens []TokenVerdict, hasEnded bool) (Decision, error) {
	var a arguments
	out, raw := newDecision(), newTokens(len(tokens))
	for i := range tokens {
		tokens[i].toC(&raw[i], &a)
	}
	if a.err != nil {
		return Decision{}, a.err
	}
	err := p.run(func(handle *C.q3g_policy, err *C.q3g_error) C.q3g_status {
		at, n := unsafe.SliceData(raw), C.size_t(len(raw))
		return C.q3g_policy_decide(handle, C.int32_t(role), at, n, cbool(hasEnded), &out, err)
	})
	if err != nil {
		return Decision{}, err
	}
	for i := range tokens {
		tokens[i].Action = Action(raw[i].action)
	}
	return decisionOf(&out), nil
}
