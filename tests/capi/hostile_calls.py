# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of hostile_calls_test from the header: every function with a thunk that calls it, what each of its
parameters and each field of a struct is, and so what may be done to it. hostile.h says what the kinds mean.

    hostile_calls.py HEADER_READER_FOLDER OUTPUT.c

What the header says in words only stands in the lists below. A number or pointer that no rule knows is an error, so
that nothing new goes untested."""

import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import header  # noqa: E402

# Values of a list of constants, or 0 and 1: name -> how many. `struct.field`, or a parameter of any function.
CHOICES = {
    "role": 3, "q3g_policy_decide.role": 4, "special": 2, "last_only": 2, "skip_special": 2, "has_ended": 2, "must_run": 2, "severity": 4,
    "q3g_guard_options.require_tokenizer": 2, "q3g_guard_options.verify": 3, "q3g_guard_options.unknown_template": 2, "q3g_message.role": 4,
    "q3g_classify_options.decoder": 2, "q3g_classify_options.thinking": 3,
    "q3g_classify_options.invalid_utf8": 2, "q3g_classify_options.dropped_messages": 2, "q3g_classify_options.long_text": 2,
    "q3g_stream_options.dropped_messages": 2, "q3g_stream_options.invalid_utf8": 2, "q3g_stream_options.context": 3,
    "q3g_stream_options.thinking": 3, "q3g_stream_options.judge_unsettled": 2,
    "q3g_stream_options.allow_control_ids": 2, "q3g_quantize_options.type": 4,
    "q3g_quantize_options.embeddings": 3,
    "q3g_hold_back_options.reports_provisional": 2, "q3g_quantize_options.overwrite": 2, "q3g_quantize_options.keep_prefix": 2,
    "q3g_token_verdict.severity": 4, "q3g_token_verdict.category": 9, "q3g_token_verdict.source": 4,
    "q3g_token_verdict.action": 4, "q3g_token_verdict.counts": 2, "q3g_token_verdict.is_settled": 2,
    "q3g_decision.severity": 4, "q3g_decision.reason": 5, "q3g_decision.action": 4, "q3g_decision.is_complete": 2,
    "q3g_decision.has_token": 2, "q3g_decision.is_settled": 2, "q3g_decision.token_severity": 4,
    "q3g_decision.category": 9,
    "q3g_decision.source": 4, "q3g_decision.ruling_action": 4, "q3g_decision.rule": 8, "q3g_decision.rule_category": 9,
    "q3g_decision.rule_is_settled": 2, "q3g_mark.is_closed": 2,
    "q3g_verdict.role": 4, "q3g_verdict.severity": 4, "q3g_verdict.action": 4, "q3g_verdict.rule": 8,
    "q3g_verdict.rule_category": 9, "q3g_verdict.rule_is_settled": 2,
}
# Of these -1 is a value too: from the policy; no category.
OR_NONE = {
    "q3g_classify_options.dropped_messages", "q3g_classify_options.long_text", "q3g_stream_options.dropped_messages",
    "q3g_stream_options.context", "q3g_decision.rule_category", "q3g_verdict.rule_category",
}
# What a verdict that is ruled on again is read for; its other fields are results alone.
RULED_ON = {
    "role", "severity", "action", "p_safe", "p_controversial", "p_unsafe", "position", "n_categories", "categories",
    "category_probabilities", "rule", "rule_category", "rule_phrase", "rule_position", "rule_is_settled", "rule_score",
    "rule_byte_begin", "rule_byte_end",
}
# Any value may be given; which are good is not the interface's matter.
NUMBERS = {
    "status", "action", "category", "source", "reason", "rule", "index", "id", "position", "begin", "n_bytes", "session",
    "q3g_guard_options.n_threads", "q3g_guard_options.max_context_tokens", "q3g_guard_options.kept_tokens",
    "q3g_stream_options.max_tokens", "q3g_stream_options.gen_interval_tokens", "q3g_token_verdict.position",
    "q3g_token_verdict.id", "q3g_token_verdict.byte_begin", "q3g_token_verdict.byte_end", "q3g_decision.position",
    "q3g_decision.unjudged_begin", "q3g_decision.unjudged_end", "q3g_decision.n_run_tokens",
    "q3g_decision.run_byte_begin", "q3g_decision.byte_begin", "q3g_decision.byte_end",
    "q3g_decision.token_id", "q3g_mark.turn", "q3g_mark.n_units", "q3g_batch_options.max_step_tokens",
    "q3g_batch_options.max_session_tokens", "q3g_batch_options.memory_budget_bytes",
    "q3g_batch_options.max_waiting_bytes", "q3g_sampling_options.top_k", "q3g_sampling_options.seed",
    "q3g_hold_back_options.buffer_tokens", "q3g_hold_back_options.max_retries",
    "q3g_quantize_options.group_size", "q3g_quantize_options.n_threads", "q3g_decision.rule_phrase",
    "q3g_decision.rule_position", "q3g_decision.rule_byte_begin", "q3g_decision.rule_byte_end", "q3g_verdict.position",
    "q3g_verdict.n_categories", "q3g_verdict.categories", "q3g_verdict.rule_phrase", "q3g_verdict.rule_position",
    "q3g_verdict.rule_byte_begin", "q3g_verdict.rule_byte_end",
}
# May be NULL. What is called options or policy, and every error slot, always may.
OPTIONAL = {
    "q3g_guard_load_memory.release", "q3g_stream_set_cancel.cancel", "q3g_guard_logits.cancel", "q3g_verify_packed.cancel",
    "q3g_stream_push_prompt.out", "q3g_stream_push_conversation.out", "update",
    "q3g_stream_end_turn.turn", "q3g_stream_end_turn.decision", "q3g_stream_end_turn.prompt",
    "q3g_stream_end_turn.written", "q3g_batch_step.n_tokens", "q3g_events_turn.prompt", "q3g_events_turn.written",
    "q3g_hold_back_take.decision", "q3g_generator_next.is_end", "report", "q3g_guard_options.isa", "q3g_guard_options.known_template", "q3g_guard_options.allocator",
    "q3g_guard_options.log", "q3g_classify_options.cancel", "q3g_classify_options.progress", "q3g_verdict.text",
    "q3g_stream_options.cancel", "q3g_sampling_options.cancel", "q3g_quantize_options.cancel",
    "q3g_allocator.release", "q3g_quantize_options.progress",
}
# Structs that are read and written.
IN_AND_OUT = {"q3g_policy_decide.tokens", "q3g_policy_decide_verdict.verdict", "q3g_guard_push_batch.pushes"}
# What is counted by something other than the value behind it.
COUNTED_BY = {
    "q3g_guard_classify_batch.out": "n_conversations", "q3g_guard_classify_batch.errors": "n_conversations",
    "q3g_stream_push_tokens.tokens": "n_ids", "q3g_stream_push.tokens": "n_ids",
}
# What bytes that are no text lead to, where it is not Q3G_E_INVALID_UTF8; None: the bytes are no text.
NOT_TEXT = {
    "q3g_parse_severity.name": "Q3G_E_INVALID_ARGUMENT", "q3g_parse_category.name": "Q3G_E_INVALID_ARGUMENT",
    "q3g_policy_parse.json": "Q3G_E_INVALID_ARGUMENT", "q3g_policy_preset.name": "Q3G_E_INVALID_ARGUMENT",
    # No policy that has no lists looks at it.
    "q3g_policy_decide_verdict.text": "Q3G_OK",
    "q3g_guard_load_embedded.name": "Q3G_E_FILE_NOT_FOUND", "q3g_quantize_embedded.name": "Q3G_E_FILE_NOT_FOUND",
    "q3g_tokenizer_find_bytes.bytes": None,
    "q3g_tokenizer_find_added.text": "Q3G_OK", "q3g_file.bytes": None,
    # Texts of a batch fail one by one; a stream's text may go on where it stops, and \xFF cannot.
    "q3g_batch_push_prompt.prompt": "Q3G_OK", "q3g_batch_push_text.text": "Q3G_OK",
}
PATHS = {"path", "model_dir", "out_file", "file"}
# Floats where NaN is not looked for: they are data, as the library gave it.
DATA = {"q3g_token_verdict", "q3g_decision", "q3g_verdict"}
INTEGERS = {"int32_t", "uint32_t", "int64_t", "uint64_t", "size_t", "q3g_status"}


class Tables:
    def __init__(self, found: header.Header):
        self.header = found
        self.callbacks = {c.name for c in found.callbacks}
        self.used: set[str] = set()

    def is_in(self, owner: str, value: header.Value, names: set[str]) -> bool:
        for key in (f"{owner}.{value.name}", value.name):
            if key in names:
                self.used.add(key)
                return True
        return False

    def count_of(self, owner: str, value: header.Value, values: list[header.Value]) -> int:
        """The index of the value that counts this one's elements; -1: one element."""
        names = [v.name for v in values]
        if by := COUNTED_BY.get(f"{owner}.{value.name}"):
            return names.index(by)
        at = names.index(value.name) + 1
        if at < len(values) and values[at].type == header.Type("size_t"):
            name = values[at].name
            if name.startswith("n_") or name.endswith("_bytes") or name.endswith("capacity"):
                return at
        return -1

    def counters(self, owner: str, values: list[header.Value]) -> set[int]:
        return {self.count_of(owner, v, values) for v in values if v.type.n_stars}

    def scalar(self, owner: str, value: header.Value, is_count: bool, is_struct: bool) -> tuple[str, str]:
        """Kind and number of choices."""
        name = value.type.name
        if name in self.callbacks:
            return "CALLBACK", "0"
        if is_struct and value.name == "struct_size":
            return "SIZE", "0"
        if value.name == "reserved":
            return "RESERVED", "0"
        if is_count:
            return "COUNT", "0"
        if name == "char":  # text in place, which policy_part.c looks at
            return "OUTPUT", "0"
        if name in ("float", "double"):
            return "REAL", "0"
        if is_struct and f"{owner}.{value.name}" not in CHOICES and not self.is_input(owner):
            return "OUTPUT", "0"
        if owner == "q3g_verdict" and value.name not in RULED_ON:
            return "OUTPUT", "0"
        if owner == "q3g_stream_push" and value.name == "status":
            return "OUTPUT", "0"
        for key in (f"{owner}.{value.name}",) if is_struct else (f"{owner}.{value.name}", value.name):
            if key in CHOICES and not owner.endswith("_name"):
                return "CHOICE", str(CHOICES[key])
            if key in NUMBERS or owner.endswith("_name"):
                return "NUMBER", "0"
        raise SystemExit(f"hostile_calls.py: what is {owner}.{value.name}? A choice or a number")

    def is_input(self, struct: str) -> bool:
        key = header.Type(struct, True, 1)
        values = [v for f in self.header.functions for v in f.parameters] + [
            v for s in self.header.structs for v in s.fields]
        return struct in ("q3g_stream_push", "q3g_verdict") or any(v.type == key for v in values)

    def pointer(self, owner: str, value: header.Value, count: int) -> str:
        kind = value.type
        if kind.n_stars == 2:
            return "NEW_HANDLE" if kind.name in self.header.handles else "PLACE"
        if kind.name in self.header.handles:
            return "HANDLE"
        if kind.name == "q3g_error":
            return "ERROR_SLOT"
        if self.header.struct(kind.name):
            return "STRUCT"
        if kind == header.Type("void", False, 1):
            return "USER"
        if kind.is_const:
            if kind.name in ("char", "void"):
                return "TEXT" if count >= 0 else "C_STRING"
            return "ARRAY"
        return "BUFFER" if count >= 0 else "PLACE"

    def row(self, owner: str, value: header.Value, values: list[header.Value], is_struct: bool) -> str:
        key = f"{owner}.{value.name}"
        count, choices, element, struct = -1, "0", "0", "NULL"
        if value.type.n_stars:
            count = self.count_of(owner, value, values)
            kind = self.pointer(owner, value, count)
            stars = "*" * (value.type.n_stars - 1)
            if kind in ("STRUCT", "ERROR_SLOT"):
                struct = f"&struct_{value.type.name}"
            if value.type.name != "void" and kind not in ("HANDLE",):
                element = f"sizeof({value.type.name}{stars})"
        else:
            is_count = [v.name for v in values].index(value.name) in self.counters(owner, values)
            kind, choices = self.scalar(owner, value, is_count, is_struct)
            element = f"sizeof({value.type.name})"
        if is_struct and kind == "BUFFER" and key not in OPTIONAL or is_struct and owner == "q3g_error":
            kind = "OUTPUT"
        if is_struct and not self.is_input(owner) and kind != "SIZE":
            kind = "OUTPUT"
        flags = []
        if owner == "q3g_verdict" and value.name not in ("struct_size", "text", "text_capacity"):
            if value.name in RULED_ON:
                flags.append("IS_RESULT")
            else:
                kind = "OUTPUT"
        if key in OR_NONE:
            flags.append("OR_NONE")
        if value.name in ("options", "policy") or kind == "ERROR_SLOT" or self.is_in(owner, value, OPTIONAL):
            flags.append("IS_OPTIONAL")
        if kind == "STRUCT":
            if value.type.is_const or key in IN_AND_OUT:
                flags.append("IS_READ")
            if not value.type.is_const:
                flags.append("IS_WRITTEN")
        if kind == "TEXT" and value.name in PATHS:
            flags.append("IS_PATH")
        if kind == "REAL" and owner in DATA:
            flags.append("IS_DATA")
        status = NOT_TEXT.get(key, "Q3G_E_INVALID_UTF8")
        if status is None:
            flags.append("IS_BYTES")
        offset = f"offsetof({owner}, {value.name})" if is_struct else "0"
        return (f'    {{"{value.name}", {kind}, {offset}, {element}, {value.length}, {struct}, "{value.type.name}", '
                f'{count}, {choices}, {" | ".join(flags) or 0}, {status or "Q3G_OK"}}},')

    def thunk(self, function: header.Function) -> list[str]:
        arguments = []
        for i, p in enumerate(function.parameters):
            kind = p.type
            if kind.n_stars:
                text = f"({'const ' if kind.is_const else ''}{kind.name}{'*' * kind.n_stars})a[{i}].pointer"
            elif kind.name in self.callbacks:
                text = f"({kind.name})a[{i}].function"
            else:
                text = f"a[{i}].{kind.name}_"
            arguments.append(text)
        call = f"{function.name}({', '.join(arguments)})"
        result = function.result
        if result.n_stars:
            body = f"r->text = {call};"
        elif result.name == "void":
            body = f"{call};"
        elif result.name == "q3g_status":
            body = f"r->status = {call};"
        else:
            body = f"r->number = (size_t){call};"
        unused = [] if function.parameters else ["  (void)a;"]
        unused += ["  (void)r;"] if result == header.Type("void") else []
        return [f"static void call_{function.name}(const argument* a, outcome* r) {{", *unused, f"  {body}", "}"]

    def write(self) -> str:
        out = ["// SPDX-License-Identifier: Apache-2.0", "// Generated by hostile_calls.py.", '#include "hostile.h"', ""]
        for struct in self.header.structs:
            out.append(f"static const struct_type struct_{struct.name};")
        for struct in self.header.structs:
            out += ["", f"static const value fields_{struct.name}[] = {{"]
            out += [self.row(struct.name, f, struct.fields, True) for f in struct.fields]
            out += ["};", f'static const struct_type struct_{struct.name} = {{"{struct.name}", sizeof({struct.name}), '
                          f"fields_{struct.name}, {len(struct.fields)}}};"]
        rows, inits = [], []
        for function in self.header.functions:
            name = function.name
            if name.endswith("_init"):
                struct = function.parameters[0].type.name
                out += ["", f"static q3g_status call_{name}(void* at, size_t size) {{ return {name}(({struct}*)at, size); }}"]
                inits.append(f'    {{"{name}", call_{name}, sizeof({struct}), "{struct}"}},')
                continue
            out += ["", *self.thunk(function)]
            if function.parameters:
                out += [f"static const value parameters_{name}[] = {{"]
                out += [self.row(name, p, function.parameters, False) for p in function.parameters] + ["};"]
            result = "RETURNS_TEXT" if function.result.n_stars else {
                "void": "RETURNS_NOTHING", "q3g_status": "RETURNS_STATUS"}.get(function.result.name, "RETURNS_NUMBER")
            parameters = f"parameters_{name}" if function.parameters else "NULL"
            rows.append(f'    {{"{name}", call_{name}, {parameters}, {len(function.parameters)}, {result}}},')
        out += ["", "const function all_functions[] = {", *rows, "};", f"const size_t n_all_functions = {len(rows)};", "",
                "const init_function all_inits[] = {", *inits, "};", f"const size_t n_all_inits = {len(inits)};", ""]
        if unused := OPTIONAL - self.used:
            raise SystemExit(f"hostile_calls.py: not in the header: {sorted(unused)}")
        return "\n".join(out)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(Tables(header.read()).write())
