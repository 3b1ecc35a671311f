"""Build the data set for an extraction: a split of a config, an annotation list, or shards, read as in a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset
from torch.utils.data import DataLoader, Dataset

from hicmae_mm.checkpoints.files import file_sha256
from hicmae_mm.config.collation import Collate
from hicmae_mm.datasets import SampleIndex
from hicmae_mm.datasets.sharing import CollateIntoSharedMemory
from hicmae_mm.features.rows import TIME_KEYS
from hicmae_mm.registry import DATASETS, TRANSFORMS
from hicmae_mm.structures import SkippedSample

SPLITS = ('test', 'val', 'train')
# steps of a training pipeline that a test needs, too; the other steps are augmentation or make masks
_STEPS_OF_A_TEST = ('OpenVideo', 'SampleClips', 'DecodeFrames', 'FixedCrop', 'LoadAudio', 'Filterbank')


def dataset_configs(
    cfg: Config,
    split: str | None = None,
    ann_file: str | None = None,
    data_root: str | None = None,
    shards: str | None = None,
    is_unlabelled: bool = False,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Makes the configs of the data sets, with a pipeline without augmentation.

    Args:
        cfg: Config of the model.
        split: Data loader whose clips are used: ``'test'``, ``'val'`` or ``'train'``. None means the first of these
            that the config has.
        ann_file: Another annotation list, which is read in the same way as the list of the split.
        data_root: Folder to which the paths in the list are relative.
        shards: Folder or URL of shards, instead of a list.
        is_unlabelled: Whether label columns are ignored.

    Returns:
        One config, or several if the split joins several data sets, and the types of the steps that were removed from a
        training pipeline. Each clip appears once, even if the training repeats its data set.

    Raises:
        ValueError: If the config does not have the split, or both a list and shards are given.
    """
    if ann_file is not None and shards is not None:
        raise ValueError('ann_file and shards both name the clips: give only one of them')
    there = [name for name in SPLITS if cfg.get(f'{name}_dataloader')]
    if not there or (split is not None and split not in there):
        raise ValueError(f'the config has no {split or "split"}: its data loaders are {there}')
    split = split or there[0]
    datasets = list(_annotated(cfg[f'{split}_dataloader'].dataset.to_dict()))
    left_out: tuple[str, ...] = ()
    tests = [name for name in ('test', 'val') if name in there]
    for dataset in datasets:
        if split == 'train' and tests:
            dataset['pipeline'] = next(_annotated(cfg[f'{tests[0]}_dataloader'].dataset.to_dict()))['pipeline']
        elif split == 'train':
            dataset['pipeline'], left_out = as_test_pipeline(dataset['pipeline'], _image_size(cfg))
        dataset |= dict(on_error='skip', pipeline=_with_time(dataset['pipeline']))
        if is_unlabelled:
            dataset['task'] = 'unlabelled'
    if ann_file is not None or shards is not None:
        datasets = [_elsewhere(datasets[0], ann_file, data_root, shards)]
    elif data_root is not None:
        datasets = [dataset | dict(data_root=data_root) for dataset in datasets]
    return datasets, left_out


def annotated_datasets(cfg: Config, split: str) -> list[dict[str, Any]]:
    """Returns the configs of a split's data sets, inside of MMEngine's wrappers."""
    return list(_annotated(cfg[f'{split}_dataloader'].dataset.to_dict()))


def _annotated(dataset: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the data set itself, or the data sets inside of MMEngine's wrappers."""
    if 'datasets' in dataset or isinstance(dataset.get('dataset'), Mapping):
        for inner in dataset.get('datasets') or [dataset['dataset']]:
            yield from _annotated(inner)
    else:
        yield dataset


def _elsewhere(
    dataset: dict[str, Any], ann_file: str | None, data_root: str | None, shards: str | None
) -> dict[str, Any]:
    """Makes the config of the same kind of data set with other clips."""
    if shards is None:
        assert ann_file is not None
        root = str(Path(ann_file).parent) if data_root is None else data_root
        is_there = Path(ann_file).is_file()  # seen from the working folder; otherwise it can be relative to data_root
        dataset = dataset | dict(ann_file=str(Path(ann_file).absolute()) if is_there else ann_file, data_root=root)
        if dataset['type'] == 'AudioVisualShards':
            dataset['type'] = 'AudioVisualDataset'
            dataset.pop('storage_options', None)
        return dataset
    kind = DATASETS.get(dataset['type'])
    kept = ('pipeline', 'num_classes', 'label_columns', 'streams', 'on_error', 'storage_options')
    facts = dict(
        type='AudioVisualShards',
        data_root=shards,
        metainfo={**kind.METAINFO, **(dataset.get('metainfo') or {})},
        task=dataset.get('task') or kind.TASK,
    )
    return {key: dataset[key] for key in kept if key in dataset} | facts


def as_test_pipeline(
    pipeline: Sequence[Mapping[str, Any]], image_size: int
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Converts a training pipeline to a test pipeline with one view: the first frames, cropped in the centre.

    The sound is aligned with the frames in the same way as in training.

    Args:
        pipeline: Pipeline of a training or pre-training.
        image_size: Side of the model's input frames in pixels.

    Returns:
        The pipeline, and the types of the removed steps.
    """
    steps: list[dict[str, Any]] = []
    for step in pipeline:
        if step['type'] == 'SampleClips':
            alignment = 'timestamps' if step['mode'] == 'pretrain' else 'fraction'
            steps.append({'audio_alignment': alignment, **step, 'mode': 'test', 'num_clips': 1})
        elif step['type'] in _STEPS_OF_A_TEST:
            steps.append(dict(step))
        elif step['type'] == 'PackAudioVisual':
            steps += [dict(type='SpatialViews', num_views=1, size=image_size), dict(step)]
    kept = (*_STEPS_OF_A_TEST, 'PackAudioVisual')
    return steps, tuple(step['type'] for step in pipeline if step['type'] not in kept)


def _image_size(cfg: Config) -> int:
    encoders = cfg.model.encoders
    embed = (encoders.get('video') or {}).get('patch_embed') or {}
    return int(embed.get('image_size', 160))


def _with_time(pipeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lets the pipeline pack the time stamps of every clip, and leaves out the steps that read targets."""
    kinds = [TRANSFORMS.get(step['type']) if isinstance(step['type'], str) else step['type'] for step in pipeline]
    steps = [dict(step) for step, kind in zip(pipeline, kinds) if not getattr(kind, 'reads_targets', False)]
    for step in steps:
        if step['type'] in ('PackAudioVisual', 'PackStreams'):
            step['meta_keys'] = tuple(dict.fromkeys([*step.get('meta_keys', ()), *TIME_KEYS]))
    return steps


def build_dataset(configs: Sequence[dict[str, Any]]) -> Dataset[Any]:
    """Builds a data set, or a joined one from several configs.

    Args:
        configs: Configs of data sets.

    Returns:
        The data set.
    """
    datasets = [DATASETS.build(config) for config in configs]
    joined: Dataset[Any] = datasets[0] if len(datasets) == 1 else ConcatDataset(datasets)
    return joined


def list_sha256(dataset: Dataset[Any]) -> str:
    """Computes the SHA-256 of the annotation lists or of the index files of shards.

    Args:
        dataset: The data set.

    Returns:
        The values, separated by spaces. Lists that are not local files have none.
    """
    parts: list[Any] = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    files = [Path(part.ann_file) for part in parts]
    return ' '.join(file_sha256(file) if file.is_file() else '' for file in files).strip()


class NumberedClips(Dataset[Any]):
    """Returns clips with their numbers, and reads a batch at once if the data set supports that (shards at a URL).

    Args:
        dataset: The data set.
    """

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[int, Any]]:
        """Reads a batch. Every clip has its own seed, in case the pipeline uses random numbers.

        Args:
            indices: Numbers of the clips.

        Returns:
            Pairs of number and clip.
        """
        seeded = [SampleIndex(index, seed=0, epoch=0) for index in indices]
        read = getattr(self.dataset, '__getitems__', None)
        items = read(seeded) if read is not None else [self.dataset[index] for index in seeded]
        return list(zip(indices, items))


def clip_loader(
    dataset: Dataset[Any], batches: Sequence[Sequence[int]], num_workers: int, collate: Collate
) -> DataLoader[Any]:
    """Makes a data loader for given batches of clips.

    Args:
        dataset: The data set.
        batches: Numbers of the clips of each batch, in order.
        num_workers: Number of worker processes.
        collate: Joins the clips of a batch.

    Returns:
        The data loader; see :func:`collate_numbered` for its batches.
    """
    return DataLoader(
        NumberedClips(dataset),
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=num_workers,
        collate_fn=CollateIntoSharedMemory(partial(collate_numbered, collate=collate)),
        pin_memory=torch.cuda.is_available(),
    )


def collate_numbered(
    items: Sequence[tuple[int, Any]], collate: Collate
) -> tuple[list[int], dict[str, Any] | None, dict[int, str]]:
    """Separates clips that could not be read from the others, and collates the others.

    Args:
        items: Pairs of number and clip.
        collate: Joins the good clips.

    Returns:
        Numbers of the good clips, their batch (None without good clips), and the reason for each bad clip by number.
    """
    bad = {index: item.reason for index, item in items if isinstance(item, SkippedSample)}
    good = [(index, item) for index, item in items if index not in bad]
    batch = collate([item for _, item in good]) if good else None
    return [index for index, _ in good], batch, bad
