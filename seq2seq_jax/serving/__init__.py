"""The HTTP service: requests are gathered into batches, and answered by one thread per model."""
