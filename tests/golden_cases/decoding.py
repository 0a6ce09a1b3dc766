"""Decoders and whole models at inference: teacher-forced, greedy, and with a beam.

What is fed back grows: a decoder with weights of size 1 turns the rounding of one step into more at
the next. So a step may differ by 1e-5, or by as much as its outputs move when the weights do in
their last place.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seq2seq_jax.data.vocabulary import Vocabulary
from seq2seq_jax.importers.tf_variables import import_model, import_part
from seq2seq_jax.models.seq2seq import reverse_sequences
from seq2seq_jax.search.beam_search import beam_search, gather_tree
from seq2seq_jax.search.beam_step import beam_step, initial_beam_state
from seq2seq_jax.search.decode_loop import greedy_search
from seq2seq_jax.search.search_config import SearchConfig, choose_top_k
from seq2seq_jax.search.types import DecodeContext, tile_to_beams
from tests.golden_cases.golden_file import IMPOSSIBLE, GoldenFile
from tests.golden_cases.networks import (
    Network,
    configured,
    like_initial_state,
    network,
    shapes_of,
)

Outputs = dict[str, np.ndarray]  # by name, time first


class Decoding(NamedTuple):
    """A decoder that is ready to go."""

    network: Network
    params: Any  # of the decoder
    table: np.ndarray  # [V, E], the target embeddings
    memory: Any
    state: Any  # leading axis B
    reverse: bool
    start_id: int
    end_id: int
    max_length: int

    def step(self, tokens: Any, state: Any) -> tuple[Any, dict[str, Any]]:
        """tokens [N] -> new state, {"logits": [N, V], "cell_output": [N, D], ...}"""
        return self.network.step(
            self.params, tokens, state, self.memory, self.table, reverse=self.reverse
        )

    def search_step(self, tokens: Any, state: Any) -> tuple[Any, Any, Any]:
        """`search.types.StepFn`, compiled even where the search around it is not."""
        with jax.disable_jit(False):
            state, outputs = self.step(tokens, state)
        scores = outputs.get("attention_scores", outputs["logits"][:, :0])
        return jax.nn.log_softmax(outputs["logits"]), state, scores


def compare_decoder(golden: GoldenFile) -> None:
    """A decoder alone; its arrays have time first."""
    hparams = golden.hparams
    decoding = _decoder_alone(golden)
    if hparams["helper"] == "beam":
        theirs = {
            name.replace("/", "."): array[:, 0]
            for name, array in golden.under("out/decoder").items()
            if not name.startswith("logits")
        }
        theirs |= _final("grid", golden.leaves("out/final_state/0"))
        theirs |= _final("beams", golden.leaves("out/final_state/1"))
        check_beam(golden, decoding, theirs, hparams["length_penalty_weight"])
        return
    theirs = golden.under("out/decoder") | _final("grid", golden.leaves("out/final_state"))
    if hparams["helper"] == "greedy":
        check_greedy(golden, decoding, theirs)
    else:
        tokens = golden["in/target_ids"].T[: golden["in/target_len"].max() - 1]
        check_steps(golden, decoding, tokens, theirs)


def compare_inference(golden: GoldenFile) -> None:
    """A whole model that decodes freely; its arrays have the batch first."""
    hparams = golden.hparams
    source, target = Vocabulary(hparams["src_vocab"]), Vocabulary(hparams["tgt_vocab"])
    net = network(hparams["model"], hparams["params"], source.size, target.size)
    params = import_model(net.model, golden.arrays)
    config = configured(hparams["model"], hparams["params"])
    longest = config.source.max_seq_len
    tokens = golden["in/source_tokens"][:, :longest]
    source_ids = jnp.array([source.encode(row) for row in tokens])
    source_len = np.minimum(golden["in/source_len"], longest)
    reverse = net.model.reverse_source
    fed = reverse_sequences(source_ids, source_len) if reverse else source_ids
    golden.check("out/pred/features.source_ids", fed)
    memory, state = net.encode_and_init({"params": params}, source_ids, source_len)
    decoding = Decoding(
        net,
        params["decoder"],
        jnp.asarray(params["target_embedding"]["embedding"]),
        memory,
        state,
        reverse,
        target.sequence_start_id,
        target.sequence_end_id,
        config.inference.max_decode_length,
    )
    theirs = {
        name: array.swapaxes(0, 1)
        for name, array in golden.under("out/pred").items()
        if not name.startswith("features.")
    }
    tokens, words = theirs.pop("predicted_tokens"), theirs["predicted_ids"]
    assert tokens.reshape(-1).tolist() == target.decode(words.reshape(-1))
    if "beam" in golden.kind:
        weight = config.inference.beam_search.length_penalty_weight
        theirs = {name: array[:, 0] for name, array in theirs.items()}
        check_beam(golden, decoding, theirs, weight)
    else:
        check_greedy(golden, decoding, theirs)


def check_steps(
    golden: GoldenFile, decoding: Decoding, tokens: np.ndarray, theirs: Outputs
) -> None:
    """Feeds tokens [T, B] and checks what comes out at each step."""

    def run(decoding: Decoding) -> Outputs:
        state, history = decoding.state, []
        for row in tokens:
            state, outputs = decoding.step(row, state)
            history.append(outputs)
        return _stacked(history) | _final("grid", jax.tree.leaves(_cells_of(state, decoding)))

    _check_outputs(golden, decoding, run, theirs, run(decoding))


def check_greedy(golden: GoldenFile, decoding: Decoding, theirs: Outputs) -> None:
    """The original's steps along its own words, and our search, which has to find these words.

    The original continues with rows that have ended until all have; our search does not.
    """
    words = theirs["predicted_ids"]
    fed = np.concatenate([np.full_like(words[:1], decoding.start_id), words[:-1]])
    check_steps(golden, decoding, fed, theirs)
    with jax.disable_jit():
        found = greedy_search(
            decoding.search_step,
            decoding.state,
            DecodeContext(
                config=SearchConfig(max_length=decoding.max_length),
                batch_size=words.shape[1],
                bos_id=decoding.start_id,
                eos_id=decoding.end_id,
            ),
        )
    for row, ids, length in zip(words.T, found.ids[:, 0], found.lengths[:, 0], strict=True):
        assert length == [*np.flatnonzero(row == decoding.end_id), len(row)][0]
        np.testing.assert_array_equal(ids[:length], row[:length])


def check_beam(golden: GoldenFile, decoding: Decoding, theirs: Outputs, weight: float) -> None:
    """Each step of the original's beam of one sentence, and our search, which has to find the same.

    The original stops too early at times: it keeps a flag for each slot, up as soon as any
    hypothesis ended there, and stops when all are up, though the hypotheses in the slots by then
    may be others. So our search is compared as far as it went, and where it stopped all flags
    have to be up.
    """
    words = theirs["beam_search_output.predicted_ids"]
    parents = theirs["beam_search_output.beam_parent_ids"]
    steps, beam_width = words.shape

    def run(decoding: Decoding, *, along: bool = True) -> Outputs:
        """Chooses by score or, `along` the original's way, what it chose."""
        beams, state = initial_beam_state(1, beam_width), tile_to_beams(decoding.state, beam_width)
        tokens, history = np.full(beam_width, decoding.start_id), []
        for t in range(steps):
            state, outputs = decoding.step(tokens, state)
            places = parents[t] * outputs["logits"].shape[-1] + words[t] if along else None
            beams, state, outputs, tokens, origin = _beam_step(
                beams, state, outputs, weight, places, end_id=decoding.end_id
            )
            outputs = {f"original_outputs.{name}": array for name, array in outputs.items()}
            outputs |= {"predicted_ids": tokens, "beam_parent_ids": origin}
            outputs |= {"log_probs": beams.log_probs[0], "scores": beams.scores[0]}
            history.append({f"beam_search_output.{n}": array for n, array in outputs.items()})
        outputs = _stacked(history)
        tree = (outputs[f"beam_search_output.{n}"] for n in ("predicted_ids", "beam_parent_ids"))
        tokens = gather_tree(*(jnp.asarray(a)[:, None] for a in tree))
        outputs["predicted_ids"] = np.asarray(tokens)[:, 0]
        outputs |= _final("grid", jax.tree.leaves(_cells_of(state, decoding)))
        return outputs | _final("beams", [beams.finished[0], beams.lengths[0], beams.log_probs[0]])

    ours = run(decoding, along=False)
    _check_outputs(golden, decoding, run, theirs, ours)

    with jax.disable_jit():
        found = beam_search(
            decoding.search_step,
            decoding.state,
            DecodeContext(
                config=SearchConfig(
                    beam_width=beam_width,
                    n_best=beam_width,
                    max_length=steps,
                    length_penalty_weight=weight,
                ),
                batch_size=1,
                bos_id=decoding.start_id,
                eos_id=decoding.end_id,
            ),
        )
    finished, lengths, _ = (ours[f"beams {i}"][0] for i in range(3))
    np.testing.assert_array_equal(found.finished[0], finished)
    np.testing.assert_array_equal(found.lengths[0], lengths)
    np.testing.assert_allclose(
        found.scores[0], ours["beam_search_output.scores"][-1], atol=1e-5, rtol=1e-6
    )
    for k, length in enumerate(lengths):
        ids = ours["predicted_ids"][:, k]
        np.testing.assert_array_equal(found.ids[0, k, :length], ids[:length])
    if steps < decoding.max_length:
        flags = np.logical_or.accumulate(words == decoding.end_id).all(-1)
        assert flags[-1] and not flags[:-1].any()


@functools.partial(jax.jit, static_argnames="end_id")
def _beam_step(beams, state, outputs, weight, places, *, end_id: int):
    """A step of the beam of one sentence, to the given places or, with None, to the best.

    State and outputs [K, ...] follow -> beams, state, outputs, words [K], parents [K].
    """
    choose = choose_top_k if places is None else lambda scores: places[None]
    context = DecodeContext(
        config=SearchConfig(length_penalty_weight=weight, choose_successors=choose),
        batch_size=1,
        bos_id=end_id,  # A single step does not read it.
        eos_id=end_id,
    )
    log_probs = jax.nn.log_softmax(outputs["logits"])[None]
    beams, words, parents = beam_step(beams, log_probs, context)
    state, outputs = jax.tree.map(lambda leaf: leaf[parents[0]], (state, outputs))
    return beams, state, outputs, words[0], parents[0]


def _cells_of(state: Any, decoding: Decoding) -> Any:
    """The cells' part of a decoder's state."""
    return state if decoding.memory is None else state[0]


def _final(name: str, parts: list[Any]) -> Outputs:
    """What comes after the last step, as outputs of a single one."""
    return {f"{name} {i}": np.asarray(part)[None] for i, part in enumerate(parts)}


def _check_outputs(
    golden: GoldenFile,
    decoding: Decoding,
    run: Callable[[Decoding], Outputs],
    theirs: Outputs,
    ours: Outputs,
) -> None:
    """Asserts that all of ours is theirs, up to what rounding makes of it in `run`."""
    moved = None
    for name, array in theirs.items():
        if name not in ours:
            assert not array.any(), f"{name} is not compared, and not all zero"
            continue
        if array.dtype.kind == "f" and not np.allclose(ours[name], array, atol=1e-5, rtol=1e-6):
            moved = moved or [run(_in_last_place_moved(decoding, seed)) for seed in range(4)]
            for t, row in enumerate(array):
                possible = row > IMPOSSIBLE
                moves = [np.abs(other[name][t] - ours[name][t])[possible] for other in moved]
                atol = max(1e-5, 4 * float(np.max(moves, initial=0)))
                golden.check_close(ours[name][t], row, message=f"{name} at step {t}", atol=atol)
        else:
            golden.check_close(ours[name], array, message=name)


def _in_last_place_moved(decoding: Decoding, seed: int) -> Decoding:
    """With each weight one unit in its last place larger or smaller."""
    random = np.random.default_rng(seed)

    def move(weights: np.ndarray) -> jax.Array:
        return jnp.asarray(weights) * (1 + 2.0**-23 * random.choice([-1, 1], weights.shape))

    params, table = jax.tree.map(move, (decoding.params, decoding.table))
    return decoding._replace(params=params, table=table)


def _stacked(history: list[dict[str, Any]]) -> Outputs:
    return {name: np.stack([step[name] for step in history]) for name in history[0]}


def _decoder_alone(golden: GoldenFile) -> Decoding:
    hparams = golden.hparams
    settings = {"decoder.params": hparams["params"], "bridge.class": "ZeroBridge"}
    if hparams["attention"]:
        settings["attention.class"] = f"AttentionLayer{hparams['attention'].title()}"
        settings["attention.params"] = {"num_units": hparams["attention_num_units"]}
    model = "AttentionSeq2Seq" if hparams["attention"] else "BasicSeq2Seq"
    size = hparams["vocab_size"]
    net = network(model, settings, size, size)
    decoder = net.model.decoder
    table = jnp.asarray(golden["in/target_embedding"])
    attended = ("attention_keys", "attention_values", "attention_values_length")
    attended = [golden[f"in/{name}"] for name in attended] if hparams["attention"] else []
    count = sum(name.startswith("initial_state_") for name in golden.under("in"))
    initial = [golden[f"in/initial_state_{i}"] for i in range(count)]
    bridged = like_initial_state(decoder, "zero_state", initial)

    def memory_of(decoder):
        return decoder.attention.memory(*attended) if attended else None

    def once(decoder):
        memory = memory_of(decoder)
        inputs = jnp.zeros((initial[0].shape[0], table.shape[1]))
        return decoder.logits(
            decoder.step(decoder.initial_state(bridged, memory), inputs, memory)[1]
        )

    shapes = shapes_of(decoder, method=once)
    params = import_part(decoder, shapes, golden.variables())
    memory = decoder.apply({"params": params}, method=memory_of)
    return Decoding(
        net,
        params,
        table,
        memory,
        decoder.initial_state(bridged, memory),
        hparams["reverse_scores"],
        hparams["sos"],
        hparams["eos"],
        hparams["params"].get("max_decode_length", 100),
    )
