"""Mixup and cutmix of whole batches on the device, of both streams alike or of the video only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from timm.data.mixup import cutmix_bbox_and_lam, mixup_target
from torch import Tensor, nn

from hicmae_mm.registry import MODELS


@MODELS.register_module()
class MixupCutmix(nn.Module):
    """Mixes each clip with its mirror in the batch, by weight (mixup) or by region (cutmix), and their labels too.

    Mixup (Zhang et al., 2018) blends the inputs by ``lam ~ Beta(mixup_alpha)``. Cutmix (Yun et al., 2019) takes a box
    of the other video, in all frames, and a segment of the other spectrogram in time, of the same share. Labels become
    ``lam * own + (1 - lam) * other``: soft scores for classes, blended values for regression. The formulas and the box
    are timm's.

    Args:
        num_classes: C; None for regression.
        mixup_alpha: Parameter of mixup's Beta distribution; 0 switches mixup off.
        cutmix_alpha: Parameter of cutmix's; 0 switches cutmix off.
        switch_prob: Probability of cutmix where both are on.
        prob: Probability of mixing a batch at all.
        streams: Streams to mix. The published code mixes ``('video',)`` only, and the label by the video's share.
    """

    def __init__(
        self,
        num_classes: int | None,
        mixup_alpha: float = 0.8,
        cutmix_alpha: float = 1.0,
        switch_prob: float = 0.5,
        prob: float = 1.0,
        streams: Sequence[str] = ('video', 'audio'),
    ) -> None:
        super().__init__()
        if mixup_alpha < 0 or cutmix_alpha < 0 or mixup_alpha + cutmix_alpha == 0:
            raise ValueError(
                f'mixup_alpha and cutmix_alpha must be at least 0 and not both 0, got {mixup_alpha} and {cutmix_alpha}'
            )
        for name, value in (('switch_prob', switch_prob), ('prob', prob)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in 0..1, got {value}')
        self.num_classes = num_classes
        self.mixup_alpha = mixup_alpha
        self.cutmix_alpha = cutmix_alpha
        self.switch_prob = switch_prob
        self.prob = prob
        self.streams = tuple(streams)

    def forward(self, inputs: dict[str, Tensor], data_samples: list[BaseDataElement]) -> dict[str, Tensor]:
        """Mixes a batch; sets ``gt_score`` (or replaces ``gt_values``) of every data sample.

        Args:
            inputs: ``video`` (B, 3, T, H, W) and/or ``audio`` (B, 1, T, F), float. Not changed.
            data_samples: B samples with ``gt_label``, or ``gt_values`` if ``num_classes`` is None.

        Returns:
            The mixed inputs.

        Raises:
            ValueError: If a sample has several views, or none of ``streams`` is there.
        """
        mixed = [name for name in self.streams if name in inputs]
        if not mixed:
            raise ValueError(f'none of the streams {self.streams} is in the batch, which has {sorted(inputs)}')
        for name in mixed:
            if len(inputs[name]) != len(data_samples):
                raise ValueError(
                    f'mixing needs one view per sample, got {len(inputs[name])} views of {name} '
                    f'for {len(data_samples)} samples'
                )
        lam, use_cutmix = self._draw()
        if lam < 1 and use_cutmix:
            inputs, lam = self._cutmix(inputs, mixed, lam)
        elif lam < 1:
            inputs = inputs | {name: inputs[name].lerp(inputs[name].flip(0), 1 - lam) for name in mixed}
        self._mix_labels(data_samples, lam)
        return inputs

    def _draw(self) -> tuple[float, bool]:
        """Draws the own share and the kind of mixing (timm's ``Mixup``, mode 'batch')."""
        if np.random.rand() >= self.prob:
            return 1.0, False
        if self.mixup_alpha > 0 and self.cutmix_alpha > 0:
            use_cutmix = bool(np.random.rand() < self.switch_prob)
        else:
            use_cutmix = self.cutmix_alpha > 0
        alpha = self.cutmix_alpha if use_cutmix else self.mixup_alpha
        return float(np.random.beta(alpha, alpha)), use_cutmix

    @staticmethod
    def _cutmix(inputs: dict[str, Tensor], mixed: list[str], lam: float) -> tuple[dict[str, Tensor], float]:
        """Pastes regions; returns the inputs and the share that is really left of the own clip."""
        outputs = dict(inputs)
        if 'video' in mixed:
            video = inputs['video']
            (top, bottom, left, right), lam = cutmix_bbox_and_lam(video.shape, lam)
            outputs['video'] = video.clone()
            outputs['video'][..., top:bottom, left:right] = video[..., top:bottom, left:right].flip(0)
        if 'audio' in mixed:
            audio = inputs['audio']
            length = audio.shape[-2]
            segment = round((1 - lam) * length)
            if 'video' not in mixed:
                lam = 1 - segment / length
            start = int(np.random.randint(0, length - segment + 1))
            outputs['audio'] = audio.clone()
            outputs['audio'][..., start : start + segment, :] = audio[..., start : start + segment, :].flip(0)
        return outputs, float(lam)

    def _mix_labels(self, data_samples: list[BaseDataElement], lam: float) -> None:
        if self.num_classes is None:
            values = torch.stack([sample.gt_values for sample in data_samples])
            for sample, value in zip(data_samples, values.lerp(values.flip(0), 1 - lam)):
                sample.gt_values = value
            return
        labels = torch.cat([sample.gt_label for sample in data_samples])
        for sample, score in zip(data_samples, mixup_target(labels, self.num_classes, lam)):
            sample.gt_score = score
