"""Locust's runners, the HTTP client, arrivals, recording: the only code that runs under gevent."""
