"""What shop and vendor ask of the machine before they serve."""

from __future__ import annotations

import resource

from harness.shop.serving import allow_many_files


def test_as_many_connections_may_be_open_as_the_machine_lets_it_ask_for() -> None:
    _, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    try:
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
