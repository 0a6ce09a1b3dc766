"""Readers of parallel text, one file a format."""
