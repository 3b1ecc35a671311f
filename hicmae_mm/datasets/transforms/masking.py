"""Masks of tokens that the encoder does not see: pure functions, and the transforms that call them.

A mask is a flat bool array over the token grid in row-major order, **True = masked**. The number of masked tokens is
exact. The functions take the random generator as an argument, so that a mask can be repeated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import decoder_mask_name

Rng = np.random.Generator | np.random.RandomState


def count_masked(ratio: float, num_tokens: int) -> int:
    """Returns the number of masked tokens, ``int(ratio * num_tokens)``.

    Raises:
        ValueError: If no token would be masked, or no token would stay visible.

    Example:
        >>> count_masked(0.9, 100)
        90
    """
    num_masked = int(ratio * num_tokens)
    if not 0 < num_masked < num_tokens:
        raise ValueError(
            f'a mask ratio of {ratio} masks {num_masked} of {num_tokens} tokens; '
            'at least one must be masked and one stay visible'
        )
    return num_masked


def random_mask(num_tokens: int, ratio: float, rng: Rng) -> np.ndarray:
    """Masks exactly ``int(ratio * num_tokens)`` random tokens.

    Returns:
        ``(num_tokens,)`` bool.
    """
    mask = np.arange(num_tokens) >= num_tokens - count_masked(ratio, num_tokens)
    rng.shuffle(mask)
    return mask


def tube_mask(grid: tuple[int, int, int], ratio: float, rng: Rng) -> np.ndarray:
    """Draws a random mask of one frame and repeats it over time (VideoMAE, Tong et al., 2022).

    Args:
        grid: Numbers of tokens along time, height and width.
        ratio: Share of masked tokens; ``int(ratio * height * width)`` tokens per frame are masked.
        rng: Random generator.

    Returns:
        ``(time * height * width,)`` bool.
    """
    return np.tile(random_mask(grid[1] * grid[2], ratio, rng), grid[0])


def symmetric_window_mask(
    grid: tuple[int, int, int], ratio: float, window: tuple[int, int], symmetry: str | None, rng: Rng
) -> np.ndarray:
    """Draws a tube mask with the same number of visible tokens in every window, in one half of each window.

    The frame is divided into windows of ``window`` tokens; ``int(ratio * window tokens)`` of each are masked. Faces are
    nearly symmetric, so a model could copy masked tokens of one half from visible tokens of the other half. With
    ``symmetry`` all visible tokens of a window lie in its left half, or all in its right half (MAE-DFER, Sun et al.,
    2023).

    Args:
        grid: Numbers of tokens along time, height and width.
        ratio: Share of masked tokens.
        window: Height and width of a window in tokens. They divide the grid; with ``symmetry`` the width is even.
        symmetry: ``'global'`` draws one half for the whole frame, ``'local'`` draws one for each window, and None
            does not restrict the visible tokens to a half.
        rng: Random generator.

    Returns:
        ``(time * height * width,)`` bool.

    Raises:
        ValueError: If ``symmetry`` is unknown, the window does not divide the grid, or half of a window has fewer
            tokens than must stay visible.
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


def draw_rng() -> np.random.Generator:
    """Makes a generator whose seed is drawn from NumPy's global generator, which the data set seeds per sample."""
    return np.random.default_rng(int(np.random.randint(0, 2**31)))


def store_mask(results: dict[str, Any], name: str, mask: np.ndarray) -> dict[str, Any]:
    """Puts a mask into the results of a pipeline."""
    results.setdefault('masks', {})[name] = mask
    return results


@TRANSFORMS.register_module()
class TubeMask(BaseTransform):
    """Adds the mask of :func:`tube_mask` as ``masks[stream]``, if the sample has this stream.

    Required key: ``streams``. Changed key: ``masks``.

    Args:
        ratio: Share of masked tokens.
        grid: Numbers of tokens along time, height and width.
        stream: Name of the stream.

    Raises:
        ValueError: If the ratio masks no token or all tokens.

    Example:
        >>> results = TubeMask(ratio=0.75, grid=(2, 2, 2))(dict(streams=('video',)))
        >>> mask = results['masks']['video'].reshape(2, 4)
        >>> int(mask.sum()), bool((mask[0] == mask[1]).all())  # the same places at both times
        (6, True)
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
        return store_mask(results, self.stream, tube_mask(self.grid, self.ratio, draw_rng()))


@TRANSFORMS.register_module()
class RandomMask(BaseTransform):
    """Adds the mask of :func:`random_mask` as ``masks[stream]``, if the sample has this stream.

    Required key: ``streams``. Changed key: ``masks``.

    Args:
        ratio: Share of masked tokens.
        grid: Numbers of tokens along each axis. Only their product matters.
        stream: Name of the stream.
        for_decoder: Whether it is the mask of the stream's decoder, which then predicts only the tokens that the mask
            leaves, instead of all that the encoder's mask hides.

    Raises:
        ValueError: If the ratio masks no token or all tokens.

    Example:
        >>> results = RandomMask(ratio=0.75, grid=(4, 2))(dict(streams=('audio',)))
        >>> results['masks']['audio'].shape, int(results['masks']['audio'].sum())
        ((8,), 6)
    """

    def __init__(
        self,
        ratio: float = 0.8,
        grid: tuple[int, ...] = (16, 8),
        stream: str = 'audio',
        for_decoder: bool = False,
    ) -> None:
        count_masked(ratio, math.prod(grid))
        self.ratio = ratio
        self.grid = grid
        self.stream = stream
        self.name = decoder_mask_name(stream) if for_decoder else stream

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the mask."""
        if self.stream not in results['streams']:
            return results
        return store_mask(results, self.name, random_mask(math.prod(self.grid), self.ratio, draw_rng()))


@TRANSFORMS.register_module()
class SymmetricWindowMask(BaseTransform):
    """Adds the mask of :func:`symmetric_window_mask` as ``masks[stream]``, if the sample has this stream.

    Required key: ``streams``. Changed key: ``masks``.

    Args:
        ratio: Share of masked tokens.
        grid: Numbers of tokens along time, height and width.
        window: Height and width of a window in tokens.
        symmetry: ``'global'``, ``'local'`` or None.
        stream: Name of the stream.

    Raises:
        ValueError: If there is an error as in :func:`symmetric_window_mask`.
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
        mask = symmetric_window_mask(self.grid, self.ratio, self.window, self.symmetry, draw_rng())
        return store_mask(results, self.stream, mask)
