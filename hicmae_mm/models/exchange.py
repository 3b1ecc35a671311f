"""Defines a recognizer whose two encoders exchange information after every block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.adapters import BaseAdapter
from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.building import build_slot
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.encoders.prompted_vit import PromptedViTEncoder
from hicmae_mm.models.heads import BaseHead
from hicmae_mm.models.objectives import BaseObjective
from hicmae_mm.models.recognizer import AudioVisualRecognizer
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Inputs, Presence


@MODELS.register_module()
class GatedExchange(BaseModule):
    """Adds a projected mean of the other stream to all tokens, through a bottleneck and a gate that starts at 0.

    Source: MMA-DFER (Chumachenko et al., 2024).

    Args:
        streams: Width of each of the two streams; injected by the model.
        depth: Number of blocks; injected by the model.
        bottleneck: Width of the layer between.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        depth: int,
        bottleneck: int = 128,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.streams = tuple(streams)
        # by stream, a layer per block
        self.down, self.norms, self.up, self.gates = (_by_stream() for _ in range(4))
        for name, width in streams.items():
            self.down[name] = nn.ModuleList(nn.Linear(width, bottleneck) for _ in range(depth))
            self.norms[name] = nn.ModuleList(nn.LayerNorm(bottleneck) for _ in range(depth))
            self.up[name] = nn.ModuleList(nn.Linear(bottleneck, width) for _ in range(depth))
            self.gates[name] = nn.ParameterList([nn.Parameter(torch.zeros(1)) for _ in range(depth)])

    def forward(self, tokens: dict[str, Tensor], index: int, batch_size: int) -> dict[str, Tensor]:
        """Exchanges after block ``index``: ``(B * frames, S, D)`` by stream; the frames of the streams may differ."""
        narrow = {name: self.norms[name][index](self.down[name][index](value)) for name, value in tokens.items()}
        # (B * frames, S, d) -> (B, 1, 1, d)
        means = {name: value.unflatten(0, (batch_size, -1)).mean((1, 2), True) for name, value in narrow.items()}
        updated = {}
        for name, value in tokens.items():
            other = next(stream for stream in self.streams if stream != name)
            joined = narrow[name].unflatten(0, (batch_size, -1)) + means[other]  # (B, frames, S, d)
            added = F.gelu(self.up[name][index](joined.flatten(0, 1)))
            updated[name] = value + self.gates[name][index].tanh() * added
        return updated


def _by_stream() -> Any:
    return nn.ModuleDict()


@MODELS.register_module()
class ExchangeRecognizer(AudioVisualRecognizer):
    """Recognizes emotion from two streams whose encoders exchange information after every block.

    It does not fit the usual cut of encoders and fusion, so the encoders run in step here. Everything else is an
    :class:`~hicmae_mm.models.AudioVisualRecognizer`. Source: MMA-DFER (Chumachenko et al., 2024).

    Args:
        exchange: The module that updates the tokens of both streams, such as ``dict(type='GatedExchange')``.
        encoders: Two :class:`PromptedViTEncoder` of one depth.
        head: Clip-level head.
        aggregator: Makes one feature of all tokens.
        data_preprocessor: Moves and normalises batches.
        objectives: Further losses by name.
        frozen: Parts that are not trained; see :class:`~hicmae_mm.models.base.AudioVisualModel`.
        init_cfg: MMEngine initialisation config.
        adapters: Small trained parts; see :class:`~hicmae_mm.models.base.AudioVisualModel`.

    Raises:
        ValueError: If the encoders are of another kind.
    """

    def __init__(
        self,
        exchange: dict[str, Any] | nn.Module,
        encoders: Mapping[str, dict[str, Any] | BaseEncoder],
        head: dict[str, Any] | BaseHead,
        aggregator: dict[str, Any] | BaseAggregator = {'type': 'TemporalTransformerAggregator'},  # noqa: B006
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        objectives: Mapping[str, dict[str, Any] | BaseObjective] | None = None,
        frozen: Sequence[str] = (),
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        adapters: Sequence[dict[str, Any] | BaseAdapter] = (),
    ) -> None:
        super().__init__(
            encoders,
            head,
            aggregator=aggregator,
            data_preprocessor=data_preprocessor,
            objectives=objectives,
            frozen=frozen,
            init_cfg=init_cfg,
            adapters=adapters,
        )
        kinds = {type(encoder).__name__ for encoder in self.encoders.values()}
        depths = {name: encoder.depth for name, encoder in self.encoders.items()}
        if kinds != {PromptedViTEncoder.__name__} or len(depths) != 2 or len(set(depths.values())) != 1:
            raise ValueError(
                f'ExchangeRecognizer needs two PromptedViTEncoder of one depth, got {sorted(kinds)} with {depths}'
            )
        depth = next(iter(depths.values()))
        self.exchange: nn.Module = build_slot(exchange, 'exchange', streams=self.widths, depth=depth)
        self.prepare_parts()

    def prepare_parts(self) -> None:
        """See :meth:`AudioVisualModel.prepare_parts`; waits until the exchange is built."""
        if hasattr(self, 'exchange'):
            super().prepare_parts()

    def encode(self, inputs: Inputs, presence: Mapping[str, Presence]) -> dict[str, EncoderOutput]:
        """See :meth:`AudioVisualRecognizer.encode`."""
        del presence  # complete, as checked
        batch_size = next(iter(inputs.values())).shape[0]
        encoders: dict[str, Any] = dict(self.encoders.items())
        tokens = {name: encoder.embed(inputs[name]) for name, encoder in encoders.items()}
        layers: dict[str, list[Tensor]] = {name: [] for name in encoders}
        for index in range(next(iter(encoders.values())).depth):
            tokens = {name: encoders[name].blocks[index](value) for name, value in tokens.items()}
            tokens = self.exchange(tokens, index, batch_size)
            tokens = {name: encoders[name].renew_prompts(value, index) for name, value in tokens.items()}
            for name, value in tokens.items():
                layers[name].append(value)
        return {name: encoder.output(layers[name], batch_size) for name, encoder in encoders.items()}
