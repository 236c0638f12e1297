"""The plan of a run: frozen, complete and valid, stored as ``plan.json``.

The goal of a phase is a number of *users* (closed model) or of *arrivals per second* (open model). Every kind of phase
becomes **segments**, in which the goal changes linearly. The load engine knows only segments.
"""
