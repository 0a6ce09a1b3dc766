"""The functions of beam search, losses, learning rates; vocabularies, pipelines and text."""

import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from seq2seq_jax.data.corpus import make_corpus
from seq2seq_jax.data.ragged import Rows
from seq2seq_jax.data.readers.input_pipeline import TextPair
from seq2seq_jax.data.tokenized_cache import tokenize_pairs
from seq2seq_jax.data.tokenizers import (
    DelimiterTokenizer,
    Tokenizers,
    decode_sentencepiece,
    strip_bpe,
)
from seq2seq_jax.data.vocabulary import SPECIAL_TOKENS, Vocabulary, build_vocabulary
from seq2seq_jax.evaluation.metrics import BleuMetricSpec, text_metrics
from seq2seq_jax.inference.tasks.decode_text import replace_unknown
from seq2seq_jax.models.losses import cross_entropy
from seq2seq_jax.search.beam_search import gather_tree
from seq2seq_jax.search.beam_step import (
    BeamState,
    beam_step,
    initial_beam_state,
    length_penalty,
)
from seq2seq_jax.search.search_config import SearchConfig, choose_top_k
from seq2seq_jax.search.types import DecodeContext
from seq2seq_jax.training.schedules import ScheduleConfig, make_schedule
from tests.golden_cases.golden_file import GoldenFile
from tests.golden_cases.training import losses_one_by_one

_UNK, _START, _END = SPECIAL_TOKENS


def compare_beam_functions(golden: GoldenFile) -> None:
    lengths, log_probs = jnp.asarray(golden["in/lengths"]), golden["in/log_probs"]
    for name in golden.under("out"):
        function, _, weight = name.rpartition("_")
        if function == "length_penalty":
            golden.check(f"out/{name}", length_penalty(lengths, float(weight)))
        if function == "hyp_score":
            golden.check(f"out/{name}", log_probs / length_penalty(lengths, float(weight)))

    # A finished hypothesis has one continuation, and it is free.
    seen = []

    def choose(scores):
        seen.append(scores[0])
        return choose_top_k(scores)

    log_probs, finished = golden["in/mask_probs_log_probs"], golden["in/mask_probs_finished"]
    zeros = jnp.zeros((1, len(finished)))
    state = BeamState(zeros, zeros, zeros.astype(int), jnp.asarray(finished)[None])
    end_id = golden.hparams["eos"]
    config = SearchConfig(choose_successors=choose)
    beam_step(state, jnp.asarray(log_probs)[None], _step_context(config, end_id))
    golden.check(f"out/mask_probs_eos{end_id}", seen[0])


def compare_beam_step(golden: GoldenFile) -> None:
    hparams = golden.hparams
    state = initial_beam_state(1, hparams["beam_width"])
    for t in range(sum(name.startswith("logits_t") for name in golden.under("in"))):
        log_probs = jax.nn.log_softmax(jnp.asarray(golden[f"in/logits_t{t}"]))[None]
        state, words, parents = beam_step(
            state,
            log_probs,
            _step_context(
                SearchConfig(length_penalty_weight=hparams["length_penalty_weight"]),
                hparams["eos"],
            ),
        )
        golden.check(f"out/t{t}/output/predicted_ids", words[0])
        golden.check(f"out/t{t}/output/beam_parent_ids", parents[0])
        golden.check(f"out/t{t}/output/scores", state.scores[0])
        for name in ("finished", "lengths", "log_probs"):
            golden.check(f"out/t{t}/state/{name}", getattr(state, name)[0])
    values, parents = (golden[f"in/gather_{name}"][:, None] for name in ("values", "parents"))
    ours = gather_tree(jnp.asarray(values), jnp.asarray(parents))[:, 0]
    golden.check("out/gather_tree", ours)
    golden.check("out/gather_tree_tensor", ours)


def compare_losses(golden: GoldenFile) -> None:
    """Cross-entropy, time first there; and log perplexity over batches, weighted by tokens."""
    logits = golden["in/logits"].swapaxes(0, 1)
    targets, lengths = golden["in/targets"].T, golden["in/sequence_length"]
    golden.check("out/losses", losses_one_by_one(logits, targets, lengths).T)
    total, tokens = cross_entropy(jnp.asarray(logits), jnp.asarray(targets), jnp.asarray(lengths))
    golden.check_close(total, golden["out/losses"].sum(), message="sum", atol=1e-4)
    assert tokens == lengths.sum()
    total, tokens = 0.0, 0
    for name, losses in sorted(golden.under("in").items()):
        if name.startswith("metric_losses_"):
            batch = name.removeprefix("metric_losses_")
            lengths = golden[f"in/metric_target_len_{batch}"] - 1  # START is given, not predicted
            real = np.arange(losses.shape[1]) < lengths[:, None]
            total += losses[real].sum()
            tokens += lengths.sum()
            golden.check(f"out/log_perplexity_after_{batch}", np.float32(total / tokens))


def compare_schedule(golden: GoldenFile) -> None:
    """The file's floor is the lowest rate in it."""
    hparams = golden.hparams
    for name, floor in (("lr_min", golden["out/lr_min"].min()), ("lr_nomin", 1e-12)):
        schedule = make_schedule(
            ScheduleConfig(
                learning_rate=hparams["learning_rate"],
                lr_decay_type=hparams["decay_type"],
                lr_decay_steps=hparams["decay_steps"],
                lr_decay_rate=hparams["decay_rate"],
                lr_start_decay_at=hparams["start_decay_at"],
                lr_stop_decay_at=hparams["stop_decay_at"],
                lr_min_learning_rate=float(floor),
                lr_staircase=hparams.get("staircase", False),
            )
        )
        golden.check(f"out/{name}", schedule(golden["in/steps"]), atol=1e-10, rtol=1e-5)


def compare_bleu(golden: GoldenFile) -> None:
    """To the two decimals that multi-bleu.perl prints. Not ROUGE: ours counts an n-gram as often
    as it occurs, the original's once."""
    sides = ("hypotheses", "references")
    hypotheses, references = ([text.split() for text in golden[f"in/{side}"]] for side in sides)
    results = text_metrics([BleuMetricSpec()], hypotheses, [[tokens] for tokens in references])
    golden.check_close(results["bleu"], golden["out/bleu"], message="BLEU", atol=0.0051)


def compare_vocabulary(golden: GoldenFile) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "vocabulary.txt")
        file.write_text("".join(f"{line}\n" for line in golden.hparams["file_lines"]))
        vocabulary = Vocabulary.read(file)
    golden.check("out/ids", np.array(vocabulary.encode(golden["in/tokens"])))
    assert vocabulary.decode(golden["in/ids"]) == golden["out/tokens"].tolist()
    assert vocabulary.size == golden["out/total_size"]
    specials = [vocabulary.unk_id, vocabulary.sequence_start_id, vocabulary.sequence_end_id]
    assert specials == golden["out/special_UNK_START_END"].tolist()


def compare_pipeline(golden: GoldenFile) -> None:
    """The rows of a data set in order, those with an empty side left out, as ours does.

    Buckets change the order, and there the original loses what does not fill its last batches.
    """
    lines = zip(golden["in/source_lines"], golden["in/target_lines"], strict=True)
    pairs = list(map(TextPair._make, lines))
    words = DelimiterTokenizer(" ")
    vocabularies = [build_vocabulary(map(words.split, side)) for side in zip(*pairs, strict=True)]
    with tempfile.TemporaryDirectory() as cache:
        text = tokenize_pairs(pairs, Tokenizers(words, words), "", Path(cache))
        corpus = make_corpus(text, *vocabularies, source_max_len=1000, target_max_len=1000)
    sides = zip((corpus.source, corpus.target), vocabularies, strict=True)
    ours = list(zip(*([v.decode(ids) for ids in _rows(side)] for side, v in sides), strict=True))

    theirs = []
    for batch in range(len({name.split("/")[0] for name in golden.under("out")})):
        arrays = golden.under(f"out/batch{batch}")
        for row in range(len(arrays["source_len"])):
            theirs.append(
                tuple(
                    arrays[f"{side}_tokens"][row, : arrays[f"{side}_len"][row]].tolist()
                    for side in ("source", "target")
                )
            )
    theirs = [row for row in theirs if row[0] != [_END] and row[1] != [_START, _END]]
    if golden.hparams["bucket_boundaries"] is None:
        assert ours == theirs
    else:
        assert all(theirs.count(row) <= ours.count(row) for row in theirs)


def compare_splitting(golden: GoldenFile) -> None:
    """Where the original splits a character into its bytes, ours keeps it whole."""
    for name in golden.under("in"):
        if not name.endswith("_text"):
            continue
        case = name.removesuffix("_text")
        delimiter = str(golden[f"in/{case}_delimiter"])
        tokens = [_START, *DelimiterTokenizer(delimiter).split(str(golden[f"in/{name}"])), _END]
        if f"out/{case}_tokens" in golden:
            assert tokens == golden[f"out/{case}_tokens"].tolist()
            assert len(tokens) == golden[f"out/{case}_len"]
        else:
            pieces = golden[f"out/{case}_tokens_hex"]
            assert "".join(tokens).encode() == bytes.fromhex("".join(pieces))
            assert len(tokens) < len(pieces)


def compare_postprocessing(golden: GoldenFile) -> None:
    """Not `slice_text`, which finds the special tokens in joined text: our tokens have none."""
    for function in (strip_bpe, decode_sentencepiece):
        name = function.__name__
        ours = [function(str(text)) for text in golden[f"in/{name}"]]
        assert ours == golden[f"out/{name}"].tolist()


def compare_unk_replacement(golden: GoldenFile) -> None:
    """The last of the source tokens is SEQUENCE_END."""
    predicted, sources = golden["in/predicted_tokens"].tolist(), golden["in/source_tokens"]
    for name, mapping in (("mapping", golden.hparams["mapping"]), ("no_mapping", None)):
        ours = replace_unknown(predicted, sources[:-1], golden["in/attention_scores"], mapping)
        assert ours == golden[f"out/{name}"].tolist()


def _rows(side: Rows) -> list[np.ndarray]:
    ids, lengths = side.padded(np.arange(len(side)), int(side.lengths.max()))
    return [row[:length] for row, length in zip(ids, lengths, strict=True)]


def _step_context(config: SearchConfig, eos_id: int) -> DecodeContext:
    """The context of a single step, which does not read where a search starts."""
    return DecodeContext(config=config, batch_size=1, bos_id=eos_id, eos_id=eos_id)
