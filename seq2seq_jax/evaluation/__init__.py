"""Measuring a model: metrics of text, and a model on a dev set."""
