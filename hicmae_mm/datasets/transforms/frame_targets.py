"""Targets per frame."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.arrays import load_array
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.text_files import read_text, text_lines
from hicmae_mm.datasets.transforms.sources import cell_of, path_below
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadFrameTargets(BaseTransform):
    """Reads targets that a file lists frame by frame, such as expressions, valence and arousal, or action units.

    The column names a ``.npy`` file, ``(T,)`` or ``(T, D)``, or a text file with one line per frame, whose first line
    may name the columns (commas, tabs or spaces); or it holds the list itself (JSON, Parquet). If frames of a video
    were chosen before (``SampleClips``), the targets of these frames are taken.

    Added key: ``targets[name]``, which heads of level ``'frame'`` read (``target=name``): ``(T,)`` or ``(T, D)``, int64
    or float32.

    Args:
        field: Column of the list.
        name: Name of the target; None takes the name of the column.
        ignore: Value of entries that do not count. Frames without a target get it, too.
        num_steps: Number of time steps of the target, or the key of a sequence in the results that has as many. A step
            gets the target of the frame in its middle. None keeps one step per frame.

    Raises:
        ValueError: If ``num_steps`` is below 1.

    Example:
        >>> load = LoadFrameTargets('expression', num_steps=2)
        >>> load(dict(columns=dict(expression=[0, 0, 0, 3, 3, 3])))['targets']['expression']
        array([0, 3])
    """

    reads_targets = True  # own media have no targets, so inference leaves this step out

    def __init__(
        self,
        field: str,
        name: str | None = None,
        ignore: float | None = None,
        num_steps: int | str | None = None,
    ) -> None:
        if isinstance(num_steps, int) and num_steps < 1:
            raise ValueError(f'num_steps must be at least 1, got {num_steps}')
        self.field, self.name, self.ignore, self.num_steps = field, name or field, ignore, num_steps

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the target.

        Raises:
            FileNotFoundError: If there is no such file.
            MediaError: If the file is malformed, or lacks frames and there is no ``ignore``.
            ValueError: If the list has no such column, or the clip has several views.
        """
        cell = cell_of(results, self.field)
        targets = _as_targets(_read(Path(path_below(results, cell, self.field))) if isinstance(cell, str) else cell)
        if 'frame_inds' in results:
            if results.get('num_clips', 1) > 1:
                raise ValueError('targets per frame need one view of a clip; set num_clips=1 in SampleClips')
            targets = self._of_frames(targets, np.asarray(results['frame_inds']) + results.get('first_frame', 0))
        if self.num_steps is not None:
            num_steps = len(results[self.num_steps]) if isinstance(self.num_steps, str) else self.num_steps
            middles = (np.arange(num_steps) + 0.5) * len(targets) / num_steps
            targets = targets[middles.astype(np.int64)]
        results['targets'] = {**results.get('targets', {}), self.name: targets}
        return results

    def _of_frames(self, targets: np.ndarray, frames: np.ndarray) -> np.ndarray:
        exists = frames < len(targets)
        if exists.all():
            chosen: np.ndarray = targets[frames]
            return chosen
        if self.ignore is None:
            raise MediaError(
                f'{self.field} has targets of {len(targets)} frames, and frame {int(frames.max())} was chosen; set '
                'ignore to leave such frames out'
            )
        chosen = targets[np.where(exists, frames, 0)]
        chosen[~exists] = self.ignore
        return chosen


def _as_targets(values: Any) -> np.ndarray:
    try:
        targets = np.asarray(values)
    except ValueError as error:
        raise MediaError(f'rows of targets must have one length ({error})') from error
    if targets.dtype.kind not in 'biuf' or targets.ndim not in (1, 2) or not targets.size:
        raise MediaError(f'expected numbers (T,) or (T, D) as targets, got {targets.dtype} {targets.shape}')
    if not np.isfinite(targets).all():
        raise MediaError(
            'the targets of frames are not all finite numbers; write the value of ignore where one is missing'
        )
    return targets.astype(np.float32 if targets.dtype.kind == 'f' else np.int64)


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f'the targets {path} do not exist')
    try:
        if path.suffix.lower() == '.npy':
            return load_array(path)
        return _read_text(path)
    except (ValueError, OSError, EOFError) as error:
        raise MediaError(f'{path}: targets of frames cannot be read ({error})') from error


def _read_text(path: Path) -> np.ndarray:
    lines = [line.strip() for line in text_lines(read_text(path)) if line.strip()]
    mark = next((mark for mark in ',;\t' if any(mark in line for line in lines[:2])), ' ')
    rows = [[cell for cell in row if cell.strip()] for row in csv.reader(lines, delimiter=mark)]
    if rows and not all(map(_is_number, rows[0])):
        rows = rows[1:]  # names of the columns
    if not rows or len({len(row) for row in rows}) > 1:
        raise ValueError('expected one line of equally many numbers per frame')
    try:
        numbers = np.array([[int(cell) for cell in row] for row in rows], np.int64)
    except ValueError:
        numbers = np.array([[float(cell) for cell in row] for row in rows], np.float32)
    return numbers[:, 0] if numbers.shape[1] == 1 else numbers  # (T, 1) -> (T,)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
