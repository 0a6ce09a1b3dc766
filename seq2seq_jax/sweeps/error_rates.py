"""Error rates in the form of sacreBLEU's metrics, so that its paired tests apply to them."""

from collections.abc import Sequence
from typing import Any

from sacrebleu.metrics.base import Metric, Score, Signature

from seq2seq_jax.evaluation.metrics import nearest_reference


class _Signature(Signature):
    """The signature of an error rate: how texts are split into symbols."""

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__(args)
        self._abbr["symbols"] = "sym"
        self.info["symbols"] = "characters" if args["by_character"] else "tokens"


class ErrorRate(Metric):
    """The token or the sequence error rate against the nearest reference, in percent.

    It is that of `ErrorRateMetricSpec`, whose definition it shares.
    """

    _SIGNATURE_TYPE = _Signature

    def __init__(self, name: str, *, by_character: bool = False) -> None:
        """Initialize a metric.

        Args:
          name: "token_error_rate" or "sequence_error_rate".
          by_character: Symbols are characters instead of tokens between white space.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.name, self.by_character = name, by_character

    def _preprocess_segment(self, sent: str) -> str:
        return sent.strip()

    def _split(self, text: str) -> list[str]:
        return list(text) if self.by_character else text.split()

    def _extract_reference_info(self, refs: Sequence[str]) -> dict[str, Any]:
        return {"references": list(map(self._split, refs))}

    def _compute_segment_statistics(self, hypothesis: str, ref_kwargs: dict[str, Any]) -> list[int]:
        tokens = self._split(hypothesis)
        errors, length = nearest_reference(tokens, ref_kwargs["references"])
        return [int(errors > 0), 1] if self.name == "sequence_error_rate" else [errors, length]

    def _compute_score_from_stats(self, stats: Sequence[float]) -> Score:
        errors, total = stats
        return Score(self.name, 100.0 * float(errors) / max(float(total), 1.0))

    def _aggregate_and_compute(self, stats: Sequence[Sequence[int]]) -> Score:
        return self._compute_score_from_stats([sum(column) for column in zip(*stats, strict=True)])
