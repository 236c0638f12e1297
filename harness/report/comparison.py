"""The run beside its baseline, by phase, endpoint and metric, as the report's table shows it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.record.baseline import Baseline, Interval
from harness.record.summary import Figures, Summary

METRICS = ("p50", "p95", "p99", "mean", "error_rate", "throughput")
