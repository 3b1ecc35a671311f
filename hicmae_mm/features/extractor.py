"""Compute the features of the views of a batch: pooled tokens of encoder layers, of the fusion, and of the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.checkpoints.loading import LoadingReport, load_weights
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.encoders import EncoderOutput
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.models.missing_streams import encode_present, find_presence
from hicmae_mm.structures import Padded, Stream

FUSION, CLIP = 'fusion', 'clip'
LEVELS = ('clip', 'frame')


class FeatureExtractor:
    """Runs the parts of a model that the features need, on all tokens (without masks) and without training.

    The result has these columns:

    * ``{stream}_layer{i}``: output tokens of layer ``i`` (0-based) of an encoder, after the encoder's final norm. At
      level ``'clip'`` they are averaged over all tokens ``(B, D)``. At level ``'frame'`` they are averaged over space,
      in order of time ``(B, steps, D)``. A step is a tubelet of frames, a column of patches of the spectrogram, or a
      token of a sequence such as words. Sequences are ``Padded``, because clips differ in their length.
    * ``fusion_{stream}``: output tokens of the fusion for a stream, averaged in the same way.
    * ``clip`` ``(B, D)``: output of the aggregator, which is the input of the head. Only at level ``'clip'``.

    Args:
        model: A recognizer or a pre-trainer. It is set to evaluation mode.
        streams: Some of the model's streams, ``'fusion'`` and ``'clip'``. None means all that the model has.
        layers: ``'all'``, ``'last'``, or 0-based numbers of encoder layers.
        level: ``'clip'`` or ``'frame'``.
        with_scores: Whether the head predicts, too.

    Raises:
        TypeError: If the model is of another kind.
        ValueError: If a stream, a layer or the level does not exist.
    """

    def __init__(
        self,
        model: nn.Module,
        streams: Sequence[str] | None = None,
        layers: str | Sequence[int] = 'last',
        level: str = 'clip',
        with_scores: bool = False,
    ) -> None:
        if not isinstance(model, AudioVisualModel):
            raise TypeError(f'expected an AudioVisualRecognizer or AudioVisualPretrainer, got {type(model).__name__}')
        if level not in LEVELS:
            raise ValueError(f'level must be one of {LEVELS}, got {level!r}')
        self.model, self.level, self.with_scores = model.eval(), level, with_scores
        aggregator = getattr(model, 'aggregator', None)
        has_clip = aggregator is not None and aggregator.level == 'clip'
        known = [*model.encoders]
        in_context = hasattr(model, 'conversation')  # its fusion needs whole conversations, which no list gives here
        known += [FUSION] if model.fusion is not None and not in_context else []
        known += [CLIP] if has_clip and level == 'clip' else []
        self.streams = tuple(known if streams is None else dict.fromkeys(streams))
        unknown = [name for name in self.streams if name not in known]
        if unknown or not self.streams:
            raise ValueError(f'streams must be some of {known} (level {level!r}), got {list(self.streams)}')
        if with_scores and not has_clip:
            raise ValueError(f'{type(model).__name__} has no head that predicts for clips: leave the scores out')
        self.needs_clip = CLIP in self.streams or with_scores
        self.needs_fusion = FUSION in self.streams or self.needs_clip
        self.encoded_streams = tuple(name for name in model.encoders if self.needs_fusion or name in self.streams)
        self.layers = {
            name: _layer_numbers(layers, encoder.depth, name)
            for name, encoder in model.encoders.items()
            if name in self.streams
        }

    def load(self, state_dict: Mapping[str, Tensor], source: str) -> LoadingReport:
        """Loads weights. They must contain all parts that the features need, except the aggregator.

        A pre-trained checkpoint has no aggregator. The aggregator then keeps its initial weights, an equal mix of
        layers.

        Args:
            state_dict: Weights of a pre-trained or fine-tuned checkpoint.
            source: Name of the checkpoint, for errors.

        Returns:
            Which weights were loaded and which were not.

        Raises:
            ValueError: If weights are missing or have another shape.
        """
        report = load_weights(self.model, state_dict, source)
        needed = [f'encoders.{name}.' for name in self.encoded_streams]
        needed += ['fusion.'] if self.needs_fusion else []
        needed += ['head.'] if self.with_scores else []
        absent = [name for name in report.missing if name.startswith(tuple(needed))]
        if absent or report.mismatched:
            summary = '; '.join(line.strip() for line in report.summary().splitlines())
            raise ValueError(f'{source!r} does not have what the features need: {summary}')
        return report

    def definitions(self) -> dict[str, str]:
        """Describes every column in words.

        Returns:
            Descriptions by column.
        """
        over = 'over all tokens' if self.level == 'clip' else 'over space, a row per time step'
        found = {
            f'{name}_layer{layer}': f'tokens of layer {layer} of the {name} encoder, normed, averaged {over}'
            for name, layers in self.layers.items()
            for layer in layers
        }
        if FUSION in self.streams:
            found |= {
                f'fusion_{name}': f'tokens that the fusion puts out for {name}, averaged {over}'
                for name in self.model.encoders
            }
        if CLIP in self.streams:
            found[CLIP] = f'what {type(self.model.aggregator).__name__} makes of a clip, before the norm of the head'
        return found

    @torch.no_grad()
    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Stream]:
        """Computes the features of a collated batch.

        Args:
            batch: Batch of a data loader. With scores, the predictions are stored in its ``data_samples``.

        Returns:
            Columns by name: float32, ``(views, D)`` or ``(views, steps, D)``, the latter ``Padded`` for sequences.

        Raises:
            ValueError: If a stream is missing that the model needs.
        """
        data = self.model.data_preprocessor({key: value for key, value in batch.items() if key != 'masks'}, False)
        inputs, present = data['inputs'], data.get('present')
        if getattr(self.model, 'missing_streams', 'error') == 'error':
            self._check_streams(inputs, present)
        if self.needs_clip:
            this = self.model.run_pass(inputs, data['data_samples'], present)
            encoded, fused = this.encoded, this.fused
        else:
            encoded, fused = self._encode(inputs, present)
        columns: dict[str, Stream] = {
            f'{name}_layer{layer}': self._pool(encoded[name].hidden[layer], name, encoded[name].padding, inputs)
            for name, layers in self.layers.items()
            for layer in layers
        }
        if FUSION in self.streams:
            for name in self.model.encoders:
                columns[f'fusion_{name}'] = self._pool(fused[name], name, encoded[name].padding, inputs)
        if self.with_scores:
            self.model.head.predict(this.features, data['data_samples'])
        if CLIP in self.streams:
            columns[CLIP] = this.features
        return {name: _as_float32(column) for name, column in columns.items()}

    def _encode(
        self, inputs: Mapping[str, Any], present: Mapping[str, Any] | None
    ) -> tuple[dict[str, EncoderOutput], dict[str, Tensor]]:
        """Runs only the encoders that the features need, and the fusion if they need it."""
        encoders = {name: self.model.encoders[name] for name in self.encoded_streams}
        presence = find_presence(encoders, inputs, present)
        encoded = {
            name: encode_present(encoder, inputs.get(name), presence.get(name)) for name, encoder in encoders.items()
        }
        if not self.needs_fusion:
            return encoded, {}
        tokens = {name: output.tokens for name, output in encoded.items()}
        lengths = {name: output.padding for name, output in encoded.items() if output.padding is not None}
        padding = {name: part.padding(tokens[name].shape[1]) for name, part in presence.items()} | lengths
        return encoded, self.model.fuse(encoded, padding)

    def _pool(self, tokens: Tensor, stream: str, padding: Tensor | None, inputs: Mapping[str, Any]) -> Stream:
        """Averages ``(B, N, D)`` to ``(B, D)`` or ``(B, steps, D)``; the first axis of a token grid is time."""
        if self.level == 'clip':
            return mean_tokens(tokens, padding)
        if padding is not None:
            return self._sequences(tokens, stream, padding, inputs)
        encoder = self.model.encoders[stream]
        grid = getattr(encoder, 'output_grid', getattr(encoder, 'grid', None))
        if tokens.shape[1] == 1:  # a single step, or no clip of the batch has the stream
            return tokens.expand(-1, 1 if grid is None else grid[0], -1)
        steps: Tensor = encoder.split_steps(tokens, inputs[stream]).mean(dim=2)  # (B, steps, tokens of a step, D)
        return steps

    def _sequences(self, tokens: Tensor, stream: str, padding: Tensor, inputs: Mapping[str, Any]) -> Padded:
        """Returns the steps of sequences, each with its own length, where every token is a step."""
        encoder = self.model.encoders[stream]
        steps = encoder.split_steps(tokens, inputs[stream])  # (B, steps, tokens of a step, D)
        if steps.shape[2] != 1:
            raise ValueError(
                f'the clips differ in the length of {stream}, and a step of {type(encoder).__name__} has '
                f'{steps.shape[2]} tokens: level frame stores such clips of one length only; use level clip'
            )
        return Padded(steps.squeeze(2), (~padding).sum(dim=1))

    def _check_streams(self, inputs: Mapping[str, Tensor], present: Mapping[str, Any] | None) -> None:
        lacking = [name for name in self.encoded_streams if name not in inputs or name in (present or {})]
        if lacking:
            raise ValueError(
                f'some clips lack the streams {lacking} (the batch has {list(inputs)}): choose other streams, let the '
                "data set read them, or set model.missing_streams='zero'"
            )


def _as_float32(column: Stream) -> Stream:
    return Padded(column.values.float(), column.lengths) if isinstance(column, Padded) else column.float()


def _layer_numbers(layers: str | Sequence[int], depth: int, stream: str) -> tuple[int, ...]:
    if isinstance(layers, str):
        if layers not in ('all', 'last'):
            raise ValueError(f"layers must be 'all', 'last' or numbers from 0 on, got {layers!r}")
        return tuple(range(depth)) if layers == 'all' else (depth - 1,)
    chosen = tuple(dict.fromkeys(layers))
    if not chosen or min(chosen) < 0 or max(chosen) >= depth:
        raise ValueError(f'layers={list(layers)}, but the {stream} encoder has the layers 0..{depth - 1}')
    return chosen
