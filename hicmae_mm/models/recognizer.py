"""Supervised recognition: encoders, fusion, aggregation, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.encoders import BaseEncoder
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.heads import BaseHead
from hicmae_mm.models.layers import Presence
from hicmae_mm.models.missing_streams import encode_present, find_presence
from hicmae_mm.models.utils import build_slot
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample


@MODELS.register_module()
class AudioVisualRecognizer(AudioVisualModel):
    """Recognises emotion from one stream or several (HiCMAE, "Fine-tuning").

    With one encoder only that stream is run, and no fusion is needed. A model of several streams takes clips that lack
    some of them if it is told so; what happens then is defined in ``missing_streams.py``.

    Args:
        encoders: An encoder per stream.
        head: Clip-level head.
        fusion: Fuses the streams' tokens; ``None`` passes them on unfused.
        aggregator: Makes one feature of all tokens.
        data_preprocessor: Moves and normalises batches.
        missing_streams: ``'error'``: every clip must have every stream. ``'zero'``: an absent stream's encoder is not
            run, its features are 0, and no other stream attends to it.
        frozen: Parts that are not trained; see :class:`AudioVisualModel`.
        checkpoint_activations: Memory for time in all parts; see :class:`AudioVisualModel`.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        encoders: Mapping[str, dict | BaseEncoder],
        head: dict | BaseHead,
        fusion: dict | BaseFusion | None = None,
        aggregator: dict | BaseAggregator = {'type': 'HierarchicalFeatureAggregator'},  # noqa: B006
        data_preprocessor: dict | nn.Module | None = None,
        missing_streams: str = 'error',
        frozen: Sequence[str] = (),
        checkpoint_activations: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(encoders, fusion, data_preprocessor, frozen, checkpoint_activations, init_cfg)
        if missing_streams not in ('error', 'zero'):
            raise ValueError(f"missing_streams must be 'error' or 'zero', got {missing_streams!r}")
        self.missing_streams = missing_streams
        self.aggregator: BaseAggregator = build_slot(
            aggregator,
            'aggregator',
            streams=self.widths,
            num_layers={name: encoder.depth for name, encoder in self.encoders.items()},
            fused=self.fused_widths,
        )
        self.head: BaseHead = build_slot(head, 'head', in_channels=self.aggregator.out_channels)
        self.prepare_parts()

    def extract_features(
        self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor | Presence] | None = None
    ) -> Tensor:
        """One feature per view, before the head's norm.

        Args:
            inputs: Normalised input by stream: video ``(B, 3, T, H, W)``, audio ``(B, 1, T, F)``. Rows of clips that
                lack the stream may hold anything; a stream that all lack may be left out.
            present: ``(B,)`` bool (on the host), or its indexed form, for every stream that some views lack.

        Returns:
            ``(B, aggregator.out_channels)``.

        Raises:
            ValueError: A missing stream without ``missing_streams='zero'``, or no stream at all.
        """
        if self.missing_streams == 'error':
            self.check_streams(inputs, present)
        presence = find_presence(self.encoders, inputs, present)
        encoded = self.encode_each(
            lambda name: encode_present(self.encoders[name], inputs.get(name), presence.get(name))
        )
        tokens = {name: output.tokens for name, output in encoded.items()}
        padding = {name: part.padding(tokens[name].shape[1]) for name, part in presence.items()}
        return self.aggregator({name: output.hidden for name, output in encoded.items()}, self.fuse(tokens, padding))

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: list[EmotionDataSample] | None = None,
        present: Mapping[str, Tensor | Presence] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[EmotionDataSample] | Tensor:
        """MMEngine's three modes.

        Args:
            inputs: As in :meth:`extract_features`, all views of all clips in a row.
            data_samples: One per clip; needed by ``loss`` and ``predict``.
            present: As in :meth:`extract_features`.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            Losses; samples with predictions; or the head's output ``(sum of views, C)``.

        Raises:
            ValueError: An unknown mode, a missing stream, or no data samples where they are needed.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        features = self.extract_features(inputs, present)
        if mode == 'tensor':
            return self.head(features)
        if not data_samples:
            raise ValueError(f'mode={mode!r} needs data_samples')
        return self.head.loss(features, data_samples) if mode == 'loss' else self.head.predict(features, data_samples)
