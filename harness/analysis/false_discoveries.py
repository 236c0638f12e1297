"""Which of many tests count: at 5 %, five of a hundred find something where there is nothing.

The procedure of Benjamini & Hochberg (1995, JRSS B 57(1)); valid for tests that vary together (Benjamini & Yekutieli
2001, Annals of Statistics 29(4)). ``scipy.stats`` has it, too, but takes 0.7 s of CPU to import.
"""

from __future__ import annotations

from collections.abc import Collection


def highest_that_counts(p_values: Collection[float], rate: float) -> float:
    """The p-value up to which tests count, so that at most a share ``rate`` of those is expected to be chance.

    -1 if none counts.
    """
    ranked = enumerate(sorted(p_values), start=1)
    return max((p for rank, p in ranked if p <= rate * rank / len(p_values)), default=-1.0)
