"""Rules between keys. What one key may be on its own is said where the key is (`defaults.py`)."""

from collections.abc import Mapping
from typing import Any

from seq2seq_jax.config.defaults import BUILTIN_CORPORA, DECODERS, ENCODERS, MODELS, PIPELINES
from seq2seq_jax.schema.names import did_you_mean, format_choices
from seq2seq_jax.utils.errors import UserError

_DECAYS_WITHOUT_RATE = ("polynomial_decay", "cosine_decay")


def check(config: dict[str, Any]) -> None:
    """Raises UserError at the first key of a filled configuration that does not go with another."""
    _check_pictures(config)
    _check_decoder(config)
    _check_residuals(config)
    _check_positions(config)
    _check_learning_rate(config["optimizer"])
    _check_search(config)
    _check_subwords(config)


def check_training(config: Mapping[str, Any]) -> None:
    """The rules that matter to training only: there is data, and `best_metric` is measured.

    Raises:
      UserError: at the key that breaks one.
    """
    _check_input(config)
    _check_best_metric(config)


def decode_length(config: dict[str, Any]) -> int:
    """The one limit on decoding, from `inference` or from its older spelling in the decoder.

    Raises:
      UserError: both are set, and unequal.
    """
    default = MODELS[config["model"]]["inference"]["max_decode_length"].default
    newer = config["inference"]["max_decode_length"]
    older = _older_decode_length(config)
    if older == 0 or older == newer:
        return newer
    if newer != default:
        raise UserError(
            "decoder.params.max_decode_length",
            f"is {older}, but inference.max_decode_length is {newer}; set only the latter",
        )
    return older


def result_names(metrics: Mapping[str, Any]) -> list[str] | None:
    """What the metrics call their results; None if one of them is of the user's own."""
    names: list[str] = []
    for spec in metrics.values():
        match spec["class"]:
            case "LogPerplexityMetricSpec":
                names += ["log_perplexity"]
            case "BleuMetricSpec":
                order = spec["params"]["max_ngram_order"]
                names += ["bleu" if order == 4 else f"bleu_{order}"]
            case "ChrfMetricSpec":
                names += ["chrf"]
            case "RougeMetricSpec":
                names += [spec["params"]["rouge_type"]]
            case "AccuracyMetricSpec":
                names += ["token_accuracy", "sequence_accuracy"]
            case "ErrorRateMetricSpec":
                names += ["token_error_rate", "sequence_error_rate"]
            case _:
                return None
    return names


def _older_decode_length(config: dict[str, Any]) -> int:
    """0, which is unset, for a decoder of the user's own: what it takes is its own affair."""
    decoder = config["decoder"]
    return decoder["params"]["max_decode_length"] if decoder["class"] in DECODERS else 0


def _check_pictures(config: dict[str, Any]) -> None:
    """What is made for pictures goes with Image2Seq, and nothing else does."""
    model = config["model"]
    groups = (
        ("encoder", ENCODERS, "InceptionV3Encoder"),
        ("input_pipeline_train", PIPELINES, "ImageCaptioningInputPipeline"),
        ("input_pipeline_dev", PIPELINES, "ImageCaptioningInputPipeline"),
    )
    for slot, ours, for_pictures in groups:
        name = config[slot]["class"]
        if name in ours and (name == for_pictures) != (model == "Image2Seq"):
            valid = [other for other in ours if (other == for_pictures) == (model == "Image2Seq")]
            what = f"{name} does not go with {model}; valid: {format_choices(valid)}"
            raise UserError(f"{slot}.class", what)


def _check_decoder(config: dict[str, Any]) -> None:
    model, decoder = config["model"], config["decoder"]["class"]
    fitting = "BasicDecoder" if model == "BasicSeq2Seq" else "AttentionDecoder"
    if decoder in DECODERS and decoder != fitting:
        raise UserError("decoder.class", f"{decoder} does not go with {model}; valid: {fitting}")


def _check_residuals(config: dict[str, Any]) -> None:
    for part in ("encoder", "decoder"):
        cell = config[part]["params"].get("rnn_cell", {})
        if isinstance(cell, dict) and cell.get("residual_dense"):
            key = f"{part}.params.rnn_cell.residual_dense"
            if not cell.get("residual_connections", True):
                raise UserError(key, "is true, which needs residual_connections to be true as well")


def _check_positions(config: dict[str, Any]) -> None:
    positions = config["encoder"]["params"].get("position_embeddings", {})
    if not isinstance(positions, dict) or not positions.get("enable") or "source" not in config:
        return
    longest = config["source"]["max_seq_len"]
    number = positions.get("num_positions", longest)
    if number < longest:
        raise UserError(
            "encoder.params.position_embeddings.num_positions",
            f"must be at least source.max_seq_len, which is {longest}; got {number}",
        )


def _check_learning_rate(optimizer: dict[str, Any]) -> None:
    table = MODELS["AttentionSeq2Seq"]["optimizer"]
    if optimizer["lr_decay_type"] in _DECAYS_WITHOUT_RATE:
        for name in ("lr_decay_rate", "lr_staircase"):
            if optimizer[name] != table[name].default:
                what = f"is {optimizer[name]}, but {optimizer['lr_decay_type']} does not use it"
                raise UserError(f"optimizer.{name}", f"{what}; leave it at {table[name].default}")
    start, stop = optimizer["lr_start_decay_at"], optimizer["lr_stop_decay_at"]
    if stop < start:
        what = f"must be at least lr_start_decay_at, which is {start}; got {stop}"
        raise UserError("optimizer.lr_stop_decay_at", what)
    least, rate = optimizer["lr_min_learning_rate"], optimizer["learning_rate"]
    if least > rate:
        what = f"must be at most learning_rate, which is {rate}; got {least}"
        raise UserError("optimizer.lr_min_learning_rate", what)


def _check_subwords(config: Mapping[str, Any]) -> None:
    if "subwords" not in config:
        return
    subwords, params = config["subwords"], config["input_pipeline_train"]["params"]
    kind, sides = subwords["kind"], subwords["sides"]
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


def _check_search(config: dict[str, Any]) -> None:
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
        raise UserError(f"{where}.n_best", f"{what}; {others} would do")
    if n_best > width and not samples and width > 1:
        what = f"must be at most inference.beam_search.beam_width, which is {width}; got {n_best}"
        raise UserError(f"{where}.n_best", what)
    table = MODELS[config["model"]]["inference"]
    for name in ("temperature", "top_k", "top_p"):
        if not samples and sampling[name] != table["sampling"][name].default:
            what = f"is {sampling[name]}, which needs inference.sampling.enable to be true"
            raise UserError(f"{where}.sampling.{name}", what)
    _check_beam(config, max(1, width))
    longest = decode_length(config)
    if search["min_decode_length"] >= longest:
        what = f"must be below inference.max_decode_length, which is {longest}"
        raise UserError(f"{where}.min_decode_length", f"{what}; got {search['min_decode_length']}")
    if search["ensemble_mean"] != table["ensemble_mean"].default and not search["ensemble"]:
        what = f"is {search['ensemble_mean']}, which needs workdirs in inference.ensemble"
        raise UserError(f"{where}.ensemble_mean", what)
    average, checkpoint = search["average_checkpoints"], search["checkpoint"]
    if average and checkpoint != table["checkpoint"].default:
        what = f"is {average}, but inference.checkpoint is {checkpoint}; set only one"
        raise UserError(f"{where}.average_checkpoints", what)


def _check_beam(config: dict[str, Any], width: int) -> None:
    """A width of 1 is greedy search, or sampling."""
    where = "inference.beam_search"
    beam = config["inference"]["beam_search"]
    coverage = beam["coverage_penalty_weight"]
    if coverage and "attention" not in config:
        what = f"is {coverage}, which needs attention; model=AttentionSeq2Seq has it"
        raise UserError(f"{where}.coverage_penalty_weight", what)
    if coverage and width == 1:
        what = f"is {coverage}, which needs a beam; {where}.beam_width above 1 would do"
        raise UserError(f"{where}.coverage_penalty_weight", what)
    groups, strength = beam["diversity_groups"], beam["diversity_strength"]
    if width % groups:
        what = f"must divide {where}.beam_width, which is {beam['beam_width']}; got {groups}"
        raise UserError(f"{where}.diversity_groups", what)
    if strength and groups == 1:
        what = f"is {strength}, which needs diversity_groups above 1"
        raise UserError(f"{where}.diversity_strength", what)


def _check_input(config: Mapping[str, Any]) -> None:
    train = _check_pipeline("input_pipeline_train", config["input_pipeline_train"])
    if config["eval_every_n_steps"] == 0:
        return
    dev = _check_pipeline("input_pipeline_dev", config["input_pipeline_dev"])
    if train == "files" and dev == "builtin":
        raise UserError(
            "input_pipeline_dev.params.source_files",
            "is empty, but training reads files; give dev files too, or eval_every_n_steps=0",
        )


def _check_pipeline(where: str, pipeline: Mapping[str, Any]) -> str:
    """Returns what the pipeline reads: `files`, `builtin`, or `other` for a user's own pipeline."""
    params = pipeline["params"]
    if pipeline["class"] == "ImageCaptioningInputPipeline":
        return "other"  # which of its sources it reads, it says itself
    if pipeline["class"] in PIPELINES and params.get("files") == "":
        raise UserError(f"{where}.params.files", "is empty; name one file or several")
    if pipeline["class"] != "ParallelTextInputPipeline":
        return "other"
    sources = [name for name in params["source_files"].split(",") if name]
    targets = [name for name in params["target_files"].split(",") if name]
    if len(sources) != len(targets):
        key, files = ("source_files", sources) if not sources else ("target_files", targets)
        other, others = ("target_files", targets) if not sources else ("source_files", sources)
        what = f"must be as many as {other}, which are {len(others)}; got {len(files)}"
        raise UserError(f"{where}.params.{key}", what)
    if sources:
        return "files"
    if not params["builtin"]:
        corpora = format_choices(BUILTIN_CORPORA)
        what = f"is empty; give source_files and target_files, or builtin, one of: {corpora}"
        raise UserError(f"{where}.params.source_files", what)
    sides = zip(("source", "target"), BUILTIN_CORPORA[params["builtin"]], strict=True)
    for side, needed in sides:
        given = params[f"{side}_delimiter"]
        if given != needed:
            what = f'must be "{needed}" for {params["builtin"]}; got "{given}"'
            raise UserError(f"{where}.params.{side}_delimiter", what)
    return "builtin"


def _check_best_metric(config: Mapping[str, Any]) -> None:
    names = result_names(config["metrics"])
    best = config["best_metric"]
    if config["eval_every_n_steps"] and names and best not in names:
        hint = did_you_mean(best, names)
        what = f'must be a result of metrics, one of: {format_choices(names)}; got "{best}"{hint}'
        raise UserError("best_metric", what)
