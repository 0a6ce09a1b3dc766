"""For the eye: learning curves, learning rates, what is in a workdir."""
