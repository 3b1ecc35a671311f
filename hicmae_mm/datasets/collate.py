"""From samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine import registry as root
from torch import Tensor

from hicmae_mm.registry import FUNCTIONS
from hicmae_mm.structures import SkippedSample


@FUNCTIONS.register_module()
@root.FUNCTIONS.register_module()  # where MMEngine looks collate functions up, whatever the scope
def collate_audio_visual(data_batch: Sequence[dict[str, Any] | SkippedSample]) -> dict[str, Any]:
    """Joins samples along their view axis and sets skipped ones aside.

    Args:
        data_batch: What the data set returned, B packed samples or :class:`SkippedSample`.

    Returns:
        ``inputs``: ``video`` (sum of V, T, H, W, 3) uint8 and ``audio`` (sum of V, 1, T, F) float32; ``masks`` (name to
        (sum of V, N) bool), only if the samples have any; ``data_samples``: a list; ``skipped``: a list.

    Raises:
        ValueError: If every sample was skipped, or if samples differ in streams or shapes.
    """
    skipped = [item for item in data_batch if isinstance(item, SkippedSample)]
    samples = [item for item in data_batch if not isinstance(item, SkippedSample)]
    if not samples:
        reasons = '; '.join(f'{item.sample_id}: {item.reason}' for item in skipped)
        raise ValueError(
            f'all {len(skipped)} samples of a batch were skipped, check the data set: {reasons or "empty batch"}'
        )
    batch: dict[str, Any] = dict(inputs=_join(samples, 'inputs'))
    if any('masks' in sample for sample in samples):
        batch['masks'] = _join(samples, 'masks')
    batch['data_samples'] = [sample['data_samples'] for sample in samples]
    batch['skipped'] = skipped
    return batch


def _join(samples: list[dict[str, Any]], field: str) -> dict[str, Tensor]:
    """Concatenates a dict of tensors over samples."""
    names = list(samples[0].get(field, {}))
    joined = {}
    for sample in samples:
        if set(sample.get(field, {})) != set(names):
            raise ValueError(
                f'{_name(sample)}: {field} has {sorted(sample.get(field, {}))}, others of the batch {sorted(names)}'
            )
    for name in names:
        tensors = [sample[field][name] for sample in samples]
        for sample, tensor in zip(samples, tensors):
            if tensor.shape[1:] != tensors[0].shape[1:]:
                raise ValueError(
                    f'{_name(sample)}: {field}.{name} has shape {tuple(tensor.shape)}, others of the batch '
                    f'{tuple(tensors[0].shape)}; resize or crop to one size in the pipeline'
                )
        joined[name] = torch.cat(tensors)
    return joined


def _name(sample: dict[str, Any]) -> str:
    return str(sample['data_samples'].get('sample_id', 'sample'))
