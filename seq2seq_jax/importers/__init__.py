"""Models that google/seq2seq has trained."""
