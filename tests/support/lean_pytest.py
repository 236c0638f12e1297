"""What sessions of pytest that a test starts leave out."""

from __future__ import annotations

LEAN = "-p no:locust -p no:hypothesispytest -p no:anyio -p no:pact"
"""Plugins that take longer to import than such a session does otherwise."""
