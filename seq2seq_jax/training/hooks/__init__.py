"""Hooks observe training without changing it; one file for each."""
