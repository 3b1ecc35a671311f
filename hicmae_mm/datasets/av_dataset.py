"""The data set of clips with pictures, sound and labels."""

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
from hicmae_mm.datasets.samplers import SampleIndex
from hicmae_mm.registry import DATASETS, TRANSFORMS
from hicmae_mm.structures import SkippedSample

_STREAMS = ('video', 'audio')


@DATASETS.register_module()
class AudioVisualDataset(BaseDataset):
    """Clips listed in a text file of ``video audio label`` lines, or in MMEngine-style JSON.

    Paths are relative to ``data_root``. The video is a file or a folder of numbered frames; the audio column may be
    ``-`` for the video's own sound track. Labels are a class index or name, or several numbers (regression).

    Each sample of a :class:`~hicmae_mm.datasets.samplers.SeededSampler` is read under its own seed, made of the
    sampler's seed, the epoch and the index: the result does not depend on the number of workers or ranks.

    Args:
        ann_file: Annotation file, absolute or relative to ``data_root``.
        pipeline: Transforms, as configs or callables.
        data_root: Folder that relative paths start from.
        data_prefix: Folders of the two columns below ``data_root``, ``dict(video='frames', audio='wav')``.
        metainfo: Meta information such as ``classes`` (names) or ``dimensions`` (names of regression values).
        task: ``'classification'``, ``'regression'``, ``'multitask'`` (first label column: class, the others: values) or
            ``'unlabelled'`` (label columns are ignored). None: what the data set is for, its ``TASK``.
        num_classes: Number of classes; default: as many as ``metainfo`` names.
        label_columns: Which label columns to use, 0-based, e.g. ``(1,)`` for the second; None: all.
        streams: Which of ``'video'`` and ``'audio'`` to read. The other is not even opened.
        on_error: ``'raise'``, or ``'skip'``: samples whose media are missing or broken come back as
            :class:`~hicmae_mm.structures.SkippedSample`. For training only.
        indices: Use only the first so many samples, or the ones listed.

    Raises:
        FileNotFoundError: If there is no annotation file.
        ValueError: If an option is unknown or the annotation malformed; the line is named.
    """

    TASK = 'classification'

    _fully_initialized: bool = False

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
        if not streams or not set(streams) <= set(_STREAMS):
            raise ValueError(f'streams must be some of {_STREAMS}, got {tuple(streams)}')
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        self.task = self.TASK if task is None else task
        self.num_classes = num_classes
        self.label_columns = label_columns
        self.streams = tuple(streams)
        self.on_error = on_error
        prefix = dict(video='', audio='')
        if not set(data_prefix or {}) <= set(prefix):
            raise ValueError(f"data_prefix has the keys 'video' and 'audio', got {sorted(data_prefix or {})}")
        prefix.update(data_prefix or {})
        super().__init__(
            ann_file=ann_file, metainfo=metainfo, data_root=data_root, data_prefix=prefix, indices=indices, pipeline=[]
        )
        # our own registry, so that names resolve without a default scope
        self.pipeline = Compose([TRANSFORMS.build(step) if isinstance(step, Mapping) else step for step in pipeline])

    def load_data_list(self) -> Sequence[dict[str, Any]]:
        """Reads the annotation file. Text lists are parsed clip by clip, when clips are asked for."""
        records, metainfo = load_annotations(self.ann_file, self._label_parser)
        for key, value in metainfo.items():
            self._metainfo.setdefault(key, tuple(value) if key == 'classes' else value)
        return records

    def _label_parser(self, file_metainfo: Mapping[str, Any] = MappingProxyType({})) -> LabelParser:
        """What makes labels of the label columns; class names of the file count where the config names none.

        Raises:
            ValueError: If the file and the config number the same classes differently.
        """
        own, of_file = classes_of(self._metainfo), classes_of(file_metainfo)
        if own and of_file and own != of_file and set(own) == set(of_file):
            raise ValueError(
                f'the file numbers its classes {list(of_file)}, the config {list(own)}; write them in one order'
            )
        return LabelParser(
            self.task,
            classes=own or of_file,
            num_classes=self.num_classes,
            num_values=len(self._metainfo.get('dimensions', file_metainfo.get('dimensions', ()))) or None,
            columns=self.label_columns,
        )

    def full_init(self) -> None:
        """Reads the annotation file, filters and cuts it, unless that was done.

        A text list stays as it is: what MMEngine would make of it to share it with worker processes takes longer and
        more memory than the list.
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

    def _get_unserialized_subset(self, indices: Sequence[int] | int) -> Sequence[dict[str, Any]]:
        if isinstance(self.data_list, TextRecords) and not isinstance(indices, int):
            return self.data_list.take(indices)
        subset: Sequence[dict[str, Any]] = super()._get_unserialized_subset(indices)
        return subset

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """MMEngine's form of the list, which worker processes share; without its search for garbage (there is none)."""
        buffers = [pickle.dumps(record, protocol=4) for record in self.data_list]
        self.data_list = []
        return np.frombuffer(b''.join(buffers), np.uint8), np.cumsum([len(buffer) for buffer in buffers])

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """What the pipeline starts from: paths, label and name of a sample."""
        record = super().get_data_info(idx)
        streams = tuple(name for name in self.streams if name in record.get('streams', self.streams))
        info = dict(
            sample_idx=int(record['sample_idx']),
            sample_id=record.get('sample_id') or record['video'] or record['audio'],
            streams=streams,
            absent_streams=tuple(name for name in self.streams if name not in streams),
            position=record['position'],
        )
        for stream in _STREAMS:
            path = record[stream]
            info[f'{stream}_path'] = None if path is None else join_path(self.data_prefix[stream], path)
        info.update({key: record[key] for key in ('gt_label', 'gt_values') if key in record})
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """The class of a sample, as MMEngine's ``ClassBalancedDataset`` asks for it."""
        return [self.get_data_info(idx)['gt_label']]

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
            if 'video' in info['streams'] and info['video_path'] is None:
                raise MediaError(
                    "the sample names no video, and streams has 'video'; leave it out by streams=('audio',)"
                )
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


@contextmanager
def seeded(*entropy: int) -> Iterator[None]:
    """Seeds Python's, NumPy's and torch's global generators for a while, and puts them back afterwards."""
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
