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
        (sum of V, N) bool), only if the samples have any; ``data_samples``: a list; ``skipped``: a list. Where samples
        do without a stream on purpose (their ``absent_streams`` names it), 0 stands in their rows of ``inputs``, and
        ``present`` (name to (sum of V,) bool) says which rows are real. Of a stream that no sample has there are no
        inputs.

    Raises:
        ValueError: If every sample was skipped, or if samples differ in shapes, or by accident in streams.
    """
    skipped = [item for item in data_batch if isinstance(item, SkippedSample)]
    samples = [item for item in data_batch if not isinstance(item, SkippedSample)]
    if not samples:
        reasons = '; '.join(f'{item.sample_id}: {item.reason}' for item in skipped)
        raise ValueError(
            f'all {len(skipped)} samples of a batch were skipped, check the data set: {reasons or "empty batch"}'
        )
    _check_streams(samples)
    batch: dict[str, Any] = dict(inputs=_join(samples, 'inputs'))
    names = dict.fromkeys(
        [*batch['inputs'], *(name for sample in samples for name in sample.get('absent_streams', ()))]
    )
    present = {name: _rows_present(samples, name) for name in names}
    present = {name: rows for name, rows in present.items() if not rows.all()}
    if present:
        batch['present'] = present
    if any('masks' in sample for sample in samples):
        batch['masks'] = _join(samples, 'masks')
    batch['data_samples'] = [sample['data_samples'] for sample in samples]
    batch['skipped'] = skipped
    return batch


def _check_streams(samples: list[dict[str, Any]]) -> None:
    """Refuses samples that lack a stream without saying so."""
    names = {name for sample in samples for name in sample['inputs']}
    for sample in samples:
        lacking = names - set(sample['inputs']) - set(sample.get('absent_streams', ()))
        if lacking:
            raise ValueError(
                f'{_name(sample)}: inputs has {sorted(sample["inputs"])}, others of the batch {sorted(names)}; a clip '
                'may lack a stream on purpose, by DropStream'
            )


def _num_views(sample: dict[str, Any]) -> int:
    return len(next(iter(sample['inputs'].values())))


def _rows_present(samples: list[dict[str, Any]], name: str) -> Tensor:
    """Which rows have a stream, ``(sum of V,)`` bool."""
    return torch.tensor([name in sample['inputs'] for sample in samples for _ in range(_num_views(sample))])


def _join(samples: list[dict[str, Any]], field: str) -> dict[str, Tensor]:
    """Concatenates a dict of tensors over samples; what a sample lacks is 0."""
    joined = {}
    for name in dict.fromkeys(name for sample in samples for name in sample.get(field, {})):
        first = next(sample[field][name] for sample in samples if name in sample.get(field, {}))
        tensors = []
        for sample in samples:
            if name in sample.get(field, {}):
                tensor = sample[field][name]
            elif field == 'inputs':
                tensor = first.new_zeros(_num_views(sample), *first.shape[1:])
            else:
                raise ValueError(f'{_name(sample)}: {field} has no {name}, others of the batch have it')
            if tensor.shape[1:] != first.shape[1:]:
                raise ValueError(
                    f'{_name(sample)}: {field}.{name} has shape {tuple(tensor.shape)}, others of the batch '
                    f'{tuple(first.shape)}; resize or crop to one size in the pipeline'
                )
            tensors.append(tensor)
        joined[name] = torch.cat(tensors)
    return joined


def _name(sample: dict[str, Any]) -> str:
    return str(sample['data_samples'].get('sample_id', 'sample'))
