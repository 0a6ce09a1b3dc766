"""Image captioning: all code for images."""
