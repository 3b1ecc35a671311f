"""Supervised recognition: encoders, fusion, aggregation, head."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.adapters import BaseAdapter
from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.building import build_slot
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.heads import BaseHead
from hicmae_mm.models.missing_streams import encode_present, find_presence
from hicmae_mm.models.objectives import BaseObjective, Pass
from hicmae_mm.models.objectives.base import join_losses, objective_losses
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Inputs, Presence, Stream


@MODELS.register_module()
class AudioVisualRecognizer(AudioVisualModel):
    """Recognises emotion from one stream or several (HiCMAE, "Fine-tuning").

    A model of one stream needs no fusion. With ``missing_streams='zero'`` a model of several streams accepts clips that
    lack some of them. ``missing_streams.py`` defines what happens then.

    Args:
        encoders: An encoder for each stream.
        head: Head that predicts from the feature.
        fusion: Fusion of the tokens of all streams. ``None`` does not fuse them.
        aggregator: Aggregator that computes one feature from all tokens.
        data_preprocessor: Module that moves and normalises batches.
        missing_streams: With ``'error'`` every clip must have every stream. With ``'zero'`` the encoder of a missing
            stream does not run, its features are 0, and no other stream attends to it.
        objectives: Further losses by name, which look at the whole pass.
        frozen: Parts that are not trained; see :class:`AudioVisualModel`.
        checkpoint_activations: Memory for time in all parts; see :class:`AudioVisualModel`.
        init_cfg: MMEngine initialisation config.
        tied: Parts that are one module; see :class:`AudioVisualModel`.
        adapters: Small trained parts in parts that are not trained; see :class:`AudioVisualModel`.

    Example:
        >>> import torch
        >>> from hicmae_mm.models import AudioVisualRecognizer
        >>> mlp = dict(type='FeatureMLPEncoder', widths=(8,))
        >>> model = AudioVisualRecognizer(
        ...     encoders=dict(face=dict(mlp, in_channels=6), words=dict(mlp, in_channels=4)),
        ...     head=dict(type='ClassificationHead', num_classes=3),
        ... )
        >>> model(dict(face=torch.randn(2, 6), words=torch.randn(2, 4)), mode='tensor').shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        encoders: Mapping[str, dict[str, Any] | BaseEncoder],
        head: dict[str, Any] | BaseHead,
        fusion: dict[str, Any] | BaseFusion | None = None,
        aggregator: dict[str, Any] | BaseAggregator = {'type': 'HierarchicalFeatureAggregator'},  # noqa: B006
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        missing_streams: str = 'error',
        objectives: Mapping[str, dict[str, Any] | BaseObjective] | None = None,
        frozen: Sequence[str] = (),
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        tied: Mapping[str, str] | None = None,
        adapters: Sequence[dict[str, Any] | BaseAdapter] = (),
    ) -> None:
        super().__init__(encoders, fusion, data_preprocessor, frozen, checkpoint_activations, init_cfg, tied, adapters)
        if missing_streams not in ('error', 'zero'):
            raise ValueError(f"missing_streams must be 'error' or 'zero', got {missing_streams!r}")
        self.missing_streams = missing_streams
        self.aggregator: BaseAggregator = build_slot(aggregator, 'aggregator', **self.facts)
        self._check_summaries()
        self._aggregated = set(inspect.signature(self.aggregator.forward).parameters)
        self.head: BaseHead = build_slot(head, 'head', in_channels=self.aggregator.out_channels)
        self.check_levels()
        self.build_objectives(objectives, in_channels=self.aggregator.out_channels)
        self.prepare_parts()

    def check_levels(self) -> None:
        """Refuses a head that reads features of another level than the aggregator makes."""
        if self.head.level != self.aggregator.level:
            raise ValueError(
                f'{type(self.aggregator).__name__} makes features of level {self.aggregator.level!r}, '
                f'{type(self.head).__name__} needs level {self.head.level!r}; exchange one of them'
            )

    def _check_summaries(self) -> None:
        """Refuses an aggregator that would put summaries in the place of fused tokens of another width."""
        without = self.facts['without_summary']
        for name, width in self.widths.items():
            fused = self.fused_widths[name]
            if self.aggregator.summary_replaces_tokens and name not in without and fused != width:
                raise ValueError(
                    f'{type(self.aggregator).__name__} takes the summary of stream {name!r} in place of its fused '
                    f'tokens, but the summary is {width} wide and the fused tokens are {fused} wide; use '
                    'MeanPoolAggregator behind this fusion'
                )

    def run_pass(
        self,
        inputs: Inputs,
        data_samples: list[EmotionDataSample] | None = None,
        present: Mapping[str, Tensor | Presence] | None = None,
    ) -> Pass:
        """Runs all parts but the head and keeps what each of them computed. Arguments as in :meth:`forward`."""
        presence = self.check_inputs(inputs, present)
        encoded = self.encode(inputs, presence)
        tokens = {name: output.tokens for name, output in encoded.items()}
        lengths = {name: output.padding for name, output in encoded.items() if output.padding is not None}
        padding = {name: part.padding(tokens[name].shape[1]) for name, part in presence.items()} | lengths
        summary = {name: output.summary for name, output in encoded.items() if output.summary is not None}
        fused = self.fuse(encoded, padding)
        features = self._aggregate(encoded, fused, padding if lengths else {}, summary)
        return self.make_pass(inputs, data_samples, present, encoded, fused, padding, features)

    def check_inputs(
        self, inputs: Inputs, present: Mapping[str, Tensor | Presence] | None = None
    ) -> dict[str, Presence]:
        """Checks the streams and forms of a batch, and finds the rows of the streams that some clips lack."""
        if self.missing_streams == 'error':
            self.check_streams(inputs, present)
        self.check_forms(inputs)
        return find_presence(self.encoders, inputs, present)

    def make_pass(
        self,
        inputs: Inputs,
        data_samples: list[EmotionDataSample] | None,
        present: Mapping[str, Tensor | Presence] | None,
        encoded: dict[str, EncoderOutput],
        fused: dict[str, Tensor],
        padding: dict[str, Tensor],
        features: Stream,
    ) -> Pass:
        """Gathers what a pass computed; objectives can run another one from it. See :class:`Pass` for the arguments."""
        return Pass(
            inputs=inputs,
            data_samples=data_samples or [],
            encoded=encoded,
            fused=fused,
            padding=padding,
            features=features,
            run=lambda inputs, present=present: self.run_pass(inputs, data_samples, present),
            supervised=lambda: self.head.loss(features, data_samples or []),
        )

    def encode(self, inputs: Inputs, presence: Mapping[str, Presence]) -> dict[str, EncoderOutput]:
        """Encodes every stream; ``presence`` has the streams that some rows of the batch lack."""
        return self.encode_each(lambda name: encode_present(self.encoders[name], inputs.get(name), presence.get(name)))

    def _aggregate(
        self,
        encoded: dict[str, EncoderOutput],
        fused: dict[str, Tensor],
        padding: dict[str, Tensor],
        summary: dict[str, Tensor],
    ) -> Stream:
        """Hands the aggregator what it takes. Absent streams are 0 and need no padding; sequences do."""
        more: dict[str, dict[str, Tensor]] = {}
        if padding:
            if 'padding' not in self._aggregated:
                raise ValueError(
                    f'{type(self.aggregator).__name__} knows no padding, but clips of the batch differ in the length '
                    f'of {sorted(padding)}; give its forward the argument padding, or take another aggregator'
                )
            more['padding'] = padding
        if summary and 'summary' in self._aggregated:
            more['summary'] = summary
        return self.aggregator({name: output.hidden for name, output in encoded.items()}, fused, **more)

    def extract_features(
        self,
        inputs: Inputs,
        present: Mapping[str, Tensor | Presence] | None = None,
        data_samples: list[EmotionDataSample] | None = None,
    ) -> Stream:
        """Returns one feature per view, before the head's norm.

        Args:
            inputs: Normalised input by stream, such as video ``(B, 3, T, H, W)`` and audio ``(B, 1, T, F)``, or
                :class:`~hicmae_mm.structures.Padded`. Rows of clips that lack the stream may hold anything; a stream
                that all lack may be left out.
            present: ``(B,)`` bool (on the host), or its indexed form, for every stream that some views lack.
            data_samples: One per clip. Only models of conversations use them.

        Returns:
            ``(B, aggregator.out_channels)``; one feature per time step of an aggregator of level ``'frame'``.

        Raises:
            ValueError: If a stream is missing without ``missing_streams='zero'``, or there is no stream at all.
        """
        features = self.run_pass(inputs, data_samples, present).features
        assert features is not None
        return features

    def forward(
        self,
        inputs: Inputs,
        data_samples: list[EmotionDataSample] | None = None,
        present: Mapping[str, Tensor | Presence] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[EmotionDataSample] | Tensor:
        """Runs the model in one of MMEngine's three modes.

        Args:
            inputs: The argument of :meth:`extract_features`, with all views of all clips in sequence.
            data_samples: One per clip; needed by ``loss`` and ``predict``.
            present: The argument of :meth:`extract_features`.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            Losses; samples with predictions; or the head's output ``(sum of views, C)``.

        Raises:
            ValueError: If the mode is unknown, or a stream or needed data samples are missing.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        if mode == 'tensor':
            output: Tensor | dict[str, Tensor] = self.head(self.extract_features(inputs, present))
            return output
        if not data_samples:
            raise ValueError(f'mode={mode!r} needs data_samples')
        if mode == 'predict':
            return self.head.predict(self.extract_features(inputs, present, data_samples), data_samples)
        this = self.run_pass(inputs, data_samples, present)
        return join_losses(self.head.loss(this.features, data_samples), objective_losses(self.objectives, this))
