"""The system under test: started or attached to, and ended with all its processes."""
