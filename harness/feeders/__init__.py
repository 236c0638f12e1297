"""Rows for users: readers of CSV, JSON lines and Parquet, and the file that load workers share."""
