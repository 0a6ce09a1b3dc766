"""JoeyNMT: its recurrent encoder and decoder, with input feeding and a bridge.

Its attention "luong" has a matrix between query and keys, as ours has.
"""

from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import torch
from joeynmt.batch import Batch
from joeynmt.model import Model, build_model
from joeynmt.search import search as joey_search
from joeynmt.vocabulary import Vocabulary
from torch import Tensor

from benchmarks.cases import CASES, DECODE_LENGTH, DROPOUT, Case
from benchmarks.peers.torch_work import (
    IDS,
    TorchBatch,
    measure_search,
    measure_steps,
)
from benchmarks.work import MODES, Work, measure_one


def make_model(case: Case) -> Model:
    special = SimpleNamespace(
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        sep_token=None,
        unk_id=0,
        pad_id=IDS.padding,
        bos_id=IDS.start,
        eos_id=IDS.end,
        sep_id=None,
        lang_tags=[],
    )
    vocabulary = Vocabulary([f"w{i}" for i in range(case.vocab_size - IDS.first_word)], special)
    common = {
        "type": "recurrent",
        "rnn_type": case.cell.removesuffix("Cell").lower(),
        "embeddings": {"embedding_dim": case.units, "scale": False, "dropout": DROPOUT},
        "hidden_size": case.units,
        "dropout": DROPOUT,
    }
    settings = {
        "initializer": "uniform",
        "init_weight": 0.1,
        "embed_initializer": "uniform",
        "embed_init_weight": 0.1,
        "encoder": {**common, "num_layers": case.encoder_layers, "bidirectional": True},
        "decoder": {
            **common,
            "num_layers": case.decoder_layers,
            "hidden_dropout": DROPOUT,
            "input_feeding": True,
            "init_hidden": "bridge",
            "attention": "bahdanau" if "Bahdanau" in case.attention else "luong",
        },
    }
    return build_model(settings, vocabulary, vocabulary)


def make_batch(sources: Tensor, lengths: Tensor, targets: Tensor | None) -> Batch:
    return Batch(
        src=sources,
        src_length=lengths,
        src_prompt_mask=None,
        trg=targets,
        trg_prompt_mask=None,
        indices=torch.arange(len(sources)),
        device=torch.device("cpu"),
        pad_index=IDS.padding,
        eos_index=IDS.end,
        is_train=targets is not None,
    )


def measure(work: Work) -> dict[str, Any]:
    torch.manual_seed(0)
    model = make_model(CASES[work.case])
    if work.mode == "train":
        model.loss_function = ("crossentropy", 0.0)

        def token_mean(tensors: TorchBatch) -> Tensor:
            batch = make_batch(tensors["source_ids"], tensors["source_len"], tensors["target_ids"])
            loss, *_ = model(return_type="loss", **vars(batch))
            return batch.normalize(loss, "tokens")

        return measure_steps(work, model, token_mean)

    def search(sources: Tensor, lengths: Tensor) -> list[Any]:
        found, _, _ = joey_search(
            model,
            make_batch(sources, lengths, None),
            max_output_length=DECODE_LENGTH,
            min_output_length=DECODE_LENGTH,
            beam_size=MODES[work.mode],
            beam_alpha=-1,
            n_best=1,
        )
        return list(found)

    return measure_search(work, model, search)


if __name__ == "__main__":
    measure_one(f"JoeyNMT {version('joeynmt')}", measure)
