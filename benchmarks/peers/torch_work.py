"""Measurements that the toolkits on PyTorch share."""

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.cases import (
    CASES,
    LEARNING_RATE,
    SpecialIds,
    make_sources,
    target_tokens,
)
from benchmarks.timing import latencies, rates, time_runs
from benchmarks.work import Work, train_batches, training_work

IDS = SpecialIds(first_word=4, start=2, end=3, padding=1)
"""UNK has id 0."""

TorchBatch = dict[str, torch.Tensor]


def measure_steps(
    work: Work,
    model: torch.nn.Module,
    token_mean: Callable[[TorchBatch], torch.Tensor],
    *,
    before_update: Callable[[], None] = lambda: None,
    ids: SpecialIds = IDS,
    fused: bool = False,
) -> dict[str, Any]:
    """Time training steps with Adam.

    Args:
      work: The measurement.
      model: The model.
      token_mean: Computes the loss of a batch: sum(loss) / sum(tokens).
      before_update: Called after the backward pass.
      ids: The ids of the toolkit.
      fused: Whether Adam updates all parameters at once.
    """
    batches = train_batches(work, ids)
    tensors = [{name: _long(array) for name, array in batch.items()} for batch in batches]
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=fused)
    model.train()

    def step(batch: TorchBatch) -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = token_mean(batch)
        loss.backward()
        before_update()
        optimizer.step()
        return loss.item()

    runs = time_runs(lambda: [step(batch) for batch in tensors], work.seconds)
    losses = [loss for output in runs.outputs for loss in output]
    return {
        **rates("tok", target_tokens(batches), runs),
        "step_cpu_ms": round(1e3 * min(runs.cpu) / len(batches), 2),
        "step_ms_median": round(1e3 * statistics.median(runs.wall) / len(batches), 3),
        **training_work(work, batches),
        "loss_first": round(losses[0], 4),
        "loss_last": round(losses[-1], 4),
        "finite": bool(np.all(np.isfinite(losses))),
        "params": count(model),
    }


def measure_search(
    work: Work,
    model: torch.nn.Module,
    search: Callable[[torch.Tensor, torch.Tensor], Any],
    *,
    ids: SpecialIds = IDS,
) -> dict[str, Any]:
    """Time a search.

    Args:
      work: The measurement.
      model: The model.
      search: Maps source_ids [B, S] and source_len [B] to B sequences of tokens.
      ids: The ids of the toolkit.
    """
    ids_array, lengths = make_sources(CASES[work.case], work.batch_size, ids)
    sources, source_len = _long(ids_array), _long(lengths)
    model.eval()
    with torch.inference_mode():
        runs = time_runs(lambda: search(sources, source_len), work.seconds)
    return {
        **rates("sent", work.batch_size, runs),
        **latencies(runs),
        "out_lens": sorted({len(words) for words in runs.outputs[0]}),
        "params": count(model),
    }


def count(model: torch.nn.Module) -> int:
    """Count the parameters of a model.

    Args:
      model: The model.
    """
    return sum(parameter.numel() for parameter in model.parameters())


def _long(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.int64))
