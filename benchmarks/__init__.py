"""Measurements that back the figures in README.md: each a program that prints a table and a JSON line."""
