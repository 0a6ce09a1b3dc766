"""The commands that make, examine and prepare corpora, and the flags that name them."""
