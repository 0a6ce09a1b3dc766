"""OpenNMT-py: its recurrent encoder and its decoder with input feeding.

It requires an encoder with as many units, over both directions, and as many layers as the decoder.
A thin adapter projects the outputs of our encoder, and initializes each layer of the decoder with
its final state.
"""

from importlib.metadata import version
from typing import Any

import pyonmttok
import torch
from onmt.decoders.decoder import InputFeedRNNDecoder
from onmt.encoders.rnn_encoder import RNNEncoder
from onmt.models.model import NMTModel
from onmt.modules import Embeddings
from onmt.translate import GNMTGlobalScorer, Translator
from onmt.utils.loss import LossCompute
from torch import Tensor, nn

from benchmarks.cases import CASES, DECODE_LENGTH, DROPOUT, Case
from benchmarks.peers.torch_work import (
    IDS,
    TorchBatch,
    measure_search,
    measure_steps,
)
from benchmarks.work import MODES, Work, measure_one


def make_model(case: Case) -> NMTModel:
    units, cell = case.units, case.cell.removesuffix("Cell")
    attention = "mlp" if "Bahdanau" in case.attention else "dot"

    def embeddings() -> Embeddings:
        return Embeddings(units, case.vocab_size, IDS.padding, dropout=DROPOUT)

    decoder = InputFeedRNNDecoder(
        cell, False, case.decoder_layers, units, attention, dropout=DROPOUT, embeddings=embeddings()
    )
    encoder = RNNEncoder(cell, True, case.encoder_layers, 2 * units, DROPOUT, embeddings())
    model = NMTModel(_Adapter(encoder, units, case.decoder_layers), decoder)
    model.generator = nn.Linear(units, case.vocab_size)
    for parameter in model.parameters():
        parameter.data.uniform_(-0.1, 0.1)
    return model


class _Adapter(nn.Module):
    def __init__(self, encoder: nn.Module, units: int, decoder_layers: int):
        super().__init__()
        self.encoder, self._layers = encoder, decoder_layers
        self.outputs = nn.Linear(2 * units, units, bias=False)
        self.states = nn.Linear(2 * units, units)

    def forward(self, sources: Tensor, lengths: Tensor) -> tuple[Tensor, Any, Tensor]:
        outputs, state, lengths = self.encoder(sources, lengths)
        if isinstance(state, tuple):
            return self.outputs(outputs), tuple(map(self._of_decoder, state)), lengths
        return self.outputs(outputs), self._of_decoder(state), lengths

    def _of_decoder(self, state: Tensor) -> Tensor:
        last = torch.tanh(self.states(torch.cat([state[-2], state[-1]], 1)))
        return last.unsqueeze(0).repeat(self._layers, 1, 1)


def make_translator(case: Case, model: NMTModel, beams: int) -> Translator:
    vocabulary = pyonmttok.Vocab()
    for token in ["<unk>", "<blank>", "<s>", "</s>", *map(str, range(case.vocab_size - 4))]:
        vocabulary.add_token(token)
    vocabulary.default_id = 0
    return Translator(
        model,
        {"src": vocabulary, "tgt": vocabulary, "decoder_start_token": "<s>"},
        n_best=1,
        min_length=DECODE_LENGTH,
        max_length=DECODE_LENGTH,
        max_length_ratio=0,
        beam_size=beams,
        global_scorer=GNMTGlobalScorer(0.0, 0.0, "none", "none"),
    )


def measure(work: Work) -> dict[str, Any]:
    torch.manual_seed(0)
    case = CASES[work.case]
    model = make_model(case)
    if work.mode == "train":
        criterion = nn.CrossEntropyLoss(ignore_index=IDS.padding, reduction="sum")
        compute = LossCompute(criterion, model.generator)

        def token_mean(batch: TorchBatch) -> Tensor:
            sources, targets = (batch[f"{side}_ids"].unsqueeze(-1) for side in ("source", "target"))
            output, attention = model(sources, targets, batch["source_len"])
            given = {"src": sources, "tgt": targets, "srclen": batch["source_len"]}
            loss, _ = compute(given, output, attention)
            return loss / (batch["target_len"] - 1).sum()

        return measure_steps(work, model, token_mean)
    translator = make_translator(case, model, MODES[work.mode])

    def search(sources: Tensor, lengths: Tensor) -> list[Tensor]:
        batch = {"src": sources.unsqueeze(-1), "srclen": lengths}
        found = translator.translate_batch(batch, False)["predictions"]
        return [hypotheses[0][:DECODE_LENGTH] for hypotheses in found]

    return measure_search(work, model, search)


if __name__ == "__main__":
    measure_one(f"OpenNMT-py {version('OpenNMT-py')}", measure)
