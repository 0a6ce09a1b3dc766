"""Pretrained weights of image encoders: fetching, reading, and checking that they fit."""
