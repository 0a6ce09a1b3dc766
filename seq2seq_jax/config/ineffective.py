"""Settings without effect: what a file or a flag writes although another key switches it off."""

import functools
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

_log = logging.getLogger(__name__)


class _Switch(NamedTuple):
    """A key that switches others off.

    Attributes:
      keys: Names of the keys that it switches off, separated by blanks.
      switches: The keys that decide, separated by blanks; all of them must be off.
      is_off: Tells from the value of such a key whether it is off.
      only: The only value of the keys that is concerned; None: all values that switch on anything.
    """

    keys: str
    switches: str
    is_off: Callable[[Any], bool] = lambda value: not value
    only: object = None


def _is_one(value: float) -> bool:
    return value == 1


def _has_no_feature_encoder(combine: str) -> bool:
    return combine in ("none", "source")


def _is_greedy(beam_width: int) -> bool:
    return beam_width <= 1


_CELL = (
    _Switch("residual_connections residual_combiner", "num_layers", _is_one),
    _Switch("residual_combiner", "residual_connections"),
    _Switch("residual_combiner", "residual_dense", only="mean"),
    _Switch("variational_dropout", "dropout_input_keep_prob dropout_output_keep_prob", _is_one),
    _Switch("cell_params.proj_clip", "cell_params.num_proj"),
    _Switch("cell_params.norm_gain cell_params.norm_shift", "cell_params.layer_norm"),
)
_SWITCHES: tuple[tuple[str, tuple[_Switch, ...]], ...] = (
    ("encoder.params.rnn_cell.", _CELL),
    ("decoder.params.rnn_cell.", _CELL),
    ("features.encoder.params.rnn_cell.", _CELL),
    (
        "features.",
        (
            _Switch("encoder.class", "combine", _has_no_feature_encoder),
            _Switch("max_seq_len unk_probability", "combine", lambda combine: combine == "none"),
        ),
    ),
    ("encoder.params.position_embeddings.", (_Switch("combiner_fn num_positions", "enable"),)),
    (
        "optimizer.",
        (
            _Switch(
                "lr_decay_steps lr_decay_rate lr_start_decay_at lr_stop_decay_at"
                " lr_min_learning_rate lr_staircase",
                "lr_decay_type",
            ),
            _Switch("lr_plateau_factor", "lr_plateau_patience"),
        ),
    ),
    (
        "",
        (
            _Switch(
                "early_stopping_patience optimizer.lr_plateau_patience best_metric",
                "eval_every_n_steps",
            ),
            _Switch("save_checkpoints_secs", "save_checkpoints_steps", bool),
            _Switch("vocab_min_frequency vocab_max_size", "vocab_source vocab_target", bool),
            _Switch(
                "transfer.take transfer.include transfer.exclude transfer.weights"
                " transfer.source_vocabulary transfer.target_vocabulary transfer.subwords"
                " transfer.min_shared_tokens",
                "initialize_from",
            ),
            _Switch(
                "tracking.project tracking.name tracking.group tracking.uri tracking.offline",
                "tracking.backend",
            ),
        ),
    ),
    ("augmentation.", (_Switch("seed", "hallucinated_pairs copied_targets"),)),
    (
        "subwords.",
        (
            _Switch("size joint sides model_type", "kind"),
            _Switch("model_type", "kind", lambda kind: kind == "bpe"),
        ),
    ),
    (
        "inference.",
        (
            _Switch(
                "beam_search.length_penalty_weight beam_search.choose_successors_fn",
                "beam_search.beam_width",
                _is_greedy,
            ),
            _Switch("sampling.seed", "sampling.enable"),
        ),
    ),
)


def settings_without_effect(
    config: Mapping[str, object], written: Collection[str]
) -> Iterator[str]:
    """Find the written settings that another key switches off.

    Args:
      config: The nested values of a complete configuration.
      written: The dotted keys to report on.

    Yields:
      A sentence for each of these settings, which names both keys.
    """
    reported = set()
    for where, switches in _SWITCHES:
        for row in switches:
            found = {key: _find(config, where + key) for key in row.switches.split()}
            deciding = {key: value for key, value in found.items() if value is not None}
            if not deciding or not all(map(row.is_off, deciding.values())):
                continue
            because = " and ".join(f"{where}{k} is {_show(v)}" for k, v in deciding.items())
            for key in (where + name for name in row.keys.split()):
                value = _find(config, key)
                concerned = value if row.only is None else value == row.only
                if key in written and key not in reported and concerned:
                    reported.add(key)
                    yield f"{key}={_show(value)} has no effect, because {because}"


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, unless this process has logged the same one.

    Args:
      message: The warning.
    """
    _log.warning("%s", message)


def _find(config: Mapping[str, object], key: str) -> object:
    """Return the value of a dotted key; None if the configuration has no such key."""
    value: object = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _show(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or "empty"
