"""Trained text models in forms that need neither this package nor training data."""
