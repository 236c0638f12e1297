"""The run folder as one typed thing: what was planned, on which machine, and the streams that were recorded."""
