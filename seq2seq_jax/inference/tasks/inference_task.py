"""What else can be done with predictions, one after the other."""

from seq2seq_jax.inference.prediction import Prediction
from seq2seq_jax.inference.predictor import Predictor

__all__ = ["InferenceTask"]


class InferenceTask:
    """The base of all tasks; one of your own overrides what it needs.

    Attributes:
      attention: whether its predictions must have attention.
      history: whether they must have the history of the search.
    """

    attention = False
    history = False

    def begin(self, predictor: Predictor) -> None:
        """Called before the first prediction."""

    def run(self, number: int, prediction: Prediction) -> Prediction | None:
        """Called for each prediction, in the order of the sources.

        Args:
          number: of the source, from 0.

        Returns:
          what the tasks after this one get, and what is written, in the prediction's place; None
          leaves it as it is.
        """
        return None

    def end(self) -> None:
        """Called when there are no more, also where an error was the reason."""
