"""Which tokens are hidden from the encoder: pure functions, and the transforms that draw with them.

A mask is a flat bool array over the token grid in row-major order, **True = masked**, with an exact number of masked
tokens. Functions take the generator to draw from, so that a mask can be repeated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.registry import TRANSFORMS

Rng = np.random.Generator | np.random.RandomState


def count_masked(ratio: float, num_tokens: int) -> int:
    """Number of masked tokens, ``int(ratio * num_tokens)``.

    Raises:
        ValueError: If that leaves no token visible, or masks none.
    """
    num_masked = int(ratio * num_tokens)
    if not 0 < num_masked < num_tokens:
        raise ValueError(
            f'a mask ratio of {ratio} masks {num_masked} of {num_tokens} tokens; '
            'at least one must be masked and one stay visible'
        )
    return num_masked


def random_mask(num_tokens: int, ratio: float, rng: Rng) -> np.ndarray:
    """Masks exactly ``int(ratio * num_tokens)`` tokens anywhere: ``(num_tokens,)`` bool."""
    mask = np.arange(num_tokens) >= num_tokens - count_masked(ratio, num_tokens)
    rng.shuffle(mask)
    return mask


def tube_mask(grid: tuple[int, int, int], ratio: float, rng: Rng) -> np.ndarray:
    """One random mask of a frame, repeated over time (VideoMAE, Tong et al., 2022).

    Args:
        grid: Tokens along time, height and width.
        ratio: Share of masked tokens; ``int(ratio * height * width)`` per frame are.
        rng: Generator to draw from.

    Returns:
        ``(time * height * width,)`` bool.
    """
    return np.tile(random_mask(grid[1] * grid[2], ratio, rng), grid[0])


def symmetric_window_mask(
    grid: tuple[int, int, int], ratio: float, window: tuple[int, int], symmetry: str | None, rng: Rng
) -> np.ndarray:
    """A tube mask with equally many visible tokens in every window, and those in one half of the face only.

    The frame is cut into windows of ``window`` tokens; ``int(ratio * window tokens)`` of each are masked. Faces are
    nearly symmetric, so visible tokens of one half let a model copy the other: with ``symmetry`` all of them lie in the
    left or all in the right half of their window (MAE-DFER, Sun et al., 2023).

    Args:
        grid: Tokens along time, height and width.
        ratio: Share of masked tokens.
        window: Height and width of a window; divides the grid, with symmetry its width is even.
        symmetry: ``'global'``: one half chosen for the whole frame; ``'local'``: per window; None: no halves.
        rng: Generator to draw from.

    Returns:
        ``(time * height * width,)`` bool.

    Raises:
        ValueError: If the window does not divide the grid, or a half has fewer tokens than must stay visible.
    """
    _check_window(grid, ratio, window, symmetry)
    rows, columns = window
    num_visible = rows * columns - count_masked(ratio, rows * columns)
    drawn_columns = columns // 2 if symmetry else columns
    frame = np.ones(grid[1:], dtype=bool)
    is_right = rng.random() >= 0.5 if symmetry == 'global' else False
    for top in range(0, grid[1], rows):
        for left in range(0, grid[2], columns):
            part = np.arange(rows * drawn_columns) >= num_visible
            rng.shuffle(part)
            if symmetry == 'local':
                is_right = rng.random() >= 0.5
            start = left + (drawn_columns if is_right else 0)
            frame[top : top + rows, start : start + drawn_columns] = part.reshape(rows, drawn_columns)
    return np.tile(frame.reshape(-1), grid[0])


def _check_window(grid: tuple[int, int, int], ratio: float, window: tuple[int, int], symmetry: str | None) -> None:
    if symmetry not in ('global', 'local', None):
        raise ValueError(f"symmetry must be 'global', 'local' or None, got {symmetry!r}")
    if grid[1] % window[0] or grid[2] % window[1]:
        raise ValueError(f'the window {tuple(window)} must divide the {grid[1]}x{grid[2]} tokens of a frame')
    size = window[0] * window[1]
    num_visible = size - count_masked(ratio, size)
    if symmetry and (window[1] % 2 or num_visible > size // 2):
        raise ValueError(
            f'symmetry needs windows of even width with at most half of their tokens visible, '
            f'got a window {tuple(window)} with {num_visible} of {size} visible'
        )


def _draw_rng() -> np.random.Generator:
    """A generator that depends on NumPy's global one, which the data set seeds per sample."""
    return np.random.default_rng(int(np.random.randint(0, 2**31)))


def _store(results: dict[str, Any], stream: str, mask: np.ndarray) -> dict[str, Any]:
    results.setdefault('masks', {})[stream] = mask
    return results


@TRANSFORMS.register_module()
class TubeMask(BaseTransform):
    """Puts :func:`tube_mask` into ``masks[stream]``, if the data set has that stream.

    Args:
        ratio: Share of masked tokens.
        grid: Tokens along time, height and width.
        stream: Name of the stream.
    """

    def __init__(self, ratio: float = 0.9, grid: tuple[int, int, int] = (8, 10, 10), stream: str = 'video') -> None:
        count_masked(ratio, grid[1] * grid[2])
        self.ratio = ratio
        self.grid = grid
        self.stream = stream

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the mask."""
        if self.stream not in results['streams']:
            return results
        return _store(results, self.stream, tube_mask(self.grid, self.ratio, _draw_rng()))


@TRANSFORMS.register_module()
class RandomMask(BaseTransform):
    """Puts :func:`random_mask` into ``masks[stream]``, if the data set has that stream.

    Args:
        ratio: Share of masked tokens.
        grid: Tokens along each axis; only their product counts.
        stream: Name of the stream.
    """

    def __init__(self, ratio: float = 0.8, grid: tuple[int, ...] = (16, 8), stream: str = 'audio') -> None:
        count_masked(ratio, math.prod(grid))
        self.ratio = ratio
        self.grid = grid
        self.stream = stream

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the mask."""
        if self.stream not in results['streams']:
            return results
        return _store(results, self.stream, random_mask(math.prod(self.grid), self.ratio, _draw_rng()))


@TRANSFORMS.register_module()
class SymmetricWindowMask(BaseTransform):
    """Puts :func:`symmetric_window_mask` into ``masks[stream]``, if the data set has that stream.

    Args:
        ratio: Share of masked tokens.
        grid: Tokens along time, height and width.
        window: Height and width of a window, in tokens.
        symmetry: ``'global'``, ``'local'`` or None.
        stream: Name of the stream.
    """

    def __init__(
        self,
        ratio: float = 0.9,
        grid: tuple[int, int, int] = (8, 10, 10),
        window: tuple[int, int] = (5, 10),
        symmetry: str | None = 'global',
        stream: str = 'video',
    ) -> None:
        _check_window(grid, ratio, window, symmetry)
        self.ratio = ratio
        self.grid = grid
        self.window = window
        self.symmetry = symmetry
        self.stream = stream

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the mask."""
        if self.stream not in results['streams']:
            return results
        mask = symmetric_window_mask(self.grid, self.ratio, self.window, self.symmetry, _draw_rng())
        return _store(results, self.stream, mask)
