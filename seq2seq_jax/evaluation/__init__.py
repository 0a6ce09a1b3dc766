"""Evaluation: metrics of text, and models on their dev sets."""
