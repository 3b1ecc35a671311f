"""Train and test on cached outputs of frozen encoders, in place of the encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.datasets.stored_features import load_features
from hicmae_mm.datasets.transforms import (
    LoadFeature,
    LoadFeatureTarget,
    LoadFrameTargets,
    PackAudioVisual,
    PackStreams,
    Tokenize,
)
from hicmae_mm.engine.wrappers.base import sharding_of, unwrapped
from hicmae_mm.features.cache_keys import (
    ROWS,
    check_can_cache,
    encoder_key,
    frozen_streams,
    pipelines_sha256,
    read_cache,
)
from hicmae_mm.features.cache_layout import Layout
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.registry import HOOKS
from hicmae_mm.structures import Stream

_KEPT = (Tokenize, LoadFeature, LoadFeatureTarget, LoadFrameTargets)  # steps that read no picture and no sound


@HOOKS.register_module()
class EncoderCacheHook(Hook):
    """Replaces the frozen encoders by their outputs, which ``tools/cache_encoders.py`` has stored.

    The config stays the same but for this hook: its pipelines do not run, and its encoders do not compute, for the
    splits that the cache holds. Checkpoints contain the whole model, which then works on media without a cache.

    A cache of other weights, another encoder or another pipeline is refused when the training or the test starts.

    Args:
        folder: Folder of the cache.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._is_ready = False
        self._cached: dict[str, bool] = {}
        self._reads_cache = False

    def before_train(self, runner: Runner) -> None:
        """Checks the cache, when the weights are loaded, and puts it in the place of the encoders."""
        self._prepare(runner, 'train')
        if runner.val_loop is not None:
            self._prepare(runner, 'val')

    def before_val(self, runner: Runner) -> None:
        """See :meth:`before_train`."""
        self._prepare(runner, 'val')

    def before_test(self, runner: Runner) -> None:
        """See :meth:`before_train`."""
        self._prepare(runner, 'test')

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Tells the encoders where their input comes from."""
        self._reads_cache = self._cached['train']

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Tells the encoders where their input comes from."""
        self._reads_cache = self._cached['val']

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG002
        """Tells the encoders where their input comes from."""
        self._reads_cache = self._cached['test']

    def _prepare(self, runner: Runner, split: str) -> None:
        if split in self._cached:
            return
        folder = self._folder_of(runner, split)
        self._cached[split] = folder is not None
        if folder is None:
            runner.logger.info(f'{self.folder} has no {split} split: its clips are encoded')
            return
        info = read_cache(folder)
        self._check_model(runner, info, folder)
        layouts = {name: Layout.from_dict(stored) for name, stored in info['layouts'].items()}
        loader = getattr(runner, f'{split}_dataloader')
        for dataset in _leaves(loader.dataset):
            dataset.pipeline = Compose(cached_pipeline(dataset.pipeline.transforms, folder, layouts, info['settings']))
        if not self._is_ready:
            for name, layout in layouts.items():
                encoder = _model_of(runner).encoders[name]
                encoder.forward = _Forward(self, encoder, layout)  # type: ignore[method-assign]
            self._is_ready = True
        runner.logger.info(f'The outputs of the encoders of {list(layouts)} come from {folder} ({split})')

    def _folder_of(self, runner: Runner, split: str) -> Path | None:
        """Returns the folder whose clips were read by the pipeline of a split; val and test often share one."""
        if not self.folder.is_dir():
            raise FileNotFoundError(f'the cache {self.folder} does not exist: run tools/cache_encoders.py')
        wanted = pipelines_sha256(runner.cfg, split)
        own = self.folder / split
        if own.is_dir():
            if read_cache(own)['settings']['pipelines'] != wanted:
                raise ValueError(
                    f'{own} is stale: it was read by another pipeline than {split}_dataloader has now; run '
                    'tools/cache_encoders.py again'
                )
            return own
        others = [path for path in (self.folder / 'val', self.folder / 'test') if path.is_dir() and split != 'train']
        return next((path for path in others if read_cache(path)['settings']['pipelines'] == wanted), None)

    def _check_model(self, runner: Runner, info: Mapping[str, Any], folder: Path) -> None:
        model = _model_of(runner)
        if sharding_of(runner.model).is_sharded:
            raise ValueError('EncoderCacheHook needs whole encoders on every rank: use DataParallelModel')
        streams = frozen_streams(model)
        was_training = model.training
        check_can_cache(model, streams)
        model.train(was_training)
        stored = info['settings']['encoders']
        if set(stored) != set(streams):
            raise ValueError(
                f'{folder} holds the encoders of {sorted(stored)}, but those of {sorted(streams)} are frozen'
            )
        for name in streams:
            if encoder_key(model, runner.cfg, name) != stored[name]:
                raise ValueError(
                    f'{folder} is stale: its {name} encoder has other weights or another config than the model now; '
                    'load the same checkpoint, or run tools/cache_encoders.py again'
                )


class _Forward:
    """Computes an encoder from stored rows while batches come from the cache."""

    def __init__(self, hook: EncoderCacheHook, encoder: BaseEncoder, layout: Layout) -> None:
        self.hook, self.layout = hook, layout
        self.live = type(encoder).forward.__get__(encoder)

    def __call__(self, x: Stream, mask: Any = None) -> EncoderOutput:
        output: EncoderOutput = self.layout.unpack(x) if self.hook._reads_cache else self.live(x, mask)
        return output

    def __deepcopy__(self, memo: dict[int, Any]) -> _Forward:
        return self  # a moving average of the model shares the frozen encoders


def _model_of(runner: Runner) -> AudioVisualModel:
    model: Any = unwrapped(runner.model)
    checked: AudioVisualModel = model
    return checked


def _leaves(dataset: Any) -> list[Any]:
    """Returns the data sets with pipelines inside of MMEngine's wrappers."""
    inner = getattr(dataset, 'datasets', None) or ([dataset.dataset] if hasattr(dataset, 'dataset') else [])
    return [leaf for part in inner for leaf in _leaves(part)] if inner else [dataset]


def cached_pipeline(
    transforms: list[Any], folder: Path, layouts: Mapping[str, Layout], settings: Mapping[str, Any]
) -> list[Any]:
    """Returns the pipeline of a data set that reads stored rows in place of pictures and sound.

    Raises:
        ValueError: If the pipeline does not end with ``PackStreams`` or ``PackAudioVisual``.
    """
    pack = transforms[-1] if transforms else None
    if not isinstance(pack, PackStreams):
        raise ValueError(f'a cached pipeline must end with PackStreams, got {type(pack).__name__}')
    arrays = [name for name in pack.arrays if name not in layouts and not isinstance(pack, PackAudioVisual)]
    sequences = {name: key for name, key in pack.sequences.items() if name not in layouts}
    arrays += [name for name, layout in layouts.items() if not layout.is_sequence]
    sequences |= {name: name for name, layout in layouts.items() if layout.is_sequence}
    kept = [step for step in transforms[:-1] if isinstance(step, _KEPT) and getattr(step, 'stream', '') not in layouts]
    lists = [name for name, layout in layouts.items() if layout.is_sequence]
    load = LoadEncoded(folder, tuple(layouts), bool(settings['picks_one']), lists)
    return [load, *kept, PackStreams(arrays, sequences, pack.meta_keys)]


class LoadEncoded:
    """Reads the stored rows of a clip's streams.

    Args:
        folder: Folder of a split's cache.
        streams: Streams that it holds.
        picks_one: Whether one of the stored versions is drawn, as in training, or all are views.
        sequences: Streams whose views are handed on as a list, because clips differ in length.
    """

    def __init__(self, folder: Path, streams: tuple[str, ...], picks_one: bool, sequences: Sequence[str] = ()) -> None:
        self.folder, self.streams, self.picks_one, self.sequences = folder, streams, picks_one, tuple(sequences)
        self._columns: dict[str, Any] | None = None
        self._places: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_columns': None}  # a worker maps the files itself

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the rows.

        Raises:
            FileNotFoundError: If the cache does not have the clip.
        """
        columns = self._open()
        place = self._places.get(results['sample_id'])
        if place is None:
            raise FileNotFoundError(
                f'{self.folder} has no output for the clip {results["sample_id"]!r}: run tools/cache_encoders.py for '
                'this list'
            )
        for name in self.streams:
            lengths = np.asarray(columns[f'{name}{ROWS}'][place])
            edges = np.cumsum([0, *lengths])
            views = range(len(lengths))
            if self.picks_one:
                draw = results.setdefault('cached_version', int(np.random.randint(len(lengths))))
                views = range(draw, draw + 1)
            rows = columns[name][place]
            blocks = [np.asarray(rows[edges[view] : edges[view + 1]], np.float32) for view in views]
            is_sequence = name in self.sequences
            results[name] = [torch.tensor(block) for block in blocks] if is_sequence else np.stack(blocks)
            results['num_clips'] = len(blocks)
        return results

    def _open(self) -> dict[str, Any]:
        if self._columns is None:
            names = [name for stream in self.streams for name in (stream, f'{stream}{ROWS}')]
            self._columns = load_features(self.folder, ['sample_id', *names])
            ids = [str(name) for name in self._columns['sample_id']]
            self._places = {name: place for place, name in enumerate(ids)}
            if len(self._places) < len(ids):
                raise ValueError(f'{self.folder}: two clips have one name, so that a clip cannot be found by its name')
        return self._columns
