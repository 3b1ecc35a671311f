"""Run the frozen encoders of a config once over its data, and store what the rest of the model uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from hicmae_mm.checkpoints.files import file_sha256
from hicmae_mm.checkpoints.loading import load_weights, read_checkpoint
from hicmae_mm.config.collation import Collate, collate_of
from hicmae_mm.datasets import SampleIndex
from hicmae_mm.datasets.sharing import CollateIntoSharedMemory
from hicmae_mm.features.cache_keys import (
    ROWS,
    check_can_cache,
    encoder_key,
    frozen_streams,
    pipelines_of,
    pipelines_sha256,
)
from hicmae_mm.features.cache_layout import Layout, find_layouts
from hicmae_mm.features.data import SPLITS, annotated_datasets, build_dataset, dataset_configs
from hicmae_mm.features.parts import MADE_BY, PartFolder, claim, make_columns
from hicmae_mm.features.storage import merge
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, SkippedSample
from hicmae_mm.utils.files import exclusive

Progress = Callable[[str, int, int], None]
VIEWS = 'num_views'


class CacheOptions(NamedTuple):
    """Options of a cache.

    Attributes:
        copies: Number of augmented versions of every training clip. 1 needs a training pipeline without random steps.
        augments: Whether training clips are read by the training pipeline. Otherwise they are read as in a test, and
            every view is a version.
        float_type: ``'float32'`` or ``'float16'``.
        batch_size: Number of clips that are encoded at once.
        num_workers: Number of worker processes that read clips.
        part_size: Number of clips in a part; a run that was killed loses at most one part.
    """

    copies: int = 1
    augments: bool = True
    float_type: str = 'float32'
    batch_size: int = 16
    num_workers: int = 0
    part_size: int = 256


class EncoderCache:
    """Caches the outputs of the frozen encoders of a config.

    Args:
        cfg: Config of the model and its data.
        checkpoint: Path or address of weights that contain the frozen encoders. None for encoders that load their own.
        options: Options of the cache.
        device: Device on which the encoders run.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If no encoder is frozen, or the model or its data cannot be cached.
    """

    def __init__(
        self, cfg: Config, checkpoint: str | None, options: CacheOptions, device: torch.device | str = 'cpu'
    ) -> None:
        self.cfg, self.options, self.device = cfg, options, torch.device(device)
        self.model = MODELS.build(cfg.model)
        self.streams = frozen_streams(self.model)
        check_can_cache(self.model, self.streams)
        if checkpoint is not None:
            report = load_weights(self.model, read_checkpoint(checkpoint)['state_dict'], checkpoint)
            self._check_loaded([*report.missing, *report.mismatched], checkpoint)
        else:
            self._check_loaded(
                [f'encoders.{name}.' for name in self.streams if not self._loads_itself(name)], 'nothing'
            )
        if cfg.get('cpu_kernels', True):
            use_cpu_kernels(self.model)
        self.model.to(self.device).train()
        self._collate = collate_of(cfg)
        self.keys = {name: encoder_key(self.model, cfg, name) for name in self.streams}

    def _loads_itself(self, stream: str) -> bool:
        return bool(getattr(self.model.encoders[stream], 'reads_weights', False))

    def _check_loaded(self, missing: Sequence[str], source: str) -> None:
        for name in self.streams:
            lacking = [key for key in missing if key.startswith(f'encoders.{name}.')]
            if lacking and not self._loads_itself(name):
                raise ValueError(
                    f'{source} was loaded, which lacks {len(lacking)} weights of the frozen {name} encoder: name a '
                    'checkpoint that contains it'
                )

    def run(self, folder: Path, force: bool = False, on_progress: Progress | None = None) -> dict[str, Path]:
        """Writes the outputs for every data loader of the config. A run that was killed continues.

        Args:
            folder: Folder for the cache.
            force: Whether to encode everything again.
            on_progress: Function that gets the split, the number of finished clips and that of all.

        Returns:
            The folder of each split.

        Raises:
            ValueError: If the folder has a cache of other weights, clips or options, or the training pipeline is random
                and only one copy is asked for.
        """
        there = [split for split in reversed(SPLITS) if self.cfg.get(f'{split}_dataloader')]
        written: dict[str, Path] = {}
        by_config: dict[str, Path] = {}
        for split in there:
            described = json.dumps(pipelines_of(self.cfg, split), default=str) + str(split == 'train')
            described += str([config.get('ann_file') for config in annotated_datasets(self.cfg, split)])
            if described not in by_config:
                self._write(split, folder / split, force, on_progress)
                by_config[described] = folder / split
            written[split] = by_config[described]
        return written

    def _write(self, split: str, folder: Path, force: bool, on_progress: Progress | None) -> None:
        copies = self.options.copies if split == 'train' and self.options.augments else 1
        dataset: Any = build_dataset(self._dataset_configs(split))
        picks_one = split == 'train' and (copies > 1 or not self.options.augments)
        parts = PartFolder(folder, len(dataset), self.options.part_size)
        settings = self._settings(split, dataset, copies, picks_one)
        if split == 'train' and self.options.augments and copies == 1:
            self._check_is_repeatable(dataset)  # before anything is written
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / '.lock'):
            if claim(folder, settings, force):
                parts.remove()
                return
            layouts = self._layouts(dataset)
            for number in parts.missing():
                self._write_part(
                    parts, number, dataset, copies, layouts, partial(_tell, on_progress, split, len(dataset))
                )
            info = dict(
                definitions={name: f'output of the {name} encoder' for name in self.streams},
                layouts={name: layout.to_dict() for name, layout in layouts.items()},
                settings=settings,
            )
            merge(parts, folder, 'npy', info)

    def _dataset_configs(self, split: str) -> list[dict[str, Any]]:
        if split == 'train' and not self.options.augments:
            return dataset_configs(self.cfg, 'train')[0]
        return [config | dict(on_error='skip') for config in annotated_datasets(self.cfg, split)]

    def _settings(self, split: str, dataset: Dataset[Any], copies: int, picks_one: bool) -> dict[str, Any]:
        files = [Path(part.ann_file) for part in getattr(dataset, 'datasets', [dataset])]
        return dict(
            made_by=MADE_BY,
            encoders=self.keys,
            pipelines=pipelines_sha256(self.cfg, split),
            list_sha256=' '.join(file_sha256(file) for file in files if file.is_file()),
            num_clips=len(dataset),  # type: ignore[arg-type]
            copies=copies,
            picks_one=picks_one,
            augments=self.options.augments,
            float_type=self.options.float_type,
            part_size=self.options.part_size,
        )

    def _check_is_repeatable(self, dataset: Dataset[Any]) -> None:
        for index in range(min(4, len(dataset))):  # type: ignore[arg-type]
            first, second = (dataset[SampleIndex(index, seed=seed, epoch=seed)] for seed in (0, 1))
            if isinstance(first, SkippedSample) or isinstance(second, SkippedSample):
                continue
            for name in self.streams:
                values = [item['inputs'][name] for item in (first, second)]
                tensors = [value.values if isinstance(value, Padded) else value for value in values]
                if tensors[0].shape != tensors[1].shape or not torch.equal(*tensors):
                    raise ValueError(
                        f'the training pipeline is random (two readings of a clip differ in {name}), and a cache holds '
                        'what was read once: store several augmented versions (--copies 8), or read training clips as '
                        'in a test (--no-augmentation)'
                    )

    def _layouts(self, dataset: Dataset[Any]) -> dict[str, Layout]:
        items = (dataset[SampleIndex(index, seed=0, epoch=0)] for index in range(len(dataset)))  # type: ignore[arg-type]
        good = []
        for item in items:
            if not isinstance(item, SkippedSample):
                good.append(item)
            if len(good) == 2:
                break
        if not good:
            raise ValueError('no clip of the data set can be read')
        prepared = self.model.data_preprocessor(self._collate(good), False)
        if prepared.get('present'):
            raise ValueError(f'some clips lack the streams {list(prepared["present"])}, which a cache does not support')
        return find_layouts(self.model, self.streams, prepared)

    def _write_part(
        self,
        parts: PartFolder,
        number: int,
        dataset: Dataset[Any],
        copies: int,
        layouts: Mapping[str, Layout],
        on_progress: Callable[[int], None],
    ) -> None:
        clips = parts.clips(number)
        size = self.options.batch_size
        batches = [clips[start : start + size] for start in range(0, len(clips), size)]
        loader: Any = DataLoader(
            _Copies(dataset, copies),
            batch_sampler=batches,  # type: ignore[arg-type]
            num_workers=self.options.num_workers,
            collate_fn=CollateIntoSharedMemory(partial(_separate, collate=self._collate)),
        )
        rows: list[dict[str, Any]] = []
        bad: dict[int, dict[str, str]] = {}
        for indices, batch, reasons in loader:
            bad |= {index: dict(reason=reason) for index, reason in reasons.items()}
            if batch is not None:
                rows += self._encode(batch, indices, copies, layouts)
            on_progress(clips.start + len(rows) + len(bad))
        ragged = frozenset([*layouts, *(f'{name}{ROWS}' for name in layouts)])
        parts.write(number, make_columns(rows, ragged, self.options.float_type), bad)

    @torch.no_grad()
    def _encode(
        self, batch: Mapping[str, Any], indices: Sequence[int], copies: int, layouts: Mapping[str, Layout]
    ) -> Iterator[dict[str, Any]]:
        prepared = self.model.data_preprocessor({key: batch[key] for key in ('inputs', 'data_samples')}, False)
        views = {
            name: layout.pack(self.model.encoders[name](prepared['inputs'][name])) for name, layout in layouts.items()
        }
        first = 0
        for number, index in enumerate(indices):
            samples = batch['data_samples'][number * copies : (number + 1) * copies]
            stop = first + sum(int(sample.get('num_views', 1)) for sample in samples)
            row: dict[str, Any] = dict(index=index, sample_id=str(samples[0].get('sample_id')))
            row[VIEWS] = np.int64(stop - first)
            for name, blocks in views.items():
                row[name] = np.concatenate(blocks[first:stop])
                row[f'{name}{ROWS}'] = np.array([len(block) for block in blocks[first:stop]])
            first = stop
            yield row


class _Copies(Dataset[Any]):
    """Reads every clip several times, with different random numbers."""

    def __init__(self, dataset: Dataset[Any], copies: int) -> None:
        self.dataset, self.copies = dataset, copies

    def __getitem__(self, index: int) -> tuple[int, list[Any]]:
        return index, [self.dataset[SampleIndex(index, seed=copy, epoch=copy)] for copy in range(self.copies)]


def _separate(
    items: Sequence[tuple[int, list[Any]]], collate: Collate
) -> tuple[list[int], dict[str, Any] | None, dict[int, str]]:
    """Numbers of the good clips, their batch with all copies of a clip in sequence, and the reasons for bad ones."""
    bad = {
        index: next(item.reason for item in copies if isinstance(item, SkippedSample))
        for index, copies in items
        if any(isinstance(item, SkippedSample) for item in copies)
    }
    good = [(index, copies) for index, copies in items if index not in bad]
    batch = collate([item for _, copies in good for item in copies]) if good else None
    return [index for index, _ in good], batch, bad


def _tell(on_progress: Progress | None, split: str, total: int, done: int) -> None:
    if on_progress is not None:
        on_progress(split, done, total)
