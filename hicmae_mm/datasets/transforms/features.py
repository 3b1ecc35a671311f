"""Streams of features that another program extracted."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.arrays import load_array
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.folders import numeric_order
from hicmae_mm.datasets.stored_features import INFO_FILE, open_stored_feature
from hicmae_mm.datasets.transforms.sources import cell_of, path_below
from hicmae_mm.registry import TRANSFORMS

LEVELS = ('clip', 'frame')


@TRANSFORMS.register_module()
class LoadFeature(BaseTransform):
    """Reads the feature of a clip: one vector, or a sequence of vectors.

    The source is one of these:

    * a folder that ``tools/extract_features.py`` wrote, of any format;
    * a folder of files per clip, such as MERTools' ``NAME-UTT`` and ``NAME-FRA``: ``CLIP.npy``, or a folder ``CLIP`` of
      one ``.npy`` per frame. CLIP is the name of the sample, with or without its folders and its ending;
    * a column of the list with the path of a ``.npy`` file.

    A feature that is in memory already, ``features[stream]`` of the results, goes before all of these.

    Without the stream nothing happens. Required key: ``streams``. Added key: the name of the stream. At level
    ``'clip'`` it holds ``(V, D)`` float32, one copy for each view, which ``PackStreams(arrays=...)`` packs. At level
    ``'frame'`` it holds ``(T, D)``, which ``PackStreams(sequences=...)`` packs.

    Args:
        stream: Name of the stream.
        source: Folder of the features, absolute or below the data set's ``data_root``; None reads the path from the
            column that has the name of the stream.
        level: ``'clip'``, a vector per clip, which is the mean of stored rows; or ``'frame'``, a sequence.
        column: Column of a folder by ``extract_features.py``; None takes the only one.
        name_column: Column of the list with the name under which the feature is stored, such as that of the recording
            of which the sample is a window. ``'video'`` and ``'audio'`` are the paths of the media. None means the name
            of the sample.

    Raises:
        ValueError: If the level is unknown.
    """

    def __init__(
        self,
        stream: str,
        source: str | None = None,
        level: str = 'clip',
        column: str | None = None,
        name_column: str | None = None,
    ) -> None:
        if level not in LEVELS:
            raise ValueError(f'level must be one of {LEVELS}, got {level!r}')
        self.stream, self.source, self.level, self.column = stream, source, level, column
        self.name_column = name_column

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the feature.

        Raises:
            FileNotFoundError: If the feature of the clip is missing.
            MediaError: If it is damaged, or has another shape than a vector or a sequence of vectors.
        """
        if self.stream not in results['streams']:
            return results
        feature, name = self._read(results)
        if feature.ndim not in (1, 2) or not feature.size or feature.dtype.kind not in 'fiu':
            raise MediaError(
                f'{name}: expected numbers (D,) or (T, D), got {feature.dtype} {feature.shape}; extract it again'
            )
        feature = feature.astype(np.float32)
        if not np.isfinite(feature).all():
            raise MediaError(f'{name}: the feature has values that are not finite; extract it again')
        if self.level == 'frame':
            results[self.stream] = np.atleast_2d(feature)  # (D,) or (T, D) -> (T, D)
        else:
            vector = feature if feature.ndim == 1 else feature.mean(axis=0)
            results[self.stream] = np.repeat(vector[None], results.get('num_clips', 1), axis=0)  # (V, D)
        return results

    def _read(self, results: dict[str, Any]) -> tuple[np.ndarray, str]:
        """Returns the stored array and its name for messages."""
        if self.stream in results.get('features', {}):
            return results['features'][self.stream], self.stream
        if self.source is None:
            path = Path(path_below(results, str(cell_of(results, self.stream)), self.stream))
            return load_feature_file(path), str(path)
        folder = Path(path_below(results, self.source, self.stream))
        return feature_of_clip(folder, self._name(results), self.column)

    def _name(self, results: dict[str, Any]) -> str:
        if self.name_column is None:
            return str(results['sample_id'])
        path = results.get(f'{self.name_column}_path') if self.name_column in ('video', 'audio') else None
        return str(cell_of(results, self.name_column)) if path is None else str(path)


def feature_of_clip(folder: Path, name: str, column: str | None = None) -> tuple[np.ndarray, str]:
    """Reads the feature of a clip from a folder.

    Args:
        folder: Folder that ``tools/extract_features.py`` wrote, or of files per clip; see :class:`LoadFeature`.
        name: Name of the clip.
        column: Column of a folder by ``extract_features.py``; None takes the only one.

    Returns:
        The stored array, and its name for messages.

    Raises:
        FileNotFoundError: If there is no folder, or it has no feature of the clip.
        MediaError: If the feature is damaged.
    """
    if (folder / INFO_FILE).is_file():
        stored = open_stored_feature(str(folder), column)
        feature = next((found for part in (name, *_names(name)) if (found := stored.of(part)) is not None), None)
        if feature is None:
            raise FileNotFoundError(
                f'{folder} has no feature of the clip {name!r}; extract those of this list, or check the name of the '
                'clip, which is sample_id in a table'
            )
        return np.asarray(feature), f'{folder}, {name}'
    if not folder.is_dir():
        raise FileNotFoundError(f'the folder of features {folder} does not exist; check source and data_root')
    candidates = _names(name)
    for candidate in candidates:
        file = folder / f'{candidate}.npy'
        if file.is_file():
            return load_feature_file(file), str(file)
    for candidate in candidates:
        if (folder / candidate).is_dir():
            return _load_frames(folder / candidate), str(folder / candidate)
    if next(folder.rglob('*.npy'), None) is None:
        raise FileNotFoundError(f'{folder} has no .npy file; extract the features, or check source and data_root')
    raise FileNotFoundError(
        f'{folder} has no feature of the clip {name!r}: no {candidates[0]}.npy; extract it, or check the name of the '
        'clip, which is sample_id in a table'
    )


def _names(sample_id: str) -> list[str]:
    """Returns the names that the files of a clip may have, the most precise first."""
    path = PurePosixPath(sample_id.lstrip('/'))
    paths = [path] if '@' in path.name else [path, path.with_name(path.stem)]
    return list(dict.fromkeys([str(path) for path in paths if '..' not in path.parts] + [path.name for path in paths]))


def load_feature_file(path: Path) -> np.ndarray:
    """Reads the array of a ``.npy`` file.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If it has no array.
    """
    if not path.is_file():
        raise FileNotFoundError(f'the feature {path} does not exist')
    try:
        array = load_array(path)
    except (ValueError, OSError, EOFError) as error:
        raise MediaError(f'{path}: not a .npy file that can be read ({error}); extract it again') from error
    return array.squeeze(0) if array.ndim == 3 and len(array) == 1 else array  # a batch of one clip


def _load_frames(folder: Path) -> np.ndarray:
    paths = sorted(folder.glob('*.npy'), key=lambda path: numeric_order(path.name))
    frames = [load_feature_file(path).reshape(-1) for path in paths]
    if not frames:
        raise MediaError(f'{folder}: the folder has no .npy file')
    if len({len(frame) for frame in frames}) > 1:
        raise MediaError(f'{folder}: the features of the frames differ in length')
    return np.stack(frames)
