"""Locust is imported unpatched before any test module does it: patched, it would stop xdist's worker (``LoopExit``)."""

from tests.support.http import users

__all__ = ["users"]
