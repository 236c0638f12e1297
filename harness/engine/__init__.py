"""Locust runners, the HTTP user and its client, arrivals, recording: the only code that runs under gevent."""
