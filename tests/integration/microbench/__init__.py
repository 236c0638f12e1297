"""The plugin of ``harness bench``, in a real pytest."""
