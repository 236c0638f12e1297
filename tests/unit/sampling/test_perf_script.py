"""What is read of the lines that ``perf script`` prints."""

from __future__ import annotations

from harness.sampling.perf_script import samples_in

PRINTED = """\
node  16/17 12895.509419: 
\t          100891 LazyCompile:*render file:///srv/app.js:12:8 (/tmp/perf-16.map)
\t    7f6eafcda9c0 main+0x12 (/usr/bin/node)

V8 Worker, 2 16/18 12895.60: 
\t          100892 LazyCompile:*render file:///srv/app.js:12:8 (/tmp/perf-16.map)
\t    7f6eafcda9d0 main+0x22 (/usr/bin/node)

node  16/17 12895.7: 

node  16/17 12895.8: 
\t           cafe0 [unknown] ([unknown])
"""  # noqa: W291


def test_each_sample_has_its_thread_its_time_and_its_frames() -> None:
    first, second, nameless = samples_in(PRINTED.splitlines(keepends=True))
    assert (first.at_s, first.pid, first.tid, first.program) == (12895.509419, 16, 17, "node")
    assert first.frames == ("main (node)", "render (app.js:12)")
    assert (second.tid, second.program) == (18, "V8 Worker, 2")
    assert nameless.frames == ("[unknown] ([unknown])",)


def test_equal_stacks_are_kept_once() -> None:
    first, second, *_ = samples_in(PRINTED.splitlines(keepends=True))
    assert first.frames is second.frames
