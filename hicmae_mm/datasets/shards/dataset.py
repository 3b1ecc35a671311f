"""Defines the data set of clips in shards."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose

from hicmae_mm.datasets.annotations import LabelParser
from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.records import add_columns, add_labels
from hicmae_mm.datasets.shards.clip import PackedClip
from hicmae_mm.datasets.shards.index import INDEX_FILE, ShardIndex, parse_index
from hicmae_mm.datasets.shards.storage import Place, ShardStorage
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import SkippedSample

STREAMS = ('video', 'audio')


@DATASETS.register_module()
class AudioVisualShards(AudioVisualDataset):
    """Clips that ``tools/dataset_converters/make_shards.py`` packed, from a disk or from any URL that fsspec knows.

    Takes the place of an :class:`AudioVisualDataset` with the pipeline that this has, less what was done in packing (a
    crop). Any sampler works; :class:`~hicmae_mm.datasets.shards.ShardSampler` reads shards from front to back.

    Args:
        data_root: Folder or URL of the shards.
        pipeline: Transforms, as configs or callables.
        ann_file: The index, absolute or relative to ``data_root``; the shards lie beside it.
        metainfo: Meta information such as ``classes`` (names) or ``dimensions`` (names of regression values).
        task: Meaning of the label columns, see :class:`AudioVisualDataset`; None means classes.
        num_classes: Number of classes; default: as many as ``metainfo`` names.
        label_columns: Label columns to use, 0-based, e.g. ``(1,)`` for the second; None means all.
        streams: Streams to read: ``'video'``, ``'audio'``, and others that transforms make of the columns of the list.
        on_error: ``'raise'``, or ``'skip'``: samples that are missing or broken come back as
            :class:`~hicmae_mm.structures.SkippedSample`. For training only.
        indices: Use only the first so many samples, or the ones listed.
        storage_options: Options of fsspec's file system, ``dict(anon=True)``.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If an option is unknown, the index malformed, or a stream was not packed.
    """

    ann_file: str
    index: ShardIndex
    storage: ShardStorage
    _fully_initialized: bool  # MMEngine's own flag, which it does not declare

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]],
        ann_file: str = INDEX_FILE,
        metainfo: dict[str, Any] | None = None,
        task: str | None = None,
        num_classes: int | None = None,
        label_columns: Sequence[int] | None = None,
        streams: Sequence[str] = ('video', 'audio'),
        on_error: str = 'raise',
        indices: int | Sequence[int] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._storage_options = storage_options
        super().__init__(
            ann_file=ann_file,
            pipeline=pipeline,
            data_root=data_root,
            metainfo=metainfo,
            task=task,
            num_classes=num_classes,
            label_columns=label_columns,
            streams=streams,
            on_error=on_error,
            indices=indices,
        )
        self.pipeline = Compose([OpenPackedClip(self.storage, self._label_parser()), *self.pipeline.transforms])

    def _join_prefix(self) -> None:
        """Makes the index's path absolute; MMEngine would not know most URLs."""
        if '://' not in self.ann_file:
            self.ann_file = os.path.join(self.data_root, self.ann_file)  # noqa: PTH118 (may be a URL)

    def full_init(self) -> None:
        """Reads the index, unless that was done."""
        if self._fully_initialized:
            return
        root, _, name = self.ann_file.rpartition('/')
        self.storage = ShardStorage(root or '.', self._storage_options)
        try:
            content = self.storage.read_file(name)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'{self.ann_file} does not exist; make_shards.py writes the index last: has it finished? Else check '
                'data_root and ann_file'
            ) from error
        self.index = parse_index(content, self.ann_file)
        absent = [stream for stream in self.streams if stream in STREAMS and stream not in self.index.streams]
        if absent:
            raise ValueError(f'{self.ann_file}: packed with streams {self.index.streams}, without {absent}; pack again')
        for key, value in self.index.metainfo.items():
            self._metainfo.setdefault(key, value)
        if self._indices is not None:
            self.index.keep(self._indices)
        self._fully_initialized = True

    @property
    def run_lengths(self) -> np.ndarray:
        """Numbers of samples that follow one another in the same shard, for :class:`ShardSampler`."""
        return self.index.run_lengths

    def __len__(self) -> int:
        """Returns number of samples."""
        return len(self.index)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Returns the input of the pipeline: the place of a sample. :class:`OpenPackedClip` adds its content."""
        position = self.index.name_of(idx)
        return dict(
            sample_idx=self.first_sample_idx + int(idx),
            sample_id=position,
            streams=self.streams,
            absent_streams=(),
            position=position,
            place=self._place(idx),
            data_folders={'': self.data_root},
            video_path=position,
            audio_path=None,
        )

    def _place(self, idx: int) -> Place:
        index = self.index
        return Place(index.names[index.shard[idx]], int(index.start[idx]), int(index.stop[idx]))

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any] | SkippedSample]:
        """Reads a batch: by concurrent requests, where the shards are not on a disk. Called by torch's data loader."""
        self.storage.fetch([self._place(int(index)) for index in indices])
        return [self[index] for index in indices]


class OpenPackedClip:
    """Reads a clip's json. It is the first step of the pipeline.

    Added keys: ``packed_clip``, the labels, ``columns``. Changed keys: ``sample_id``, ``streams``,
    ``absent_streams``.

    Args:
        storage: The shards.
        labels: Maker of labels from the columns.
    """

    def __init__(self, storage: ShardStorage, labels: LabelParser) -> None:
        self._storage, self._labels = storage, labels

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the clip.

        Raises:
            FileNotFoundError: If the shard is missing.
            MediaError: If it is damaged, or the clip has none of the streams.
            ValueError: If the labels do not suit the task.
        """
        clip = PackedClip(self._storage.open(results.pop('place')))
        results['packed_clip'], results['sample_id'] = clip, clip.meta['sample_id']
        wanted = results['streams']
        columns = clip.meta.get('columns', {})
        has = {*clip.meta['streams'], *(name for name in wanted if name not in STREAMS and columns.get(name, name))}
        results['streams'] = tuple(name for name in wanted if name in has)
        results['absent_streams'] = tuple(name for name in wanted if name not in has)
        if not results['streams']:
            raise MediaError(f'the clip has none of the streams {wanted} that are read')
        try:
            add_labels(results, self._labels.parse_row({**columns, 'label': clip.meta['label']}))
        except ValueError as error:
            raise ValueError(f'{results["position"]} ({results["sample_id"]}): {error}') from error
        add_columns(results, columns)
        return results
