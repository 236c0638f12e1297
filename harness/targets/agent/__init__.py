"""What runs inside a managed target. This folder stands in its PYTHONPATH: keep its file names unlikely.

(A file here could be imported by the target in place of its own of the same name.)
"""
