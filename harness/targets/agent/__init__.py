"""What runs inside a managed target, from its PYTHONPATH; so file names must be unlikely ones.

(The target could import a file here in place of its own of the same name.)
"""
