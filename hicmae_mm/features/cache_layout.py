"""Defines how the output of a frozen encoder is stored: the parts that are used, one below the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.structures import Padded, Stream

SUMMARY = 'summary'


@dataclass(frozen=True)
class Layout:
    """Parts of an encoder's output in the rows ``(P, D)`` of a view.

    Attributes:
        parts: Names of the stored parts, in order: ``hidden.0``, ``tokens``, ``summary``. Tokens that are those of the
            last layer have the layer's name.
        tokens: Name of the part that holds the tokens; empty if nothing uses them.
        counts: Number of rows of every part of the output, stored or not, by name. For sequences, whose token parts
            have one length that differs from clip to clip, only the summary has a number.
        depth: Number of layers.
        is_sequence: Whether clips differ in length.
    """

    parts: tuple[str, ...]
    tokens: str
    counts: dict[str, int]
    depth: int
    is_sequence: bool

    @classmethod
    def of(cls, output: EncoderOutput, used: Sequence[str]) -> Layout:
        """Returns the layout of an output whose parts ``used`` are stored."""
        tensors = tensors_of(output)
        is_sequence = output.padding is not None
        fixed = [name for name in tensors if name == SUMMARY or not is_sequence]
        tokens = _tokens_name(output)
        counts = {name: tensors[name].shape[1] for name in fixed}
        return cls(tuple(used), tokens if tokens in used else '', counts, len(output.hidden), is_sequence)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Layout:
        """Reads :meth:`to_dict`."""
        return cls(**{**stored, 'parts': tuple(stored['parts'])})

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON values."""
        return asdict(self) | dict(parts=list(self.parts))

    def pack(self, output: EncoderOutput) -> list[np.ndarray]:
        """Returns the rows ``(P, D)`` float32 of every view."""
        tensors, views = tensors_of(output), []
        for view in range(output.tokens.shape[0]):
            real = slice(None) if output.padding is None else ~output.padding[view]
            rows = [tensors[name][view] if name == SUMMARY else tensors[name][view][real] for name in self.parts]
            views.append(torch.cat(rows).float().cpu().numpy())
        return views

    def unpack(self, rows: Stream) -> EncoderOutput:
        """Returns the output of a batch of views. Layers that nothing uses are NaN, so that no use stays unnoticed."""
        padding = None
        if isinstance(rows, Padded):
            found, padding = self._split_sequences(rows)
            values = rows.values
        else:
            values = rows
            found = dict(zip(self.parts, values.split([self.counts[name] for name in self.parts], dim=1)))
        length = next((part.shape[1] for name, part in found.items() if name != SUMMARY), 1)
        nothing = values.new_full((1, 1, 1), torch.nan)

        def part(name: str) -> Tensor:
            if name in found:
                return found[name]
            return nothing.expand(values.shape[0], self.counts.get(name, length), values.shape[2])

        hidden = tuple(part(f'hidden.{layer}') for layer in range(self.depth))
        tokens = part(self.tokens) if self.tokens else hidden[-1]
        return EncoderOutput(tokens, hidden, padding, found.get(SUMMARY))

    def _split_sequences(self, rows: Padded) -> tuple[dict[str, Tensor], Tensor]:
        """Parts ``(B, K, D)`` and padding ``(B, K)`` of rows that differ in length."""
        fixed = self.counts[SUMMARY] if SUMMARY in self.parts else 0
        num_varying = len([name for name in self.parts if name != SUMMARY])
        lengths = [(int(length) - fixed) // num_varying for length in rows.lengths.tolist()]
        sizes = [[fixed if name == SUMMARY else length for name in self.parts] for length in lengths]
        split = [row[: sum(size)].split(size) for row, size in zip(rows.values, sizes)]
        parts = {name: Padded.stack(list(column)) for name, column in zip(self.parts, zip(*split))}
        varying = next(part for name, part in parts.items() if name != SUMMARY)
        return {name: part.values for name, part in parts.items()}, varying.padding.to(rows.device)


def tensors_of(output: EncoderOutput) -> dict[str, Tensor]:
    """Returns the parts of an output by name, each once."""
    found = {f'hidden.{layer}': tensor for layer, tensor in enumerate(output.hidden)}
    found.setdefault(_tokens_name(output), output.tokens)
    if output.summary is not None:
        found[SUMMARY] = output.summary
    return found


def _tokens_name(output: EncoderOutput) -> str:
    return f'hidden.{len(output.hidden) - 1}' if output.tokens is output.hidden[-1] else 'tokens'


def find_layouts(model: AudioVisualModel, streams: Sequence[str], batch: Mapping[str, Any]) -> dict[str, Layout]:
    """Finds what the rest of a model uses of the outputs of its encoders: what the losses have a gradient for.

    Args:
        model: The model in training mode.
        streams: Streams whose encoders are frozen.
        batch: A labelled batch, as the data preprocessor gives it.

    Returns:
        A layout for each stream.

    Raises:
        ValueError: If the model does not call an encoder as a whole, or nothing uses its output.
    """
    leaves: dict[str, dict[str, Tensor]] = {}
    outputs: dict[str, EncoderOutput] = {}

    def record(stream: str, encoder: BaseEncoder, *inputs: Any) -> EncoderOutput:
        with torch.no_grad():
            output = type(encoder).forward(encoder, *inputs)
        if output.auxiliary:
            raise ValueError(
                f'the {stream} encoder gives {sorted(output.auxiliary)} for objectives, which is not cached'
            )
        outputs[stream] = output
        leaves[stream] = {name: part.detach().requires_grad_() for name, part in tensors_of(output).items()}
        return _with_parts(output, leaves[stream])

    with replaced_forward({name: (model.encoders[name], partial(record, name)) for name in streams}):
        losses = model(**batch, mode='loss')
        total = torch.stack([value.sum() for name, value in losses.items() if 'loss' in name]).sum()
    names = [(stream, part) for stream in leaves for part in leaves[stream]]
    tensors = [leaves[stream][part] for stream, part in names]
    gradients = torch.autograd.grad(total, tensors, allow_unused=True) if tensors else ()
    layouts = {}
    for stream in streams:
        if stream not in outputs:
            raise ValueError(
                f'{type(model).__name__} runs the parts of the {stream} encoder itself: its output cannot be cached'
            )
        used = [part for (name, part), gradient in zip(names, gradients) if name == stream and gradient is not None]
        if not used:
            raise ValueError(f'nothing that is trained uses the output of the {stream} encoder')
        layouts[stream] = Layout.of(outputs[stream], used)
    return layouts


def _with_parts(output: EncoderOutput, parts: Mapping[str, Tensor]) -> EncoderOutput:
    hidden = tuple(parts[f'hidden.{layer}'] for layer in range(len(output.hidden)))
    return output._replace(tokens=parts[_tokens_name(output)], hidden=hidden, summary=parts.get(SUMMARY))


@contextmanager
def replaced_forward(replacements: Mapping[str, tuple[BaseEncoder, Any]]) -> Iterator[None]:
    """Lets encoders compute by another function, which gets the encoder and its inputs, for a while."""
    for encoder, function in replacements.values():
        encoder.forward = partial(function, encoder)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for encoder, _ in replacements.values():
            del encoder.forward
