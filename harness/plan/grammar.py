"""The grammar of requirements, and what its words are called in messages.

It accepts any word as a metric and any unit. Both are checked afterwards, so that a message can name the wrong word and
suggest the right one.
"""

from __future__ import annotations

from harness.metrics.faults import RECOVERY_TIME
from harness.metrics.named import PATTERN as NAMED
from harness.metrics.series import PATTERN

GRAMMAR = rf"""
condition: group ("or"i group)*
group: comparison ("and"i comparison)*
comparison: (WORD | SERIES | NAMED | RECOVERY "(" condition ")") (COMPARATOR _limit | NO STEP DIRECTION) _fault?
_fault: (DURING | AFTER) FAULT
benchmark: BENCH "(" NAME ")" "." WORD COMPARATOR _limit
_limit: NUMBER UNIT? | BASELINE (SIGN NUMBER UNIT?)?

BASELINE: "baseline"i
NO: "no"i
STEP: "step"i
DIRECTION: "up"i | "down"i
BENCH: "bench"i
NAME: /"[^"]*"|'[^']*'/
FAULT: /"[^"]*"|'[^']*'/
RECOVERY.2: /{RECOVERY_TIME}(?=\s*\()/i
DURING.2: /during\b/i
AFTER.2: /after\b/i
SERIES.2: /{PATTERN}/
NAMED.2: /{NAMED}/
WORD: /[a-zA-Z_][\w.]*/
COMPARATOR: /[<>=!]+|≤|≥/
NUMBER: /[+-]?(\d+(\.\d+)?|\.\d+)/
SIGN: "+" | "-"
UNIT: /[a-zA-Zµ]+(\s*\/\s*[a-zA-Z]+)?|%|\/\s*[a-zA-Z]+/

%ignore /[ \t\f\r\n]+/
"""

EXPECTED = {
    "WORD": "a metric",
    "COMPARATOR": "a comparison (<, <=, >, >=)",
    "NO": '"no step"',
    "STEP": '"step"',
    "DIRECTION": '"up" or "down"',
    "NUMBER": "a number",
    "BASELINE": '"baseline"',
    "UNIT": "a unit",
    "SIGN": "+ or -",
    "OR": '"or"',
    "AND": '"and"',
    "$END": "the end",
    "BENCH": "bench(…)",
    "DURING": '"during"',
    "AFTER": '"after"',
    "FAULT": "a fault's name in quotes",
    "NAME": "a benchmark's name in quotes",
    "LPAR": "(",
    "RPAR": ")",
    "DOT": "a dot",
}
