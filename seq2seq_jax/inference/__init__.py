"""From a trained model to text: greedy search and beam search over one step function."""
