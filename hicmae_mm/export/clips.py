"""Read real clips to compare an exported model with the eager model."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor

from hicmae_mm.config.collation import Collate, collate_of
from hicmae_mm.datasets import AudioVisualDataset
from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK
from hicmae_mm.datasets.synthetic.noise import write_noise_clips
from hicmae_mm.export.recognizer import prepare_inputs
from hicmae_mm.export.token_ids import rows_of
from hicmae_mm.models.recognizer import AudioVisualRecognizer
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import Padded, SkippedSample, Stream

SOUND_SUFFIXES = ('.wav', '.flac')
_NOISE_CLIPS, _NOISE_SECONDS = 2, 3.0


def data_settings(cfg: Config) -> dict[str, Any]:
    """Finds the config of the test data set, or of the validation data set if there is no test.

    Args:
        cfg: Resolved config.

    Returns:
        Config of the data set. If it is inside of MMEngine's wrappers, it is the first inner one.

    Raises:
        ValueError: If the config has neither test nor validation data.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if not loader:
        raise ValueError('the config has no test_dataloader, but its pipeline must read real clips; see --no-check')
    settings = loader['dataset']
    while 'pipeline' not in settings and ('datasets' in settings or 'dataset' in settings):
        settings = settings['datasets'][0] if 'datasets' in settings else settings['dataset']
    return dict(settings)


def read_views(
    model: AudioVisualRecognizer, cfg: Config, count: int, media: Sequence[str | Path] = ()
) -> tuple[dict[str, Stream], str]:
    """Reads views of real clips with the test pipeline of the config, and normalises them.

    Args:
        model: The model, which determines the streams and the data preprocessor.
        cfg: Resolved config.
        count: Number B of views. If the clips have fewer views, the views are repeated.
        media: Videos, folders of frames or sound files. The sound of a video is the sound file of the same name beside
            it, or its own sound track. Without ``media`` the test data of the config are used. If they do not exist,
            noise is used (two folders of 256x256 JPEG frames with a WAV file each).

    Returns:
        ``(B, ...)`` by stream, and a description of the source of the clips.

    Raises:
        FileNotFoundError: If a file of ``media`` does not exist.
        ValueError: If no clip could be read, the clips differ in length of another stream than text, or the model has
            streams that ``media`` do not have.
    """
    settings = data_settings(cfg)
    others = sorted(set(model.encoders) - {'video', 'audio'})
    with tempfile.TemporaryDirectory() as folder:
        annotated = Path(settings.get('data_root') or '') / str(settings['ann_file'])
        if not media and annotated.is_file():
            dataset, source = DATASETS.build(settings), str(annotated)
        elif others:
            raise ValueError(
                f'the model reads {", ".join(others)}, which neither --media nor noise has: provide the test data '
                f'{annotated}, or skip the comparison by --no-check'
            )
        elif media:
            dataset, source = _dataset(settings, model, _list_media(media, model, Path(folder))), 'the given media'
        else:
            noise = write_noise_clips(folder, as_video=False, num_clips=_NOISE_CLIPS, seconds=_NOISE_SECONDS)
            dataset, source = _dataset(settings, model, noise), 'noise, 256x256 JPEG + wav'
        batches = list(_read(dataset, model, count, collate_of(cfg)))
    if not batches:
        raise ValueError(f'no clip of {source} could be read')
    views = {name: _join(name, [batch[name] for batch in batches], source) for name in batches[0]}
    return rows_of(views, torch.arange(count) % next(iter(views.values())).shape[0]), source


def _join(name: str, parts: Sequence[Stream], source: str) -> Stream:
    """Joins the views of one stream."""
    if any(isinstance(part, Padded) for part in parts):
        return Padded.cat([part for part in parts if isinstance(part, Padded)])
    shapes = sorted({tuple(part.shape[1:]) for part in parts})
    if len(shapes) > 1:
        raise ValueError(
            f'clips of {source} differ in the length of {name} ({shapes[0]} and {shapes[-1]}), and an exported '
            'model takes one length: give --media of one length, or of at least max_seconds of WholeTrack'
        )
    return torch.cat([part for part in parts if isinstance(part, Tensor)])


def _read(dataset: Any, model: AudioVisualRecognizer, count: int, collate: Collate) -> Iterator[dict[str, Stream]]:
    for index in range(len(dataset)):
        sample = dataset[index]
        if isinstance(sample, SkippedSample):
            continue
        inputs = prepare_inputs(model, collate([sample]))
        yield inputs
        count -= next(iter(inputs.values())).shape[0]
        if count <= 0:
            return


def _dataset(settings: Mapping[str, Any], model: AudioVisualRecognizer, ann_file: Path) -> AudioVisualDataset:
    """Makes a data set of unlabelled clips with the pipeline of other settings."""
    streams = tuple(name for name in ('video', 'audio') if name in model.encoders)
    return AudioVisualDataset(
        str(ann_file), settings['pipeline'], data_root=str(ann_file.parent), task='unlabelled', streams=streams
    )


def _list_media(media: Sequence[str | Path], model: AudioVisualRecognizer, folder: Path) -> Path:
    records = []
    for name in media:
        path = Path(name).expanduser().resolve()
        if not path.exists():
            raise FileNotFoundError(f'{name} does not exist')
        if path.suffix.lower() in SOUND_SUFFIXES:
            if 'video' in model.encoders:
                raise ValueError(f'{name} is a sound file, but the model needs video: give videos')
            records.append({'video': OWN_SOUND_TRACK, 'audio': str(path)})
            continue
        beside = [path.with_suffix(suffix) for suffix in SOUND_SUFFIXES if path.with_suffix(suffix).is_file()]
        records.append({'video': str(path), 'audio': str(beside[0]) if beside else OWN_SOUND_TRACK})
    ann_file = folder / 'media.json'
    ann_file.write_text(json.dumps({'metainfo': {}, 'data_list': records}), encoding='utf-8')
    return ann_file
