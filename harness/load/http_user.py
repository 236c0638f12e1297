"""``harness.HttpUser``: the base class of users that speak HTTP."""

from __future__ import annotations

from locust import FastHttpUser


class HttpUser(FastHttpUser):
    """A Locust user with an HTTP client, ``self.client``; all that ``locust.FastHttpUser`` offers works alike.

    A request that is cut off (its user removed in the middle of it) or whose ``with`` block raises is recorded as a
    failure; Locust leaves both out of its figures.
    """

    abstract = True
