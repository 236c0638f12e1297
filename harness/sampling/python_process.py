"""Whether there is a Python program to look into."""

from __future__ import annotations

from pathlib import Path

from harness.sampling.process_tree import process_trees


def runs_python(pid: int) -> bool:
    """Whether a process of a tree can be looked into: it runs Python, or hides what it runs."""
    (tree,) = process_trees(pid)
    return not tree or any(map(_may_run_python, tree))


def _may_run_python(pid: int) -> bool:
    try:
        program = Path(f"/proc/{pid}/exe").readlink()
        if program.name.startswith("python"):
            return True
        return "libpython" in Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except PermissionError:
        return True
    except OSError:  # it has ended
        return False
