"""Self-supervised pre-training: mask, encode, contrast, fuse, decode."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

from mmengine.model import ModuleDict
from torch import Size, Tensor, nn

from hicmae_mm.models.adapters import BaseAdapter
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.building import build_slot
from hicmae_mm.models.decoders import BaseDecoder
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.models.heads import HierarchicalContrastiveHead, ReconstructionHead
from hicmae_mm.models.objectives import BaseObjective, Pass
from hicmae_mm.models.objectives.base import join_losses, objective_losses
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, TokenMask, as_token_mask, decoder_mask_name

Masks = Mapping[str, Tensor | TokenMask]


@MODELS.register_module()
class AudioVisualPretrainer(AudioVisualModel):
    """Trains by masked reconstruction of every stream and by contrast between streams (HiCMAE, "Pre-training").

    Args:
        encoders: An encoder for each stream.
        decoders: A decoder for each stream.
        heads: A reconstruction head for each stream.
        fusion: Fusion of the visible tokens. ``None`` does not fuse them.
        contrastive: Contrastive head over encoder layers. ``None`` trains without contrast.
        objectives: Further losses by name, which look at the whole pass.
        skip_layers: Indices (from 0) of the encoder layers that the decoders receive, from shallow to deep.
        data_preprocessor: Module that moves and normalises batches.
        frozen: Parts that are not trained; see :class:`AudioVisualModel`.
        checkpoint_activations: Memory for time in all parts; see :class:`AudioVisualModel`.
        init_cfg: MMEngine initialisation config.
        tied: Parts that are one module; see :class:`AudioVisualModel`.
        adapters: Small trained parts in parts that are not trained; see :class:`AudioVisualModel`.

    Raises:
        ValueError: If encoders, decoders and heads have different streams, or a skip layer does not exist.
    """

    def __init__(
        self,
        encoders: Mapping[str, dict[str, Any] | BaseEncoder],
        decoders: Mapping[str, dict[str, Any] | BaseDecoder],
        heads: Mapping[str, dict[str, Any] | ReconstructionHead],
        fusion: dict[str, Any] | BaseFusion | None = None,
        contrastive: dict[str, Any] | HierarchicalContrastiveHead | None = None,
        objectives: Mapping[str, dict[str, Any] | BaseObjective] | None = None,
        skip_layers: Sequence[int] = (3, 6, 9),
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        frozen: Sequence[str] = (),
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        tied: Mapping[str, str] | None = None,
        adapters: Sequence[dict[str, Any] | BaseAdapter] = (),
    ) -> None:
        super().__init__(encoders, fusion, data_preprocessor, frozen, checkpoint_activations, init_cfg, tied, adapters)
        if not set(encoders) == set(decoders) == set(heads):
            raise ValueError(f'encoders, decoders and heads name different streams: {[*encoders, *decoders, *heads]}')
        self.skip_layers = tuple(skip_layers)
        self.heads: MutableMapping[str, ReconstructionHead] = ModuleDict()
        self.decoders: MutableMapping[str, BaseDecoder] = ModuleDict()
        for name, encoder in self.encoders.items():
            _check_can_be_masked(name, encoder, self.skip_layers)
            if self.skip_layers and self.fused_widths[name] != encoder.embed_dims:
                raise ValueError(
                    f'skip_layers={self.skip_layers} hand tokens of width {encoder.embed_dims} to the {name} decoder, '
                    f'but the fusion makes tokens of width {self.fused_widths[name]}: take skip_layers=()'
                )
            self.heads[name] = build_slot(
                heads[name], f'heads.{name}', patch=encoder.patch, in_channels=encoder.in_channels
            )
            self.decoders[name] = build_slot(
                decoders[name],
                f'decoders.{name}',
                in_channels=self.fused_widths[name],
                out_channels=self.heads[name].out_channels,
                num_tokens=Size(encoder.grid).numel(),
                num_skips=len(self.skip_layers),
            )
        self.contrastive: HierarchicalContrastiveHead | None = (
            None if contrastive is None else build_slot(contrastive, 'contrastive')
        )
        self.build_objectives(objectives)
        self.prepare_parts()

    def encode(
        self, inputs: Mapping[str, Tensor], masks: Masks | None
    ) -> tuple[dict[str, EncoderOutput], dict[str, TokenMask]]:
        """Encodes the visible tokens of every stream; also returns the masks in indexed form.

        A mask named by :func:`~hicmae_mm.structures.decoder_mask_name` chooses what the decoder of a stream predicts.

        Raises:
            ValueError: If a stream or a mask is missing.
        """
        self.check_streams(inputs)
        self.check_forms(inputs)
        if not masks or any(name not in masks for name in self.encoders):
            raise ValueError(
                f'pre-training needs a mask for every stream of {list(self.encoders)}, got {list(masks or [])}; '
                'add mask transforms (TubeMask, RandomMask) to the pipeline'
            )
        indexed = {name: _mask_of(name, masks) for name in self.encoders}
        return self.encode_each(lambda name: self.encoders[name](inputs[name], indexed[name])), indexed

    def decode(self, encoded: dict[str, EncoderOutput], masks: dict[str, TokenMask]) -> dict[str, Tensor]:
        """Predictions ``(B, M, P)`` by stream, of the masked tokens or those that a decoder's mask chooses."""
        return self._decode(encoded, self.fuse(encoded), masks)

    def _decode(
        self, encoded: dict[str, EncoderOutput], fused: dict[str, Tensor], masks: dict[str, TokenMask]
    ) -> dict[str, Tensor]:
        return {
            name: decoder(fused[name], [encoded[name].hidden[i] for i in self.skip_layers], masks[name])
            for name, decoder in self.decoders.items()
        }

    def reconstruct(self, inputs: Mapping[str, Tensor], masks: Masks) -> dict[str, dict[str, Tensor]]:
        """Pictures of what the model predicts, in the space of its normalised inputs.

        All masked patches are predicted, also those that a decoder's mask leaves out in training.

        Returns:
            By stream, ``original``, ``masked`` (hidden patches set to 0) and ``reconstruction`` (hidden patches
            replaced by predictions), each of the input's shape.
        """
        encoded, indexed = self.encode(inputs, {name: mask for name, mask in masks.items() if name in self.encoders})
        predictions = self.decode(encoded, indexed)
        return {
            name: {
                'original': inputs[name],
                'masked': head.target.blank(inputs[name], indexed[name]),
                'reconstruction': head.target.paste(inputs[name], predictions[name], indexed[name]),
            }
            for name, head in self.heads.items()
        }

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: list[EmotionDataSample] | None = None,
        masks: Masks | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[EmotionDataSample]:
        """Runs the model in one of MMEngine's three modes.

        Args:
            inputs: Normalised input by stream: video ``(B, 3, T, H, W)``, audio ``(B, 1, T, F)``.
            data_samples: One per clip; needed by ``predict``.
            masks: ``(B, N)`` bool by stream, True = masked, or their indexed form; masks of decoders besides.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            Losses; samples with ``reconstruction_error`` by stream; or predictions ``(B, M, P)`` by stream.

        Raises:
            ValueError: If the mode is unknown, or a stream, a mask or needed data samples are missing.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        encoded, indexed = self.encode(inputs, masks)
        fused = self.fuse(encoded)
        predictions = self._decode(encoded, fused, indexed)
        if mode == 'tensor':
            return predictions
        if mode == 'predict':
            return self._predict(predictions, inputs, indexed, data_samples)
        losses = {
            f'loss_{name}': head.loss(predictions[name], inputs[name], indexed[name])
            for name, head in self.heads.items()
        }
        this = self._pass(inputs, data_samples or [], encoded, fused, indexed)
        if self.contrastive is not None:
            losses['loss_contrastive'] = self.contrastive.loss(this.hidden)
        return join_losses(losses, objective_losses(self.objectives, this))

    def _pass(
        self,
        inputs: Mapping[str, Tensor],
        data_samples: list[EmotionDataSample],
        encoded: dict[str, EncoderOutput],
        fused: dict[str, Tensor],
        masks: dict[str, TokenMask],
    ) -> Pass:
        """Returns what the objectives read."""

        def run(inputs: Mapping[str, Tensor], other_masks: Masks = masks) -> Pass:
            encoded, indexed = self.encode(inputs, other_masks)
            fused = self.fuse(encoded)
            return self._pass(inputs, data_samples, encoded, fused, indexed)

        return Pass(inputs, data_samples, encoded, fused, padding={}, run=run, masks=masks)

    def _predict(
        self,
        predictions: dict[str, Tensor],
        inputs: Mapping[str, Tensor],
        masks: dict[str, TokenMask],
        data_samples: list[EmotionDataSample] | None,
    ) -> list[EmotionDataSample]:
        if not data_samples:
            raise ValueError("mode='predict' needs data_samples")
        errors: dict[str, Any] = {
            name: head.error_per_clip(predictions[name], inputs[name], masks[name]).cpu()
            for name, head in self.heads.items()
        }
        for i, sample in enumerate(data_samples):
            sample.reconstruction_error = {name: float(values[i]) for name, values in errors.items()}
        return data_samples


def _check_can_be_masked(name: str, encoder: BaseEncoder, skip_layers: Sequence[int]) -> None:
    """Raises ValueError if an encoder cannot be pre-trained by masks, or lacks layers that the decoders need."""
    if skip_layers and max(skip_layers) >= encoder.depth:
        raise ValueError(f'skip_layers={skip_layers}, but the {name} encoder has {encoder.depth} layers')
    skippable = getattr(encoder, 'skip_layers', range(encoder.depth))
    if not skippable:
        raise ValueError(
            f'no layer of the {name} encoder {type(encoder).__name__} has a token for every visible patch, so '
            "it cannot be pre-trained; LGIFormerEncoder(tokens='local') can"
        )
    if set(skip_layers) - set(skippable):
        raise ValueError(
            f'skip_layers={skip_layers}, but of the {name} encoder {type(encoder).__name__} only the '
            f'layers {skippable.start} to {skippable.stop - 1} have a token for every visible patch'
        )
    if not hasattr(encoder, 'grid'):  # encoders of version 0.1 have one without being a MaskableEncoder
        raise ValueError(
            f'the {name} encoder {type(encoder).__name__} has no grid of patches that could be masked; '
            'pre-training needs a MaskableEncoder'
        )


def _mask_of(stream: str, masks: Masks) -> TokenMask:
    """Returns the mask of a stream's encoder, together with that of its decoder if there is one."""
    mask, decoder = as_token_mask(masks[stream], f'{stream} mask'), masks.get(decoder_mask_name(stream))
    if decoder is None:
        return mask
    return mask.with_decoder_mask(as_token_mask(decoder, f'decoder mask of {stream}'), stream)
