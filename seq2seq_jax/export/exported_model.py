"""What an export contains: the description of a model, and its weights.

All forms of export have the same two parts. `config.json` holds the keys of the configuration that
decide what the model computes, under their names, with both vocabularies and tokenizers;
`model.safetensors` holds the weights by their dotted names. `seq2seq_numpy.py` and
`seq2seq_web.js` read exactly these.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from seq2seq_jax.config.classes import resolve_class
from seq2seq_jax.data.languages import TaggedTokenizer
from seq2seq_jax.data.normalization import normalizes
from seq2seq_jax.data.tokenizers import BPETokenizer, DelimiterTokenizer, Tokenizer
from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.export import seq2seq_numpy as runtime
from seq2seq_jax.export.exportable import BUILT_IN, check_exportable
from seq2seq_jax.export.safetensors_file import to_safetensors
from seq2seq_jax.inference.loading import LoadedModel, load_model
from seq2seq_jax.inference.quantization import round_params, store
from seq2seq_jax.storage.arrays import digest, named_arrays
from seq2seq_jax.storage.workdir import Workdir
from seq2seq_jax.utils.errors import UserError
from seq2seq_jax.utils.integrity import package_versions


@dataclasses.dataclass(frozen=True, eq=False)
class ExportedModel:
    """A model as it is exported.

    Attributes:
      config: The content of `config.json`.
      weights: The content of `model.safetensors`.
      loaded: The model in JAX, with the weights as they were rounded.
    """

    config: dict[str, Any]
    weights: bytes
    loaded: LoadedModel

    @property
    def config_json(self) -> bytes:
        """The bytes of `config.json`."""
        return json.dumps(self.config, ensure_ascii=False, indent=1).encode()

    @property
    def title(self) -> str:
        """One line that names the model: its classes, its parameters and its step."""
        about = self.config["about"]
        return f"{about['model']}, {about['parameters']:,} parameters, {about['checkpoint']}"


def export_model(
    workdir: Workdir,
    config: ConfigDict,
    precision: str = "float32",
    *,
    any_beam_search: bool = False,
) -> ExportedModel:
    """Load a model and describe it.

    Args:
      workdir: The working directory.
      config: Its resolved configuration, which selects the checkpoint and how to search.
      precision: The precision of the weights: "float32", "float16" or "int8".
      any_beam_search: Whether the form of export can hold any beam search.

    Returns:
      The model.

    Raises:
      UserError: The model, its tokenizers or its search cannot be exported, or the workdir has no
        model that can be loaded.
    """
    check_exportable(config, any_beam_search=any_beam_search)
    loaded = load_model(workdir, config, {**config.inference, "weights": "float32"})
    texts = {
        side: _describe_text(side, tokenizer, vocabulary, config[side].max_seq_len)
        for side, tokenizer, vocabulary in zip(
            ("source", "target"), loaded.tokenizers[:2], loaded.vocabularies[:2], strict=True
        )
    }
    arrays = {
        name: np.asarray(array, np.float32) for name, array in named_arrays(loaded.params).items()
    }
    weights = to_safetensors(store(arrays, precision))
    slots = [slot for slot in BUILT_IN if slot in config]
    names = [_class(config, slot).__name__ for slot in slots]
    description: dict[str, Any] = {
        "format": runtime.FORMAT,
        "format_version": runtime.FORMAT_VERSION,
        "about": {
            "model": ", ".join([config.model, *names]),
            "parameters": sum(array.size for array in arrays.values()),
            "weights": precision,
            "checkpoint": loaded.description,
            "digest": digest({"params": loaded.params}),
            "versions": package_versions(),
        },
        "sha256": hashlib.sha256(weights).hexdigest(),
        "model": resolve_class("model", config.model, "model").__name__,
        "embedding": {"share": config.embedding.share},
        "reverse_source": config.source.reverse,
        **{
            slot: {"class": name, "params": _plain(config[slot].params.to_dict())}
            for slot, name in zip(slots, names, strict=True)
        },
        "search": _describe_search(config),
        **texts,
    }
    rounded = loaded._replace(params=round_params(loaded.params, precision))
    return ExportedModel(description, weights, rounded)


def _class(config: ConfigDict, slot: str) -> Any:
    return resolve_class(slot, config[slot]["class"], f"{slot}.class")


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with the short names of cells."""
    params = dict(params)
    if "rnn_cell" in params:
        name = resolve_class("cell", params["rnn_cell"]["cell_class"], "cell_class").__name__
        params["rnn_cell"] = {**params["rnn_cell"], "cell_class": name}
    return params


def _describe_search(config: ConfigDict) -> dict[str, Any]:
    inference, beam = config.inference, config.inference.beam_search
    return {
        "beam_width": beam.beam_width,
        "n_best": inference.n_best,
        "length_penalty_weight": beam.length_penalty_weight,
        "coverage_penalty_weight": beam.coverage_penalty_weight,
        "max_decode_length": inference.max_decode_length,
        "min_decode_length": inference.min_decode_length,
        "forbid_unk": inference.forbid_unk,
        "no_repeat_ngram_size": inference.no_repeat_ngram_size,
    }


def _describe_text(
    side: str, tokenizer: Tokenizer, vocabulary: Vocabulary, max_seq_len: int
) -> dict[str, Any]:
    """Describe how one side's texts become ids.

    Raises:
      UserError: The tokenizer cannot be exported.
    """
    if isinstance(tokenizer, TaggedTokenizer):
        what = "has languages, and a multilingual model cannot be exported; use a model of one"
        raise UserError("input_pipeline_train.params", f"{what} language")
    words, bpe = tokenizer, None
    if isinstance(tokenizer, BPETokenizer):
        words, codes = tokenizer.words, tokenizer.codes
        bpe = {"version": codes.version, "merges": [" ".join(pair) for pair in codes.merges]}
    if type(words) is not DelimiterTokenizer:
        name = type(words).__name__.removesuffix("Tokenizer")
        raise UserError(
            "subwords.kind",
            f"the {side} is split by {name}, which cannot be exported; use a model with"
            " subwords.kind=bpe, words or characters",
        )
    if words.grapheme_clusters and not words.delimiter:
        what = "grapheme clusters cannot be exported; use a model without this key"
        raise UserError(f"{side}.grapheme_clusters", what)
    return {
        "max_seq_len": max_seq_len,
        "delimiter": words.delimiter,
        "lowercase": words.lowercase,
        "normalization": words.normalization if normalizes(words.normalization) else None,
        "bpe": bpe,
        "tokens": list(vocabulary.tokens),
    }
