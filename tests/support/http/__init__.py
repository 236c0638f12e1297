"""Servers, certificates and users for the tests of the HTTP client."""
