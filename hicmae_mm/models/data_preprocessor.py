"""From a collated batch on the host to normalised inputs on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Presence, Stream, TokenMask


@MODELS.register_module()
class AudioVisualDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch, normalises the frames where they arrive, turns masks into indices, mixes while training.

    Frames of any stream travel as uint8, a quarter of the bytes, and are recognised by that. Everything else reaches
    the model as it is. Masks are turned into index tensors on the host, so that no module has to wait for the device.
    Labels stay on the host: losses move the few numbers that they need, stacked.

    Args:
        mean: Mean of each colour channel, 0..255.
        std: Standard deviation of each colour channel.
        batch_augment: Config or module of batch mixing, e.g. ``dict(type='MixupCutmix', num_classes=6)``; used only
            while training. None mixes nothing.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        batch_augment: dict[str, Any] | nn.Module | None = None,
    ) -> None:
        super().__init__(non_blocking=True)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f'mean and std need three numbers, std above 0, got mean={mean} and std={std}')
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1, 1), persistent=False)
        self.batch_augment = MODELS.build(batch_augment) if isinstance(batch_augment, dict) else batch_augment

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepares a batch of ``collate_streams``.

        Args:
            data: ``inputs`` (by stream, a tensor or ``Padded``; frames are (B, T, H, W, 3) uint8), optional ``masks``
                (name to (B, N) bool) and ``present`` (name to (B,) bool, for streams that some clips lack),
                ``data_samples``. B counts views.
            training: Whether to mix.

        Returns:
            ``inputs`` (``video`` (B, 3, T, H, W) float32), ``data_samples``, and ``masks`` (name to ``TokenMask``) and
            ``present`` (name to ``Presence``) if there were any; the keyword arguments of a model's ``forward``.
        """
        inputs = dict(data['inputs'])
        for name, value in inputs.items():
            value = value.to(self.device, non_blocking=True)
            inputs[name] = self._normalize_frames(value, name)
        data_samples = data.get('data_samples')
        if training and self.batch_augment is not None:
            if 'masks' in data:
                raise ValueError('batch_augment mixes labelled clips, the batch has masks; use one of the two')
            if not data_samples:
                raise ValueError('batch_augment needs data_samples with labels')
            partial = [data['present']] if data.get('present') else []
            inputs = self.batch_augment(inputs, data_samples, *partial)
        prepared: dict[str, Any] = dict(inputs=inputs, data_samples=data_samples)
        if 'masks' in data:
            prepared['masks'] = {
                name: TokenMask.from_bool(mask, name).to(self.device, non_blocking=True)
                for name, mask in data['masks'].items()
            }
        if data.get('present'):
            prepared['present'] = {
                name: Presence.from_bool(rows, name).to(self.device, non_blocking=True)
                for name, rows in data['present'].items()
            }
        return prepared

    def _normalize_frames(self, value: Stream, name: str) -> Stream:
        """Normalises frames, ``(B, T, H, W, 3)``; other input passes unchanged.

        Frames in sequences of different lengths keep their time axis: (B, T, H, W, 3) to (B, T, 3, H, W).
        """
        tensor = value.values if isinstance(value, Padded) else value
        looks_like_frames = tensor.ndim == 5 and tensor.shape[-1] == 3
        if tensor.dtype != torch.uint8:
            if looks_like_frames:
                raise TypeError(f'{name} must be uint8 frames of 0..255, got {tensor.dtype}')
            return value
        frames = self.normalize(tensor, name)
        return Padded(frames.transpose(1, 2), value.lengths) if isinstance(value, Padded) else frames

    def normalize(self, video: Tensor, name: str = 'video') -> Tensor:
        """Normalises frames: (B, T, H, W, 3) uint8 to contiguous (B, 3, T, H, W) float32.

        Raises:
            TypeError: If the frames are not uint8.
            ValueError: If they have another shape.
        """
        if video.dtype != torch.uint8:
            raise TypeError(f'{name} must be uint8 frames of 0..255, got {video.dtype}')
        if video.ndim != 5 or video.shape[-1] != 3:
            raise ValueError(f'{name} must be (B, T, H, W, 3), got {tuple(video.shape)}')
        channels_first = video.permute(0, 4, 1, 2, 3)  # (B, 3, T, H, W)
        frames = torch.empty(channels_first.shape, dtype=torch.float32, device=video.device).copy_(channels_first)
        return frames.sub_(self.mean).div_(self.std)

    def denormalize(self, video: Tensor) -> Tensor:
        """Undoes :meth:`normalize`, for pictures: (B, 3, T, H, W) float to (B, T, H, W, 3) uint8."""
        frames = (video * self.std + self.mean).round().clamp(0, 255).to(torch.uint8)
        return frames.permute(0, 2, 3, 4, 1)
