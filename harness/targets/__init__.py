"""The system under test: starts it or attaches to it, and ends it with all its processes; checks the machine."""
