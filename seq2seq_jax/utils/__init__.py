"""Errors, atomic files, the cache directory and logging."""
