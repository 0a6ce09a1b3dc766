"""Rules between keys. The rule of a single key stands at its declaration."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from seq2seq_jax.config.classes import built_in_classes, resolve_class
from seq2seq_jax.config.feature_rules import check_features, choose_features
from seq2seq_jax.config.languages import has_languages
from seq2seq_jax.config.metric_results import metric_results
from seq2seq_jax.schema.names import did_you_mean, format_choices
from seq2seq_jax.schema.rules import LANGUAGE_PLACEHOLDER
from seq2seq_jax.utils.errors import UserError

_log = logging.getLogger(__name__)
_DECAYS_WITHOUT_RATE = ("polynomial_decay", "cosine_decay")


def check(config: dict[str, Any], written: set[str]) -> None:
    """Check a filled configuration, and replace values that stand for others.

    Args:
      config: The nested values. `inference.max_decode_length` receives the value of
        `decoder.params.max_decode_length`, if only that is set; `features.combine` is not `auto`
        afterwards.
      written: The dotted keys that a file or a flag wrote; changed in the same way.

    Raises:
      UserError: At the first key that does not go with another.
    """
    choose_features(config)
    _check_residuals(config)
    _check_positions(config)
    _check_learning_rate(config["optimizer"], written)
    _move_decode_length(config, written)
    _check_search(config, written)
    _check_subwords(config)


def check_training(config: Mapping[str, Any]) -> None:
    """Check the rules that matter to training only: there is data, and `best_metric` is measured.

    Args:
      config: A resolved configuration.

    Raises:
      UserError: At the key that breaks a rule.
    """
    _check_input(config)
    _check_best_metric(config)


def _move_decode_length(config: dict[str, Any], written: set[str]) -> None:
    """Move `decoder.params.max_decode_length`, where 0 means that it is not set, to `inference`."""
    old_key, key = "decoder.params.max_decode_length", "inference.max_decode_length"
    decoder, inference = config["decoder"], config["inference"]
    if decoder["class"] not in built_in_classes()["decoder"]:
        return  # What a user's own decoder does with such a parameter is its own affair.
    older, newer = decoder["params"]["max_decode_length"], inference["max_decode_length"]
    decoder["params"]["max_decode_length"] = 0
    if old_key in written and older:
        if key in written and older != newer:
            raise UserError(old_key, f"is {older}, but {key} is {newer}; set only the latter")
        inference["max_decode_length"] = older
        written.add(key)
    written.discard(old_key)


def _check_residuals(config: dict[str, Any]) -> None:
    for part, group in _networks(config).items():
        cell = group["params"].get("rnn_cell", {})
        if isinstance(cell, dict) and cell.get("residual_dense"):
            key = f"{part}.params.rnn_cell.residual_dense"
            if not cell.get("residual_connections", True):
                raise UserError(key, "is true, which needs residual_connections to be true as well")


def _networks(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the encoders and the decoder by their dotted keys."""
    networks = {part: config[part] for part in ("encoder", "decoder")}
    features = config.get("features")
    if features and "encoder" in features:
        networks["features.encoder"] = features["encoder"]
    return networks


def _check_positions(config: dict[str, Any]) -> None:
    for part, group in _networks(config).items():
        positions = group["params"].get("position_embeddings", {})
        read = "features" if part == "features.encoder" else "source"
        if not isinstance(positions, dict) or not positions.get("enable") or not config.get(read):
            continue
        longest = config[read]["max_seq_len"]
        if read == "source" and config.get("features", {}).get("combine") == "source":
            longest += config["features"]["max_seq_len"]
        number = positions.get("num_positions", longest)
        if number < longest:
            lengths = f"{read}.max_seq_len"
            if longest != config[read]["max_seq_len"]:
                lengths += " + features.max_seq_len"
            raise UserError(
                f"{part}.params.position_embeddings.num_positions",
                f"must be at least {lengths}, which is {longest}; got {number}",
            )


def _check_learning_rate(optimizer: dict[str, Any], written: Collection[str]) -> None:
    decay = optimizer["lr_decay_type"]
    if decay in _DECAYS_WITHOUT_RATE:
        for name in ("lr_decay_rate", "lr_staircase"):
            if f"optimizer.{name}" in written:
                what = f"is {optimizer[name]}, but {decay} does not use it; leave it out"
                raise UserError(f"optimizer.{name}", what)
    start, stop = optimizer["lr_start_decay_at"], optimizer["lr_stop_decay_at"]
    if decay and stop < start:
        what = f"must be at least lr_start_decay_at, which is {start}; got {stop}"
        raise UserError("optimizer.lr_stop_decay_at", what)
    least, rate = optimizer["lr_min_learning_rate"], optimizer["learning_rate"]
    if decay and least > rate:
        what = f"must be at most learning_rate, which is {rate}; got {least}"
        raise UserError("optimizer.lr_min_learning_rate", what)


def _check_subwords(config: Mapping[str, Any]) -> None:
    if not config.get("subwords"):
        return
    subwords, params = config["subwords"], config["input_pipeline_train"]["params"]
    kind, sides = subwords["kind"], subwords["sides"]
    forms = [bool(config[side]["normalization"]) for side in ("source", "target")]
    if kind == "sentencepiece" and subwords["joint"] and sides == "both" and len({*forms}) > 1:
        side = "target" if forms[0] else "source"
        what = "is empty, but that of the other side is not, and both share one model of"
        what += " sentencepiece; set both, or use subwords.joint=false"
        raise UserError(f"{side}.normalization", what)
    for side in ("source", "target"):
        wanted = kind and sides in ("both", side)
        if subwords[f"{side}_model"] and not wanted:
            what = f'subwords.sides is "{sides}"' if kind else "subwords.kind is empty"
            raise UserError(f"subwords.{side}_model", f"is given, but {what}; change either")
        if wanted and params.get(f"{side}_delimiter") == "":
            raise UserError(
                f"input_pipeline_train.params.{side}_delimiter",
                f'is empty, which makes every character a token, but subwords.kind is "{kind}";'
                " give the delimiter of words, or leave subwords.kind empty",
            )


def _check_search(config: dict[str, Any], written: Collection[str]) -> None:
    search = config["inference"]
    beam, sampling = search["beam_search"], search["sampling"]
    width, n_best, samples = beam["beam_width"], search["n_best"], sampling["enable"]
    where = "inference"
    if samples and width > 1:
        what = f"is true, but inference.beam_search.beam_width is {width}; leave one of them out"
        raise UserError(f"{where}.sampling.enable", what)
    if n_best > 1 and width <= 1 and not samples:
        what = f"must be 1 in greedy search; got {n_best}"
        others = f"inference.beam_search.beam_width={n_best} or inference.sampling.enable=true"
        raise UserError(f"{where}.n_best", f"{what}; use {others}")
    if n_best > width and not samples and width > 1:
        what = f"must be at most inference.beam_search.beam_width, which is {width}; got {n_best}"
        raise UserError(f"{where}.n_best", what)
    for name in ("temperature", "top_k", "top_p"):
        key = f"{where}.sampling.{name}"
        if not samples and key in written:
            what = f"is {sampling[name]}, which needs inference.sampling.enable to be true"
            raise UserError(key, what)
    _check_beam(config, max(1, width))
    if search["allowed_outputs"] and search["allowed_tokens_file"]:
        what = "is given, but so is inference.allowed_tokens_file; set only one"
        raise UserError(f"{where}.allowed_outputs", what)
    if search["lexicon"] and not config.get("source"):
        raise UserError(f"{where}.lexicon", "is for text models, not for image models")
    longest = search["max_decode_length"]
    if search["min_decode_length"] >= longest:
        what = f"must be below inference.max_decode_length, which is {longest}"
        raise UserError(f"{where}.min_decode_length", f"{what}; got {search['min_decode_length']}")
    if f"{where}.ensemble_mean" in written and not search["ensemble"]:
        what = f"is {search['ensemble_mean']}, which needs workdirs in inference.ensemble"
        raise UserError(f"{where}.ensemble_mean", what)
    average, checkpoint = search["average_checkpoints"], search["checkpoint"]
    if average and f"{where}.checkpoint" in written:
        what = f"is {average}, but inference.checkpoint is {checkpoint}; set only one"
        raise UserError(f"{where}.average_checkpoints", what)


def _check_beam(config: dict[str, Any], width: int) -> None:
    """A width of 1 is greedy search, or sampling."""
    where = "inference.beam_search"
    beam = config["inference"]["beam_search"]
    coverage = beam["coverage_penalty_weight"]
    if coverage and not config.get("attention"):
        what = f"is {coverage}, which needs attention; model=AttentionSeq2Seq has it"
        raise UserError(f"{where}.coverage_penalty_weight", what)
    if coverage and width == 1:
        what = f"is {coverage}, which needs a beam; set {where}.beam_width above 1"
        raise UserError(f"{where}.coverage_penalty_weight", what)
    groups, strength = beam["diversity_groups"], beam["diversity_strength"]
    if width % groups:
        what = f"must divide {where}.beam_width, which is {beam['beam_width']}; got {groups}"
        raise UserError(f"{where}.diversity_groups", what)
    if strength and groups == 1:
        what = f"is {strength}, which needs diversity_groups above 1"
        raise UserError(f"{where}.diversity_strength", what)
    if groups > 1 and not strength:
        what = f"is {groups}, which needs diversity_strength above 0: the groups would be equal"
        raise UserError(f"{where}.diversity_groups", what)


def _check_input(config: Mapping[str, Any]) -> None:
    train, dev = config["input_pipeline_train"], config["input_pipeline_dev"]
    _check_pipeline(train, "input_pipeline_train")
    _check_temperature(train)
    check_features(config, "input_pipeline_train")
    if config["eval_every_n_steps"] == 0:
        return
    params, builtin = dev["params"], dev["class"] in built_in_classes()["pipeline"]
    names = ("files", "source_files", "captions", "name", "path")
    inputs = [name for name in names if name in params]
    corpus = params.get("builtin") and not train["params"].get("source_files")
    if builtin and inputs and not corpus and not any(params[name] for name in inputs):
        raise UserError(
            f"input_pipeline_dev.params.{inputs[0]}",
            "is empty; use the files of a dev set or, to train without one, eval_every_n_steps=0"
            " or the flag --no-dev",
        )
    _check_pipeline(dev, "input_pipeline_dev")
    _check_languages(train, dev)
    check_features(config, "input_pipeline_dev")
    for name in ("source_delimiter", "target_delimiter", "features_delimiter"):
        if name in params and params[name] != train["params"].get(name, params[name]):
            what = "has no effect: the dev set is split as the training data are"
            _log.warning("input_pipeline_dev.params.%s %s", name, what)


def _check_temperature(train: Mapping[str, Any]) -> None:
    temperature = train["params"].get("language_temperature", 1)
    if temperature != 1 and not has_languages(train["params"]):
        what = f"is {temperature}, which needs languages; use language_column, languages or names"
        raise UserError(
            "input_pipeline_train.params.language_temperature",
            f"{what} of files with {LANGUAGE_PLACEHOLDER}",
        )


def _check_languages(train: Mapping[str, Any], dev: Mapping[str, Any]) -> None:
    """Check that the dev set says the language of each pair if the training set does."""
    multilingual = has_languages(train["params"])
    if dev["class"] not in built_in_classes()["pipeline"]:
        return  # A user's own class can yield sources with tags.
    if multilingual and not has_languages(dev["params"]):
        what = (
            "has no languages, but the training set has; use language_column, languages, or names"
        )
        raise UserError("input_pipeline_dev.params", f"{what} of files with {LANGUAGE_PLACEHOLDER}")
    if not multilingual and has_languages(dev["params"]):
        what = "has languages, but the training set has none; give both, or neither"
        raise UserError("input_pipeline_dev.params", what)


def _check_pipeline(pipeline: Mapping[str, Any], where: str) -> None:
    """Let the class of a pipeline check its parameters, if it has a method for that."""
    found = resolve_class("pipeline", pipeline["class"], f"{where}.class")
    check_parameters = getattr(found, "check_parameters", None)
    if check_parameters is not None:
        check_parameters(pipeline["params"], f"{where}.params")


def _check_best_metric(config: Mapping[str, Any]) -> None:
    names, complete = metric_results(config)
    best = config["best_metric"]
    if config["eval_every_n_steps"] and complete and names and best not in names:
        hint = did_you_mean(best, names)
        what = f'must be a result of metrics, one of: {format_choices(names)}; got "{best}"{hint}'
        raise UserError("best_metric", what)
