"""From samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine import registry as root
from torch import Tensor

from hicmae_mm.registry import FUNCTIONS
from hicmae_mm.structures import Padded, SkippedSample, Stream


def collate_streams(data_batch: Sequence[dict[str, Any] | SkippedSample]) -> dict[str, Any]:
    """Joins samples along their view axis and sets skipped ones aside. ``collate_audio_visual`` is the same function.

    Args:
        data_batch: Items of the data set: B packed samples or :class:`SkippedSample`.

    Returns:
        ``inputs``: by stream, a tensor such as ``video`` (sum of V, T, H, W, 3) uint8 or ``audio`` (sum of V, 1, T, F)
        float32, or a :class:`~hicmae_mm.structures.Padded` whose rows have the longest sample's length; ``masks`` (name
        to (sum of V, N) bool), only if the samples have any; ``data_samples``: a list; ``skipped``: a list. Where
        samples do without a stream on purpose (their ``absent_streams`` names it), 0 stands in their rows of
        ``inputs``, and ``present`` (name to (sum of V,) bool) says which rows are real. A stream that no sample
        has is not among the inputs.

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
    """Returns which rows have a stream, ``(sum of V,)`` bool."""
    return torch.tensor([name in sample['inputs'] for sample in samples for _ in range(_num_views(sample))])


def _join(samples: list[dict[str, Any]], field: str) -> dict[str, Stream]:
    """Concatenates a dict of tensors over samples; what a sample lacks is 0."""
    joined: dict[str, Stream] = {}
    for name in dict.fromkeys(name for sample in samples for name in sample.get(field, {})):
        first = next(sample[field][name] for sample in samples if name in sample.get(field, {}))
        parts = []
        for sample in samples:
            if name in sample.get(field, {}):
                part = sample[field][name]
            elif field == 'inputs':
                part = _nothing_like(first, _num_views(sample))
            else:
                raise ValueError(f'{_name(sample)}: {field} has no {name}, others of the batch have it')
            _check_alike(part, first, f'{_name(sample)}: {field}.{name}')
            parts.append(part)
        joined[name] = Padded.cat(parts) if isinstance(first, Padded) else torch.cat(parts)
    return joined


def _nothing_like(first: Stream, num_views: int) -> Stream:
    """Rows of a clip that does without a stream."""
    if isinstance(first, Padded):
        return Padded(first.values.new_zeros(num_views, 1, *first.shape[2:]), first.lengths.new_zeros(num_views))
    return first.new_zeros(num_views, *first.shape[1:])


def _check_alike(part: Stream, first: Stream, name: str) -> None:
    """Refuses parts that cannot stand in one tensor."""
    if isinstance(part, Padded) != isinstance(first, Padded):
        raise ValueError(f'{name} is a sequence in some clips and an array in others; pack it in one way')
    free = 2 if isinstance(first, Padded) else 1  # leading dimensions that may differ: views, and length
    if part.shape[free:] == first.shape[free:]:
        return
    remedy = (
        'entries of a sequence need one shape'
        if free == 2
        else ('resize or crop to one size in the pipeline, or pack it as a sequence by PackStreams(sequences=...)')
    )
    raise ValueError(f'{name} has shape {tuple(part.shape)}, others of the batch {tuple(first.shape)}; {remedy}')


def _name(sample: dict[str, Any]) -> str:
    return str(sample['data_samples'].get('sample_id', 'sample'))


for _registry in (FUNCTIONS, root.FUNCTIONS):  # MMEngine looks collate functions up in its root, whatever the scope
    _registry.register_module(name=['collate_streams', 'collate_audio_visual'], module=collate_streams)
collate_audio_visual = collate_streams  # the name of version 0.1
