"""A PyTorch model that is optimized for speed by hand.

It is time-major; inputs and target embeddings are projected for all steps at once; the weight
gradients of a step's products are one product after the backward pass (`_Deferred`); logits are
computed only at real tokens; Adam is fused.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.cases import CASES, DECODE_LENGTH, DROPOUT, Case
from benchmarks.peers.torch_work import IDS, measure_search, measure_steps
from benchmarks.work import MODES, Work, measure_one

State = list[tuple[Tensor, Tensor]]
"""For each layer h and c, [B, D]; a GRU does not use c."""


class Memory:
    """Attention memory: values [B, S, 2D], keys [B, S, D], mask [B, 1, S]."""

    def __init__(self, values: Tensor, keys: Tensor, mask: Tensor):
        self.values, self.keys, self.mask = values, keys, mask

    def repeated(self, times: int) -> "Memory":
        tensors = self.values, self.keys, self.mask
        return Memory(*(tensor.repeat_interleave(times, 0) for tensor in tensors))


class Reference(nn.Module):
    """The model of a case."""

    def __init__(self, case: Case):
        super().__init__()
        units, words = case.units, case.vocab_size
        self.is_lstm, self.is_additive = case.cell == "LSTMCell", "Bahdanau" in case.attention
        gates = 4 if self.is_lstm else 3
        self.embed_source = nn.Embedding(words, units, IDS.padding)
        self.embed_target = nn.Embedding(words, units, IDS.padding)
        kind = nn.LSTM if self.is_lstm else nn.GRU
        self.encoder = kind(units, units, case.encoder_layers, bidirectional=True)
        self.bridge, self.keys = nn.Linear(2 * units, units), nn.Linear(2 * units, units, False)

        def weights(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape).uniform_(-0.1, 0.1))

        layers = range(case.decoder_layers)
        self.input_weights = nn.ParameterList(weights(gates * units, units) for _ in layers)
        self.state_weights = nn.ParameterList(weights(gates * units, units) for _ in layers)
        self.bias = nn.ParameterList(weights(gates * units) for _ in layers)
        self.reset_bias = nn.ParameterList(weights(units) for _ in layers)
        self.context_weights = weights(gates * units, 2 * units)
        self.query_weights, self.energy = weights(units, units), weights(units)
        self.mix, self.logits = nn.Linear(3 * units, units), nn.Linear(units, words)
        self._deferred: dict[int, tuple[Tensor, list[tuple[Tensor, Tensor]]]] = {}

    def loss(self, sources: Tensor, source_len: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over tokens. Sources [B, S], targets [B, T]."""
        memory, state = self._encode(sources, source_len)
        embedded = self._dropout(self.embed_target(targets[:, :-1].t()))
        inputs = F.linear(embedded, self.input_weights[0], self.bias[0]).unbind(0)
        context = memory.values.new_zeros(memory.values[:, 0].shape)
        outputs, contexts = [], []
        for projected in inputs:
            output, state, context = self._step(projected, state, context, memory)
            outputs.append(output)
            contexts.append(context)
        wanted = targets[:, 1:].t()
        words = wanted != IDS.padding
        features = torch.cat([torch.stack(contexts), torch.stack(outputs)], 2)[words]
        return F.cross_entropy(self._logits(features), wanted[words])

    def compute_deferred_gradients(self) -> None:
        """Compute the deferred weight gradients; call this after `backward`."""
        for weight, uses in self._deferred.values():
            inputs, grads = (torch.cat(parts) for parts in zip(*uses, strict=True))
            weight.grad = grads.t() @ inputs
        self._deferred = {}

    def search(self, sources: Tensor, source_len: Tensor, beams: int) -> Tensor:
        """Return the best hypotheses, [B, DECODE_LENGTH]; one beam is greedy search."""
        memory, state = self._encode(sources, source_len)
        rows = len(sources)
        memory = memory.repeated(beams)
        state = [(h.repeat_interleave(beams, 0), c.repeat_interleave(beams, 0)) for h, c in state]
        context = memory.values.new_zeros(memory.values[:, 0].shape)
        words = torch.full((rows * beams,), IDS.start)
        scores = context.new_full((rows, beams), float("-inf"))
        scores[:, 0] = 0
        first = torch.arange(rows)[:, None] * beams
        steps: list[tuple[Tensor, Tensor]] = []
        for _ in range(DECODE_LENGTH):
            projected = F.linear(self.embed_target(words), self.input_weights[0], self.bias[0])
            output, state, context = self._step(projected, state, context, memory)
            logits = self._logits(torch.cat([context, output], 1))
            logits[:, : IDS.first_word] = float("-inf")
            if beams == 1:
                words = logits.argmax(1)
                steps.append((first[:, 0], words))
                continue
            best, ids = logits.topk(beams, 1)
            best = (best - logits.logsumexp(1, True)).view(rows, beams, beams)
            scores, chosen = (best + scores[:, :, None]).view(rows, -1).topk(beams, 1)
            parents = (first + chosen // beams).view(-1)
            words = ids.view(rows, -1).gather(1, chosen).view(-1)
            steps.append((parents, words))
            state = [(h[parents], c[parents] if self.is_lstm else c) for h, c in state]
            context = context[parents]
        return torch.stack(list(_backtrace(steps, first[:, 0]))[::-1], 1)

    def _encode(self, sources: Tensor, source_len: Tensor) -> tuple[Memory, State]:
        outputs, last = self.encoder(self._dropout(self.embed_source(sources.t())))
        last = last[0] if self.is_lstm else last
        values = outputs.transpose(0, 1).contiguous()
        beyond = torch.arange(sources.shape[1])[None] >= source_len[:, None]
        mask = values.new_zeros(sources.shape).masked_fill(beyond, float("-inf"))[:, None]
        state = torch.tanh(self.bridge(torch.cat([last[-2], last[-1]], 1)))
        layers = [(state, torch.zeros_like(state)) for _ in self.state_weights]
        return Memory(values, self.keys(values), mask), layers

    def _step(
        self, projected: Tensor, state: State, context: Tensor, memory: Memory
    ) -> tuple[Tensor, State, Tensor]:
        """Run one step, given the projected embedding of its input token."""
        projected = projected + self._product(context, self.context_weights)
        new: State = []
        for layer in range(len(self.state_weights)):
            if layer:
                inputs = self._dropout(new[-1][0])
                projected = self._product(inputs, self.input_weights[layer]) + self.bias[layer]
            new.append(self._cell(layer, projected, *state[layer]))
        output = new[-1][0]
        query = output[:, None]
        if self.is_additive:
            query = self._product(output, self.query_weights)[:, None]
            scores = (torch.tanh(memory.keys + query) @ self.energy)[:, None]
        else:
            scores = torch.bmm(query, memory.keys.transpose(1, 2))
        attended = torch.bmm(torch.softmax(scores + memory.mask, -1), memory.values)
        return output, new, attended[:, 0]

    def _cell(self, layer: int, projected: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        recurrent = self._product(h, self.state_weights[layer])
        if self.is_lstm:
            i, f, g, o = (projected + recurrent).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c
        units = h.shape[1]
        gates = torch.sigmoid(projected[:, : 2 * units] + recurrent[:, : 2 * units])
        reset, update = gates.chunk(2, 1)
        reset_state = reset * (recurrent[:, 2 * units :] + self.reset_bias[layer])
        candidate = torch.tanh(projected[:, 2 * units :] + reset_state)
        return torch.lerp(candidate, h, update), c

    def _logits(self, features: Tensor) -> Tensor:
        return self.logits(torch.tanh(self.mix(features)))

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return x @ weight.t()
        uses = self._deferred.setdefault(id(weight), (weight, []))[1]
        return _Deferred.apply(x, weight, uses)

    def _dropout(self, x: Tensor) -> Tensor:
        return F.dropout(x, DROPOUT, self.training)


class _Deferred(torch.autograd.Function):
    """x @ weight.t(), which records the factors of the weight's gradient for later."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, uses: list) -> Tensor:
        ctx.x, ctx.weight, ctx.uses = x, weight, uses
        return x @ weight.t()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        ctx.uses.append((ctx.x, grad))
        return grad @ ctx.weight, None, None


def _backtrace(steps: list[tuple[Tensor, Tensor]], best: Tensor) -> Iterator[Tensor]:
    """Yield the tokens of the best hypotheses, from the last to the first."""
    for parents, words in reversed(steps):
        yield words[best]
        best = parents[best] if len(parents) > len(best) else best


def measure(work: Work) -> dict[str, Any]:
    torch.manual_seed(0)
    model = Reference(CASES[work.case])
    if work.mode == "train":
        return measure_steps(
            work,
            model,
            lambda b: model.loss(b["source_ids"], b["source_len"], b["target_ids"]),
            before_update=model.compute_deferred_gradients,
            fused=True,
        )
    beams = MODES[work.mode]
    return measure_search(work, model, lambda ids, lengths: model.search(ids, lengths, beams))


if __name__ == "__main__":
    measure_one("PyTorch by hand", measure)
