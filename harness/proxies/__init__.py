"""A TCP proxy in a separate process, which forwards or impairs connections; independent of the plan."""
