"""Defines the data set class for clips with pictures, sound, other streams and labels."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.fileio import join_path
from torch.utils.data import get_worker_info

from hicmae_mm.datasets.annotations import TextRecords, load_annotations
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.labels import LabelParser, classes_of
from hicmae_mm.datasets.records import add_columns, add_labels, columns_of, is_column_name
from hicmae_mm.datasets.samplers import SampleIndex
from hicmae_mm.registry import DATASETS, TRANSFORMS
from hicmae_mm.structures import SkippedSample

_STREAMS = ('video', 'audio')


@DATASETS.register_module()
class AudioVisualDataset(BaseDataset):
    """Reads the clips of a list: text of ``video audio label`` lines, MMEngine's JSON, or a table.

    A table (CSV, Parquet, JSON lines) names its columns; ``docs/data_format.md`` says which names have a meaning. Every
    other column reaches the pipeline under its own name, and the model as meta information.

    Paths are relative to ``data_root``. The video is a file or a folder of numbered frames. ``-`` in the audio column
    stands for the sound track of the video. A label is a class index, a class name, or several numbers (regression).

    Each sample of a :class:`~hicmae_mm.datasets.samplers.SeededSampler` is read under its own seed, which is computed
    from the seed of the sampler, the epoch and the index. Therefore a sample does not depend on the number of workers
    or ranks.

    Args:
        ann_file: Annotation file, absolute or relative to ``data_root``.
        pipeline: Transforms, as configs or callables.
        data_root: Folder that relative paths start from.
        data_prefix: Folders below ``data_root`` for streams, such as ``dict(video='frames', audio='wav')``.
        metainfo: Meta information such as ``classes`` (names) or ``dimensions`` (names of regression values).
        task: ``'classification'``, ``'regression'``, ``'multitask'`` (the first label column is the class, the others
            are values) or ``'unlabelled'`` (label columns are ignored). None means the ``TASK`` of the class.
        num_classes: Number of classes; by default the number of ``classes`` in ``metainfo``.
        label_columns: Label columns to use, counted from 0, such as ``(1,)`` for the second; None uses all.
        streams: Streams to read: ``'video'``, ``'audio'`` and any other names. Files of other streams are not opened.
        on_error: ``'raise'``, or ``'skip'``, which returns samples whose media are missing or broken as
            :class:`~hicmae_mm.structures.SkippedSample`. Use ``'skip'`` for training only.
        indices: Number of samples to use from the start of the list, or the indices of the samples to use.

    Raises:
        FileNotFoundError: If there is no annotation file.
        ValueError: If an option is unknown, or the annotation is malformed. The message names the line.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> _ = Path(folder.name, 'train.txt').write_text('a.mp4 - happy\\nb.mp4 b.wav sad\\n')
        >>> dataset = AudioVisualDataset(
        ...     'train.txt', pipeline=[], data_root=folder.name, metainfo=dict(classes=('happy', 'sad'))
        ... )
        >>> len(dataset)
        2
        >>> dataset.get_data_info(1)['gt_label']
        1
        >>> folder.cleanup()
    """

    TASK = 'classification'

    _fully_initialized: bool = False  # MMEngine's own flag, which it does not declare
    first_sample_idx: int = 0  # of several joined data sets, each begins where the one before ends

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]],
        data_root: str = '',
        data_prefix: Mapping[str, str] | None = None,
        metainfo: dict[str, Any] | None = None,
        task: str | None = None,
        num_classes: int | None = None,
        label_columns: Sequence[int] | None = None,
        streams: Sequence[str] = _STREAMS,
        on_error: str = 'raise',
        indices: int | Sequence[int] | None = None,
    ) -> None:
        names_are_good = not isinstance(streams, str) and all(map(is_column_name, streams))
        if not streams or not names_are_good or len(set(streams)) < len(streams):
            raise ValueError(f"streams must list different names, such as ('video', 'audio', 'text'), got {streams!r}")
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        self.task = self.TASK if task is None else task
        self.num_classes = num_classes
        self.label_columns = label_columns
        self.streams = tuple(streams)
        self.on_error = on_error
        prefix = dict(video='', audio='')
        if not set(data_prefix or {}) <= {*prefix, *streams}:
            raise ValueError(
                f'data_prefix has folders of {sorted(data_prefix or {})}, but streams are {tuple(streams)}'
            )
        prefix.update(data_prefix or {})
        super().__init__(
            ann_file=ann_file, metainfo=metainfo, data_root=data_root, data_prefix=prefix, indices=indices, pipeline=[]
        )
        # built from this package's registry, so that names resolve without a default scope
        self.pipeline = Compose([TRANSFORMS.build(step) if isinstance(step, Mapping) else step for step in pipeline])

    def load_data_list(self) -> Sequence[dict[str, Any]]:
        """Reads the annotation file. The records of a text list are parsed one by one, when they are needed."""
        records, metainfo = load_annotations(self.ann_file, self._label_parser)
        for key, value in metainfo.items():
            self._metainfo.setdefault(key, tuple(value) if key == 'classes' else value)
        return records

    def _label_parser(self, file_metainfo: Mapping[str, Any] = MappingProxyType({})) -> LabelParser:
        """Makes the parser of the label columns. Class names of the file count where the config names none.

        Raises:
            ValueError: If the file and the config list the same classes in a different order.
        """
        own, of_file = classes_of(self._metainfo), classes_of(file_metainfo)
        if own and of_file and own != of_file and set(own) == set(of_file):
            raise ValueError(
                f'the file numbers its classes {list(of_file)}, the config {list(own)}; write them in one order'
            )
        dimensions = self._metainfo.get('dimensions', file_metainfo.get('dimensions', ()))
        return LabelParser(
            self.task,
            classes=own or of_file,
            num_classes=self.num_classes,
            num_values=len(dimensions) or None,
            columns=self.label_columns,
            value_names=tuple(dimensions),
        )

    def full_init(self) -> None:
        """Reads the annotation file, filters it and takes the subset, if that was not done before.

        A text list is not serialized. MMEngine's serialization, which shares a list with worker processes, would take
        more time and more memory than the list itself.
        """
        if self._fully_initialized:
            return
        self.data_list = self.load_data_list()
        self.data_list = self.filter_data()
        if self._indices is not None:
            self.data_list = self._get_unserialized_subset(self._indices)
        self.serialize_data = not isinstance(self.data_list, TextRecords)
        if self.serialize_data:
            self.data_bytes, self.data_address = self._serialize_data()
        self._fully_initialized = True

    # MMEngine's get_subset calls this method, whose default would make a dictionary of every clip
    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> Sequence[dict[str, Any]]:
        if isinstance(self.data_list, TextRecords) and not isinstance(indices, int):
            return self.data_list.take(indices)
        subset: Sequence[dict[str, Any]] = super()._get_unserialized_subset(indices)
        return subset

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """Serializes the list as MMEngine does, so that worker processes share it, but without a garbage collection."""
        buffers = [pickle.dumps(record, protocol=4) for record in self.data_list]
        self.data_list = []
        return np.frombuffer(b''.join(buffers), np.uint8), np.cumsum([len(buffer) for buffer in buffers])

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Returns the input of the pipeline: paths, labels, name, streams and further columns of a sample."""
        record = super().get_data_info(idx)
        has, lacks = record.get('streams', self.streams), record.get('absent', ())
        streams = tuple(name for name in self.streams if name in has and name not in lacks)
        info = dict(
            sample_idx=self.first_sample_idx + int(record['sample_idx']),
            sample_id=_name_of(record),
            streams=streams,
            absent_streams=tuple(name for name in self.streams if name not in streams),
            position=record['position'],
            data_folders={'': self.data_root, **self.data_prefix},
        )
        for stream in _STREAMS:
            path = record[stream]
            info[f'{stream}_path'] = None if path is None else join_path(self.data_prefix[stream], path)
        add_labels(info, record)
        add_columns(info, columns_of(record))
        if 'span' in record:
            info['span'] = record['span']
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Returns the class of a sample in a list, as MMEngine's ``ClassBalancedDataset`` needs it."""
        info = self.get_data_info(idx)
        if 'gt_label' not in info:
            raise ValueError(f'{self.ann_file}, {info["position"]}: balancing of classes needs one class per sample')
        return [info['gt_label']]

    def __getitem__(self, idx: int) -> dict[str, Any] | SkippedSample:
        """Reads a sample and runs the pipeline.

        Raises:
            FileNotFoundError: If a file is missing (``on_error='raise'``).
            MediaError: If a file is broken (``on_error='raise'``).
        """
        if get_worker_info() is not None:
            _one_thread_per_worker()
        info = self.get_data_info(int(idx))
        try:
            if not info['streams']:
                raise MediaError(f'the sample has none of the streams {self.streams} that are read')
            if isinstance(idx, SampleIndex):
                with seeded(idx.seed, idx.epoch, idx.key):
                    sample: dict[str, Any] = self.pipeline(info)
            else:
                sample = self.pipeline(info)
            return sample
        except (MediaError, FileNotFoundError) as error:
            reason = f'{self.ann_file}, {info["position"]}: {error}'
            if self.on_error == 'skip':
                return SkippedSample(info['sample_id'], reason)
            raise (FileNotFoundError if isinstance(error, FileNotFoundError) else MediaError)(reason) from error


def _name_of(record: Mapping[str, Any]) -> str:
    """Returns the name of a sample: its own, or that of its file, with the span of a longer file."""
    name: str = record.get('sample_id') or record['video'] or record['audio'] or record['position']
    if 'sample_id' in record or 'span' not in record:
        return name
    start, end = record['span']
    return f'{name}@{start:g}-{end:g}'


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Seeds the global generators of Python, NumPy and torch within the block, and restores their state after it."""
    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seeds = np.random.SeedSequence(entropy).generate_state(3)
    random.seed(int(seeds[0]))
    np.random.seed(int(seeds[1]))
    torch.default_generator.manual_seed(int(seeds[2]))  # torch.manual_seed would reset the GPU's generator too
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)


@lru_cache(maxsize=1)
def _one_thread_per_worker() -> None:
    """Keeps OpenCV from starting a pool of threads in every worker process; torch does this by itself."""
    cv2.setNumThreads(0)
