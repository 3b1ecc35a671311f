"""Defines the exported part of a recognizer: normalised streams are its inputs, scores are its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.export.token_ids import join_lengths, split_lengths
from hicmae_mm.models.heads import BaseHead, MultiTaskHead
from hicmae_mm.models.recognizer import AudioVisualRecognizer
from hicmae_mm.structures import Inputs, Padded, Stream

KINDS = {'pred_score': 'probabilities', 'pred_values': 'values'}


class ExportableRecognizer(nn.Module):
    """Makes a recognizer a function of tensors, without views, data samples or losses.

    The output ``scores`` has the predictions of the head: probabilities (after softmax) or values. A head for several
    tasks has its classes in ``scores`` and its values in ``values``. A stream of text has two inputs: token ids of one
    length for all texts, and ``{stream}_lengths``, the number of tokens of each text.

    Args:
        model: The recognizer. It is set to evaluation mode.
        shapes: Shapes of the inputs by stream, without the batch, such as those of real clips. None means those that
            the encoders were built for; an encoder of any length then takes its example: 16 frames, a second of sound,
            20 tokens of text.

    Raises:
        ValueError: If the model is not a recognizer, the kind of its predictions is unknown, or a stream is not one
            tensor.
    """

    def __init__(self, model: nn.Module, shapes: Mapping[str, Sequence[int]] | None = None) -> None:
        super().__init__()
        if not isinstance(model, AudioVisualRecognizer):
            raise ValueError(
                f'only recognizers can be exported, got {type(model).__name__}: give the config of a fine-tuning'
            )
        self.model = model.eval()
        self.kinds = {name: KINDS[head.prediction_field] for name, head in self.heads().items()}
        given = shapes or {}
        self.shapes = {
            name: tuple(given[name]) if name in given else _input_shape(name, encoder)
            for name, encoder in model.encoders.items()
        }
        self.texts = tuple(name for name, encoder in model.encoders.items() if _takes_ids(encoder))

    def heads(self) -> dict[str, BaseHead]:
        """Collects the heads.

        Returns:
            Heads by the name of their output.

        Raises:
            ValueError: If the kind of a head's predictions is unknown.
        """
        head = self.model.head
        parts = list(head.heads.values()) if isinstance(head, MultiTaskHead) else [head]
        unknown = [part for part in parts if getattr(part, 'prediction_field', None) not in KINDS]
        if unknown:
            raise ValueError(
                f'{type(unknown[0]).__name__} cannot be exported: prediction_field must be one of {list(KINDS)}'
            )
        if len(parts) == 1:
            return {'scores': parts[0]}
        return {'scores' if part.prediction_field == 'pred_score' else 'values': part for part in parts}

    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of each stream's normalised input without the batch.

        Returns:
            Shapes by stream: video ``(3, T, H, W)``, audio ``(1, T, F)`` or, of waveforms, ``(S,)``, token ids
            ``(N,)``.
        """
        return dict(self.shapes)

    def example_inputs(self, batch_size: int) -> dict[str, Tensor]:
        """Makes inputs of the right shapes from noise, which is the same in each call.

        Args:
            batch_size: Number B of views.

        Returns:
            ``(B, ...)`` by name of the input.
        """
        generator = torch.Generator().manual_seed(0)
        inputs: dict[str, Tensor] = {}
        for name, shape in self.input_shapes().items():
            if name in self.texts:
                ids = self.model.encoders[name].example_input(batch_size, generator)
                inputs |= split_lengths(name, ids[:, : shape[0]], shape[0])
            else:
                inputs[name] = torch.randn(batch_size, *shape, generator=generator)
        return inputs

    def forward(self, inputs: Inputs) -> dict[str, Tensor]:
        """Computes the outputs.

        Args:
            inputs: Normalised inputs ``(B, ...)`` by stream. Texts are ``Padded``, or token ids ``(B, N)`` and
                ``{stream}_lengths`` ``(B,)``.

        Returns:
            ``(B, C)`` float32 by output.
        """
        features = self.model.extract_features({name: join_lengths(name, inputs) for name in self.shapes})
        outputs = {}
        for name, head in self.heads().items():
            out = head(features).float()
            outputs[name] = out.softmax(dim=-1) if self.kinds[name] == 'probabilities' else out
        return outputs

    @property
    def weight_bytes(self) -> int:
        """Returns the size of the weights in bytes."""
        return sum(prod(weight.shape) * weight.element_size() for weight in self.model.parameters())


def _input_shape(name: str, encoder: Any) -> tuple[int, ...]:
    """Returns the shape of a stream's input without the batch."""
    if getattr(encoder, 'grid', None) is not None:
        return (encoder.in_channels, *(count * length for count, length in zip(encoder.grid, encoder.patch)))
    try:
        example = encoder.example_input(1)
    except TypeError as error:
        raise ValueError(f'a model with the stream {name!r} cannot be exported: {error}') from error
    if isinstance(example, Padded):
        raise ValueError(
            f'a model with the stream {name!r} cannot be exported: {type(encoder).__name__} takes sequences of '
            'different lengths, and an exported model takes arrays of one shape'
        )
    return tuple(example.shape[1:])


def _takes_ids(encoder: Any) -> bool:
    """Returns whether an encoder takes token ids, which are integers."""
    if getattr(encoder, 'grid', None) is not None:
        return False
    try:
        return not encoder.example_input(1).is_floating_point()
    except TypeError:  # an encoder without an example, whose shape the caller gave
        return False


def prepare_inputs(model: AudioVisualRecognizer, batch: Mapping[str, Any]) -> dict[str, Stream]:
    """Prepares a collated batch for the exported model by the data preprocessor.

    Args:
        model: The recognizer.
        batch: The batch.

    Returns:
        ``(B, ...)`` for each stream of the model; texts may be ``Padded``.

    Raises:
        ValueError: If a clip lacks a stream, or the clips differ in length of another stream than text.
    """
    data = model.data_preprocessor(dict(batch), training=False)
    missing = {name for name in model.encoders if name not in data['inputs']} | set(data.get('present') or ())
    if missing:
        raise ValueError(f'an exported model needs all streams of all clips, but some lack {sorted(missing)}')
    return {name: _dense(name, data['inputs'][name]) for name in model.encoders}


def _dense(name: str, value: Stream) -> Stream:
    if not isinstance(value, Padded) or not value.dtype.is_floating_point:
        return value
    if len(set(value.lengths.tolist())) > 1:
        raise ValueError(
            f'clips differ in the length of {name}, and an exported model takes one length: give clips of one length, '
            'or of at least max_seconds of WholeTrack'
        )
    return value.values
