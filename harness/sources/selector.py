"""Which samples of a Prometheus page a name means: ``http_requests_total{status="500"}``, ``shop_*``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

_SELECTOR = re.compile(r"([a-zA-Z_:*?][\w:*?]*)\s*(?:\{(.*)\})?")
_LABEL = re.compile(r"""\s*([a-zA-Z_]\w*)\s*=\s*(?:"([^"]*)"|'([^']*)')\s*(?:,|$)""")
_OF_HISTOGRAMS = ("_sum", "_count")


@dataclass(frozen=True)
class Selector:
    """``text`` as written; ``name`` may be a pattern, and ``labels`` must be equal."""

    text: str
    name: str
    labels: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Selector | None:
        """None if ``text`` names no series."""
        found = _SELECTOR.fullmatch(text.strip())
        if found is None:
            return None
        labels, at, inside = {}, 0, found[2] or ""
        while at < len(inside):
            label = _LABEL.match(inside, at)
            if label is None:
                return None
            labels[label[1]] = label[2] if label[2] is not None else label[3]
            at = label.end()
        return cls(text.strip(), found[1], labels)

    @cached_property
    def is_pattern(self) -> bool:
        return "*" in self.name or "?" in self.name

    @cached_property
    def prefix(self) -> str:
        """What the names of all its samples begin with."""
        return re.split(r"[*?]", self.name)[0]

    def key(self, family: str, sample: str, labels: Mapping[str, str]) -> str | None:
        """Under which name a sample counts; None if it does not."""
        if self.labels and any(labels.get(name) != value for name, value in self.labels.items()):
            return None
        if self.is_pattern:
            return sample if fnmatchcase(sample, self.name) or fnmatchcase(family, self.name) else None
        if sample == self.name:
            return self.text
        if family != self.name:
            return None
        part = next((part for part in _OF_HISTOGRAMS if sample == family + part), None)
        if part is not None:
            return self.text + part
        return self.text if sample == f"{family}_total" else None
