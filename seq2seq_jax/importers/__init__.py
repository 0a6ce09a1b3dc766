"""Import of models that google/seq2seq has trained."""
