"""Weights of image encoders that others have trained: fetched, read, and checked against ours."""
