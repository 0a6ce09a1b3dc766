"""The task that writes beam searches as arrays."""

import numpy as np

from seq2seq_jax.inference.predictions import BeamTrace, Prediction
from seq2seq_jax.inference.predictor import Predictor
from seq2seq_jax.inference.tasks.array_file import ArrayFile
from seq2seq_jax.inference.tasks.inference_task import InferenceTask
from seq2seq_jax.utils.errors import UserError


class DumpBeams(InferenceTask):
    """Writes the searches of N sources, with K hypotheses and at most T steps, to one `.npz` file.

      predicted_ids [N, T, K]     the token chosen at each step
      beam_parent_ids [N, T, K]   the beam index, before the step, of the hypothesis it extends
      log_probs [N, T, K]         log-probability of the hypothesis so far; -inf if there is none
      scores [N, T, K]            what the hypothesis was ranked by
      steps [N]                   number of steps of the source, 0 for an empty source
      beam_indices [N, K]         the beam index after the last step of each hypothesis, best first

    After the last step of a source the tokens are SEQUENCE_END and the scores stay as they were.
    Greedy search has K = 1.
    """

    needs_beam_trace = True

    def __init__(
        self,
        file: str = "",
        *,
        key: str = "DumpBeams",
    ) -> None:
        """Initialize the task.

        Args:
          file: The `.npz` file for the beams.
          key: Dotted key of these parameters, for errors.

        Raises:
          UserError: The file is not given.
        """
        if not file:
            raise UserError(f"{key}.file", "is empty; name a file")
        self._path = file if file.endswith(".npz") else f"{file}.npz"
        self._traces: list[BeamTrace | None] = []

    def begin(self, predictor: Predictor) -> None:
        """Create the file.

        Args:
          predictor: Its search has the beam width.

        Raises:
          UserError: The file cannot be created.
        """
        self._file = ArrayFile(self._path)
        self._eos_id = predictor.vocabularies.target.sequence_end_id
        self._beam_width = max(1, predictor.inference.beam_search.beam_width)

    def run(self, number: int, prediction: Prediction) -> None:
        """Remember the beam trace of one source.

        Args:
          number: Number of the source.
          prediction: Has the beam trace.
        """
        self._traces.append(prediction.beam_trace)

    def end(self) -> None:
        """Pad the beam traces to the same number of steps and write them."""
        steps = np.array([0 if t is None else len(t.tokens) for t in self._traces], np.int32)
        shape = (len(steps), int(steps.max(initial=0)), self._beam_width)
        tokens = np.full(shape, self._eos_id, np.int32)
        parents = np.tile(np.arange(self._beam_width, dtype=np.int32), (*shape[:2], 1))
        log_probs, scores = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        indices = np.tile(np.arange(self._beam_width, dtype=np.int32), (len(steps), 1))
        for number, trace in enumerate(self._traces):
            if trace is None:
                continue
            count = steps[number]
            tokens[number, :count] = trace.tokens
            parents[number, :count] = trace.backpointers
            log_probs[number, :count] = trace.log_probs
            log_probs[number, count:] = trace.log_probs[-1]
            scores[number, :count] = trace.scores
            scores[number, count:] = trace.scores[-1]
            indices[number] = trace.beam_indices
        arrays = {
            "predicted_ids": tokens,
            "beam_parent_ids": parents,
            "log_probs": log_probs,
            "scores": scores,
            "steps": steps,
            "beam_indices": indices,
        }
        for name, array in arrays.items():
            self._file.add(name, array)
        self._file.close()
