"""The formats of a run: histograms, the journal, the run folder, the summary; their readers and writers."""
