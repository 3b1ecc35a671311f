"""Mixup and cutmix of whole batches on the device, of both streams alike or of the video only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream

MODES = ('batch', 'pair', 'elem')


@MODELS.register_module()
class MixupCutmix(nn.Module):
    """Mixes each clip with its mirror in the batch, by weight (mixup) or by region (cutmix), and their labels too.

    Mixup (Zhang et al., 2018) blends the inputs by ``lam ~ Beta(mixup_alpha)``. Cutmix (Yun et al., 2019) takes a box
    of the other video, in all frames, and a segment of the other spectrogram in time, of the same share. Labels become
    ``lam * own + (1 - lam) * other``: soft scores for classes, blended values wherever the samples carry values.

    Any stream of float tensors can be mixed up. Cutmix pastes a box of frames ``(B, C, T, H, W)`` and a segment of
    spectrograms ``(B, C, T, F)``. A batch with a stream that is neither in ``streams`` nor in ``untouched`` is refused,
    because its label would be mixed and its content would not.

    Where clips lack a stream, each one is mixed with its mirror among the clips of the same streams, so that an absent
    stream stays absent and the label's share is that of what can be seen and heard. A clip with none of ``streams`` is
    left as it is, and so is the middle clip of an odd number.

    Args:
        num_classes: C; None for regression.
        mixup_alpha: Parameter of mixup's Beta distribution; 0 switches mixup off.
        cutmix_alpha: Parameter of cutmix's; 0 switches cutmix off.
        switch_prob: Probability of cutmix where both are on.
        prob: Probability of mixing: the batch, a pair or a clip, as ``mode`` says.
        streams: Streams to mix. The published code mixes ``('video',)`` only, and the label by the video's share.
        untouched: Streams that stay as they are although the label is mixed. ``video`` and ``audio`` need not be named
            here, as in the published code.
        mode: Clips that share one draw of share, kind and region: ``'batch'`` (as published), ``'pair'`` (two clips
            that are mixed with each other) or ``'elem'`` (nothing but the clip itself).
        cutmix_minmax: Smallest and largest side of the box over the frame's; sets ``cutmix_alpha`` to 1, as in timm.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.batch_augment import MixupCutmix
        >>> from hicmae_mm.structures import EmotionDataSample
        >>> samples = [EmotionDataSample().set_gt_label(label) for label in (0, 2)]
        >>> clips = dict(audio=torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)]))
        >>> mixed = MixupCutmix(num_classes=3, cutmix_alpha=0, streams=('audio',))(clips, samples)['audio']
        >>> round(mixed.sum().item(), 3), [round(sum(s.gt_score.tolist()), 3) for s in samples]
        (16.0, [1.0, 1.0])
    """

    def __init__(
        self,
        num_classes: int | None,
        mixup_alpha: float = 0.8,
        cutmix_alpha: float = 1.0,
        switch_prob: float = 0.5,
        prob: float = 1.0,
        streams: Sequence[str] = ('video', 'audio'),
        untouched: Sequence[str] = (),
        mode: str = 'batch',
        cutmix_minmax: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        if mixup_alpha < 0 or cutmix_alpha < 0 or mixup_alpha + cutmix_alpha == 0:
            raise ValueError(
                f'mixup_alpha and cutmix_alpha must be at least 0 and not both 0, got {mixup_alpha} and {cutmix_alpha}'
            )
        for name, value in (('switch_prob', switch_prob), ('prob', prob)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must lie in 0..1, got {value}')
        if mode not in MODES:
            raise ValueError(f'mode must be one of {MODES}, got {mode!r}')
        if cutmix_minmax is not None and not 0 < cutmix_minmax[0] < cutmix_minmax[1] <= 1:
            raise ValueError(f'cutmix_minmax must be two growing shares of 0..1, got {cutmix_minmax}')
        self.num_classes = num_classes
        self.mixup_alpha = mixup_alpha
        self.cutmix_alpha = cutmix_alpha if cutmix_minmax is None else 1.0
        self.switch_prob = switch_prob
        self.prob = prob
        self.streams = tuple(streams)
        self.untouched = tuple(untouched)
        self.mode = mode
        self.cutmix_minmax = cutmix_minmax

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[BaseDataElement],
        present: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Mixes a batch; sets ``gt_score`` and replaces ``gt_values`` of the data samples that have class or values.

        Args:
            inputs: ``video`` (B, 3, T, H, W) and/or ``audio`` (B, 1, T, F), float. Not changed.
            data_samples: B samples with ``gt_label``, or ``gt_values`` if ``num_classes`` is None, or both.
            present: (B,) bool on the host for every stream that some clips or all lack, True = there.

        Returns:
            The mixed inputs.

        Raises:
            ValueError: If a sample has several views, or none of ``streams`` is there although no clip lacks any.
        """
        mixed = [name for name in self.streams if name in inputs]
        if not mixed and not any(name in self.streams for name in present or {}):
            raise ValueError(f'none of the streams {self.streams} is in the batch, which has {sorted(inputs)}')
        self._check_streams(inputs, mixed)
        for name in mixed:
            if len(inputs[name]) != len(data_samples):
                raise ValueError(
                    f'mixing needs one view per sample, got {len(inputs[name])} views of {name} '
                    f'for {len(data_samples)} samples'
                )
        partners = mirror_partners(len(data_samples), mixed, present or {})
        outputs = {name: inputs[name].clone() for name in mixed}
        shares = [1.0] * len(data_samples)
        for rows in self._groups(partners):
            lam, use_cutmix = self._draw()
            if lam < 1:
                lam = (self._cutmix if use_cutmix else _mixup)(inputs, outputs, {i: partners[i] for i in rows}, lam)
            for i in rows:
                shares[i] = lam
        self._mix_labels(data_samples, partners, 1 - torch.tensor(shares).unsqueeze(1))
        return inputs | outputs

    def _check_streams(self, inputs: Mapping[str, Stream], mixed: Sequence[str]) -> None:
        """Refuses streams whose content would not go with the mixed label."""
        forgotten = sorted(set(inputs) - {*self.streams, *self.untouched, 'video', 'audio'})
        if forgotten:
            raise ValueError(
                f'the batch has the streams {forgotten}, which MixupCutmix does not know: it would mix the labels and '
                f'leave them as they are; name them in streams (mixed too) or untouched'
            )
        for name in mixed:
            value = inputs[name]
            if isinstance(value, Padded) or not value.is_floating_point():
                raise ValueError(
                    f'{name} cannot be mixed: it is {"a sequence" if isinstance(value, Padded) else value.dtype}; '
                    'leave it out of streams and name it in untouched, or do without MixupCutmix'
                )
            if self.cutmix_alpha > 0 and value.ndim not in (4, 5):
                raise ValueError(
                    f'cutmix needs frames (B, C, T, H, W) or spectrograms (B, C, T, F), {name} has the shape '
                    f'{tuple(value.shape)}; set cutmix_alpha=0 to mix it up'
                )

    def _groups(self, partners: list[int]) -> list[list[int]]:
        """Clips that share a draw."""
        if self.mode == 'batch':
            return [list(range(len(partners)))]
        if self.mode == 'pair':
            return [sorted({i, other}) for i, other in enumerate(partners) if i <= other]
        return [[i] for i in range(len(partners))]

    def _draw(self) -> tuple[float, bool]:
        """Draws the own share and the kind of mixing."""
        if np.random.rand() >= self.prob:
            return 1.0, False
        if self.mixup_alpha > 0 and self.cutmix_alpha > 0:
            use_cutmix = bool(np.random.rand() < self.switch_prob)
        else:
            use_cutmix = self.cutmix_alpha > 0
        alpha = self.cutmix_alpha if use_cutmix else self.mixup_alpha
        return float(np.random.beta(alpha, alpha)), use_cutmix

    def _cutmix(
        self, inputs: dict[str, Tensor], outputs: dict[str, Tensor], partners: dict[int, int], lam: float
    ) -> float:
        """Pastes regions into the outputs; returns the share that is really left of the own clip."""
        videos = [name for name, output in outputs.items() if output.ndim == 5]
        sounds = [name for name in outputs if name not in videos]
        if videos or self.cutmix_minmax is not None:
            plane = inputs[(videos or sounds)[0]]
            height, width = plane.shape[-2:]
            top, bottom, left, right = draw_box(height, width, lam, self.cutmix_minmax)
            lam = 1 - (bottom - top) * (right - left) / (height * width)
        for name in videos:
            for i, other in partners.items():
                outputs[name][i, ..., top:bottom, left:right] = inputs[name][other, ..., top:bottom, left:right]
        for name in sounds:
            length = inputs[name].shape[-2]
            segment = round((1 - lam) * length)
            if not videos and name == sounds[0]:
                lam = 1 - segment / length
            start = int(np.random.randint(0, length - segment + 1))
            for i, other in partners.items():
                outputs[name][i, ..., start : start + segment, :] = inputs[name][other, ..., start : start + segment, :]
        return float(lam)

    def _score(self, sample: BaseDataElement) -> Tensor:
        """Returns the soft label of a clip, ``(C,)``: the distribution of its annotation, or its class."""
        if 'gt_score' in sample:
            score: Tensor = sample.gt_score
            return score
        return F.one_hot(sample.gt_label[0], self.num_classes or -1).float()

    def _mix_labels(self, data_samples: list[BaseDataElement], partners: list[int], share: Tensor) -> None:
        """Mixes classes and values; ``share (B, 1)`` is that of the partner."""
        if self.num_classes is not None:
            scores = torch.stack([self._score(sample) for sample in data_samples])  # (B, C)
            for sample, score in zip(data_samples, scores.lerp(scores[partners], share)):
                sample.gt_score = score
        if self.num_classes is None or any('gt_values' in sample for sample in data_samples):
            values = torch.stack([sample.gt_values for sample in data_samples])  # (B, D)
            for sample, value in zip(data_samples, values.lerp(values[partners], share)):
                sample.gt_values = value


def _mixup(inputs: dict[str, Tensor], outputs: dict[str, Tensor], partners: dict[int, int], lam: float) -> float:
    """Blends clips into the outputs."""
    for name, output in outputs.items():
        for i, other in partners.items():
            output[i].lerp_(inputs[name][other], 1 - lam)
    return lam


def draw_box(
    height: int, width: int, lam: float, minmax: tuple[float, float] | None = None
) -> tuple[int, int, int, int]:
    """Draws the box that cutmix pastes, with NumPy's global generator.

    The published implementation draws it as timm 0.4 did: as far from its centre to either side, so a box of an odd
    side is a pixel smaller. Later versions of timm draw other boxes from the same seed.

    Args:
        height: Height of the frame.
        width: Width of the frame.
        lam: Share of the frame that the box should leave. What it leaves is more where the frame cuts the box.
        minmax: Smallest and largest side of the box over the frame's, in place of ``lam``.

    Returns:
        First row, row after the last, first column, column after the last.
    """
    if minmax is not None:
        box_height, box_width = (
            int(np.random.randint(int(side * minmax[0]), int(side * minmax[1]))) for side in (height, width)
        )
        top, left = int(np.random.randint(height - box_height + 1)), int(np.random.randint(width - box_width + 1))
        return top, top + box_height, left, left + box_width
    scale = np.sqrt(1 - lam)
    half_height, half_width = int(height * scale) // 2, int(width * scale) // 2
    row, column = int(np.random.randint(height)), int(np.random.randint(width))
    return (
        max(row - half_height, 0),
        min(row + half_height, height),
        max(column - half_width, 0),
        min(column + half_width, width),
    )


def mirror_partners(num_clips: int, mixed: Sequence[str], present: Mapping[str, Tensor]) -> list[int]:
    """Returns the partner of each clip: its mirror image among the clips that have the same streams.

    Args:
        num_clips: Number of clips B.
        mixed: Streams that are mixed.
        present: ``(B,)`` bool by stream that some clips lack, True = there.

    Returns:
        An index per clip; the clip's own where it has none of the mixed streams.
    """
    members: dict[tuple[bool, ...], list[int]] = {}
    rows = {name: value.tolist() for name, value in present.items()}
    for i in range(num_clips):
        members.setdefault(tuple(row[i] for row in rows.values()), []).append(i)
    partners = list(range(num_clips))
    for clips in members.values():
        if any(name not in rows or rows[name][clips[0]] for name in mixed):
            for i, other in zip(clips, reversed(clips)):
                partners[i] = other
    return partners
