"""fairseq: its LSTM model, in all cases with LSTM cells, because it has no others.

Each layer of the decoder starts from the encoder's final state.
"""

import logging
from importlib.metadata import version
from typing import Any

import torch
from fairseq.data import Dictionary
from fairseq.models.lstm import LSTMDecoder, LSTMEncoder, LSTMModel
from fairseq.sequence_generator import SequenceGenerator
from torch import Tensor, nn

from benchmarks.cases import CASES, DECODE_LENGTH, DROPOUT, Case, SpecialIds
from benchmarks.peers.torch_work import TorchBatch, measure_search, measure_steps
from benchmarks.work import MODES, Work, measure_one

IDS = SpecialIds(first_word=4, start=0, end=2, padding=1)


def make_model(case: Case) -> tuple[LSTMModel, Dictionary]:
    words = Dictionary()  # <s>, <pad>, </s>, <unk>
    for number in range(case.vocab_size - IDS.first_word):
        words.add_symbol(f"w{number}")
    units = case.units

    class Encoder(LSTMEncoder):
        def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, ...]:
            outputs, h, c, mask = super().forward(*args, **kwargs)
            layers = case.decoder_layers
            return outputs, h[-1:].repeat(layers, 1, 1), c[-1:].repeat(layers, 1, 1), mask

    encoder = Encoder(
        words, units, units, case.encoder_layers, DROPOUT, 0.0, bidirectional=True, left_pad=False
    )
    decoder = LSTMDecoder(
        words,
        units,
        units,
        units,
        case.decoder_layers,
        DROPOUT,
        0.0,
        attention=True,
        encoder_output_units=2 * units,
    )
    return LSTMModel(encoder, decoder), words


def measure(work: Work) -> dict[str, Any]:
    logging.disable(logging.WARNING)
    torch.manual_seed(0)
    model, words = make_model(CASES[work.case])
    if work.mode == "train":

        def token_mean(batch: TorchBatch) -> Tensor:
            targets = batch["target_ids"]
            before = targets[:, :-1].masked_fill(targets[:, :-1] == IDS.end, IDS.padding)
            output = model(batch["source_ids"], batch["source_len"], before)
            log_probs = model.get_normalized_probs(output, log_probs=True)
            loss = nn.functional.nll_loss(
                log_probs.view(-1, log_probs.size(-1)),
                targets[:, 1:].reshape(-1),
                ignore_index=IDS.padding,
                reduction="sum",
            )
            return loss / (batch["target_len"] - 1).sum()

        return measure_steps(work, model, token_mean, ids=IDS)
    generator = SequenceGenerator(
        [model],
        words,
        beam_size=MODES[work.mode],
        max_len_b=DECODE_LENGTH,
        min_len=DECODE_LENGTH,
        max_len=DECODE_LENGTH + 1,
    )

    def search(sources: Tensor, lengths: Tensor) -> list[Tensor]:
        sample = {"net_input": {"src_tokens": sources, "src_lengths": lengths}}
        # The last token is a forced END.
        return [found[0]["tokens"][:-1] for found in generator.generate([model], sample)]

    return measure_search(work, model, search, ids=IDS)


if __name__ == "__main__":
    measure_one(f"fairseq {version('fairseq-fixed')}", measure)
