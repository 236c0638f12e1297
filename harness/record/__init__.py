"""The formats of a run (histograms, journal, run folder, summary), their readers and writers."""
