"""Features of long recordings with a row for each frame, for models that predict every frame (ABAW)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.apis.encoded import EncoderFeatures
from hicmae_mm.apis.encoders import LoadedEncoder
from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.clips.listed import read_listed_clips
from hicmae_mm.datasets.clips.media import OpenClip, Timeline
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.features.parts import MADE_BY, claim
from hicmae_mm.features.weights import weights_sha256
from hicmae_mm.utils.files import replaced_file


def frame_rows(features: EncoderFeatures, middles: np.ndarray, layer: int = -1) -> np.ndarray:
    """Returns a row for each frame: the steps, interpolated linearly between their middles.

    Frames before the first middle get the first step, and those after the last one the last step.

    Args:
        features: T steps of a recording.
        middles: ``(N,)``, the middle of each frame (seconds).
        layer: Number of the layer; -1 is the last one.

    Returns:
        ``(N, D)`` float32.

    Example:
        >>> import torch
        >>> steps = torch.tensor([[0.0], [4.0]])  # from 0 to 0.4 s, and from 0.4 to 0.8 s
        >>> features = EncoderFeatures(steps.mean(0), steps, steps[None], torch.tensor([0.0, 0.4]))
        >>> frame_rows(features, np.array([0.1, 0.3, 0.5, 0.7])).ravel().round(4).tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    steps = features.layers[layer].numpy()
    starts = features.times.numpy().astype(float)
    lengths = np.diff(starts)
    last = float(np.median(lengths)) if len(lengths) else 0.0
    places = np.interp(middles, starts + np.append(lengths, last) / 2, np.arange(len(steps)))  # (N,)
    before = np.floor(places).astype(int)
    after = np.minimum(before + 1, len(steps) - 1)
    shares = (places - before)[:, None]
    rows: np.ndarray = (steps[before] * (1 - shares) + steps[after] * shares).astype(np.float32)
    return rows


def read_recordings(lists: Sequence[Path], name_column: str = 'recording') -> dict[str, dict[str, Any]]:
    """Reads which recordings the rows of lists are windows of.

    Args:
        lists: Annotation lists with named columns.
        name_column: Column with the name of the recording.

    Returns:
        Paths ``video`` and ``audio`` by the name of each recording, in the order of the lists.

    Raises:
        ValueError: If a row has no name or one with "..", or two rows of one recording have different media.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in lists:
        for row in read_listed_clips(path, (name_column,)):
            name = str(row.given.get(name_column, ''))
            if not name or '..' in Path(name).parts:
                raise ValueError(f'{row.place}: {name_column!r} must be the name of a recording, got {name!r}')
            media: dict[str, Any] = {stream: row.given[stream] for stream in ('video', 'audio') if stream in row.given}
            if found.setdefault(name, media) != media:
                raise ValueError(f'{row.place}: the recording {name!r} has other media than in an earlier row')
    return found


def write_frame_features(
    encoder: LoadedEncoder,
    recordings: Mapping[str, Mapping[str, Any]],
    folder: Path,
    layer: int = -1,
    fps: float | None = None,
    batch_size: int = 8,
    force: bool = False,
) -> Iterator[tuple[str, str]]:
    """Writes ``RECORDING.npy`` with a row for each frame of the pictures. Files that are there are kept.

    Args:
        encoder: Encoder of sound or pictures.
        recordings: ``video`` and ``audio`` of each recording by its name.
        folder: Folder of the features. It belongs to one encoder and one layer.
        layer: Number of the layer; -1 is the last one.
        fps: Frame rate of folders of pictures; None means 25.
        batch_size: Number of windows that are encoded at once.
        force: Whether to delete what is there, and write everything again.

    Yields:
        The name of each recording, and the reason why it has no features, which is empty if it has them.

    Raises:
        ValueError: If the folder has features of another encoder or layer, or other files, or there is no such layer.
    """
    depth = encoder.encoder.depth
    if not -depth <= layer < depth:
        raise ValueError(f'layer={layer}, but the encoder has the layers 0 to {depth - 1}')
    weights = weights_sha256(encoder.encoder.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    settings = dict(made_by=MADE_BY, level='every frame', stream=encoder.stream, layer=layer % depth)
    claim(folder, settings | dict(weights_sha256=weights), force)
    for name, media in recordings.items():
        file = folder / f'{name.lstrip("/")}.npy'
        if file.is_file():
            yield name, ''
            continue
        try:
            rows = _rows(encoder, dict(media, name=name, **({} if fps is None else dict(fps=fps))), layer, batch_size)
        except (FileNotFoundError, MediaError) as error:
            yield name, str(error)
            continue
        with replaced_file(file) as unfinished, unfinished.open('wb') as target:
            np.save(target, rows)
        yield name, ''


def _rows(encoder: LoadedEncoder, media: Mapping[str, Any], layer: int, batch_size: int) -> np.ndarray:
    with OpenClip(as_clips([media])[0], ('video',)) as opened:
        if opened.video is None:
            raise MediaError(f'{media["name"]} has no frames: {opened.missing["video"]}')
        timeline = Timeline(opened.video)
        spans = np.array([timeline.frame_seconds(index) for index in range(timeline.num_frames)])
    features = encoder(media, batch_size=batch_size)
    assert isinstance(features, EncoderFeatures)
    return frame_rows(features, spans.mean(axis=1), layer)
