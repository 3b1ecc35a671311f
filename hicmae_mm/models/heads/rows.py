"""From targets of clips or of frames to the rows of a batch that have one, found on the host."""

from __future__ import annotations

import torch
from torch import Tensor

from hicmae_mm.structures import EmotionDataSample, Padded, Stream

LEVELS = ('clip', 'frame')


def values_of(features: Stream) -> Tensor:
    """Returns the tensor of a stream, padding included."""
    return features.values if isinstance(features, Padded) else features


def rows_with_target(
    features: Stream, data_samples: list[EmotionDataSample], name: str, level: str, ignore: float | None
) -> tuple[Tensor, Tensor]:
    """Finds the rows of a batch whose target counts. Targets are on the host, so nothing waits for the device.

    Args:
        features: ``(sum of views, D)`` of level ``'clip'``; ``(sum of views, T, D)`` or ``Padded`` of ``'frame'``.
        data_samples: One per clip.
        name: Name of the target.
        level: ``'clip'``: the target is one entry. ``'frame'``: one entry per time step.
        ignore: Value of entries that do not count. A row with several entries counts if all of them do. With such a
            value a clip does not count either if its ``left_out`` names the target.

    Returns:
        Indices of the rows ``(N,)`` in the features with views and time steps in one dimension, and their targets
        ``(N, ...)``, both on the host.

    Raises:
        ValueError: If the number of time steps of a target is not that of the features.
    """
    num_steps = features.shape[1] if level == 'frame' else 1
    rows, targets, view = [], [], 0
    for sample in data_samples:
        if ignore is not None and name in sample.get('left_out', ()):
            view += int(sample.get('num_views', 1))
            continue
        target = sample.target(name)
        # (T, ...), T = 1 for clips; a sample's label is (1,) already
        target = target if level == 'frame' or name == 'label' else target.unsqueeze(0)
        fits = len(target) <= num_steps if isinstance(features, Padded) else len(target) == num_steps
        if not fits:
            raise ValueError(
                f'{sample.get("sample_id", "a sample")}: target {name!r} has {len(target)} time steps, the features '
                f'{num_steps}; read it with as many (num_steps of LoadFrameTargets, or of the aggregator)'
            )
        counts = torch.ones(len(target), dtype=torch.bool)
        if ignore is not None:
            counts = (target != ignore).flatten(1).all(dim=1) if target.ndim > 1 else target != ignore
        steps = counts.nonzero().flatten()
        for _ in range(int(sample.get('num_views', 1))):
            rows.append(view * num_steps + steps)
            targets.append(target[steps])
            view += 1
    if not rows:
        return torch.zeros(0, dtype=torch.long), torch.zeros(0)
    return torch.cat(rows), torch.cat(targets)


def frames_of_clips(values: Tensor, features: Stream, data_samples: list[EmotionDataSample]) -> list[Tensor]:
    """Averages ``(sum of views, T, C)`` over the views of each clip and cuts the padding: ``(T_i, C)`` per clip."""
    counts = [int(sample.get('num_views', 1)) for sample in data_samples]
    clips = [part.mean(dim=0) for part in values.split(counts)]  # (T, C)
    if not isinstance(features, Padded):
        return clips
    lengths = [int(part[0]) for part in features.lengths.cpu().split(counts)]
    return [clip[:length] for clip, length in zip(clips, lengths)]
