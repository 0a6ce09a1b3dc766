"""The arrays that models receive."""

from collections.abc import Mapping
from typing import Any

Batch = Mapping[str, Any]
"""Arrays by name: the source as the model's `encoder_inputs` reads it; source_len [B]; target_ids
[B, T] from SEQUENCE_START to SEQUENCE_END, target_len [B]. A row of length 0 is padding."""

NonTrainable = Mapping[str, Any]
"""A model's non-trainable variables: weights that are not trained (`frozen`), `batch_stats`."""
