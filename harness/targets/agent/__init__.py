"""What runs inside a managed target. This folder is in its PYTHONPATH, so its file names must be unlikely ones.

(The target could import a file here in place of its own of the same name.)
"""
