"""Masks of tokens that a decoder does not predict, whose cells run through a pattern over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.transforms.masking import Rng, count_masked, draw_rng, store_mask
from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import decoder_mask_name


def running_cell_masks(grid: tuple[int, int, int], ratio: float) -> np.ndarray:
    """Returns all four masks whose cells of 2x2 tokens run through one pattern from time step to time step.

    A cell hides ``int(4 * ratio)`` of its tokens. They move on by one place of the cell at every step, so that no token
    is hidden at all steps (VideoMAE V2, Wang et al., 2023; AVF-MAE++, Wu et al., 2025).

    Args:
        grid: Numbers of tokens along time, height and width; height and width are even.
        ratio: Share of masked tokens; with cells of four tokens, 0.25, 0.5 and 0.75 are possible.

    Returns:
        ``(4, time * height * width)`` bool.

    Raises:
        ValueError: If the cells do not fit the grid, or the ratio hides no token of a cell or all of them.

    Example:
        >>> running_cell_masks((2, 2, 2), 0.5)[0].reshape(2, 2, 2).astype(int).tolist()
        [[[1, 0], [0, 1]], [[0, 0], [1, 1]]]
    """
    steps, height, width = grid
    if height % 2 or width % 2:
        raise ValueError(f'cells of 2x2 tokens do not fit the {height}x{width} tokens of a frame; both must be even')
    ring = np.arange(4) < count_masked(ratio, 4)
    shift = np.arange(4)[:, None] + np.arange(steps) + 1  # (4, T): masks start at different places
    cells = ring[(np.arange(4) + shift[..., None]) % 4].reshape(4, steps, 2, 2)
    return np.tile(cells, (1, 1, height // 2, width // 2)).reshape(4, -1)


def running_cell_mask(grid: tuple[int, int, int], ratio: float, rng: Rng) -> np.ndarray:
    """Draws one of :func:`running_cell_masks`: ``(time * height * width,)`` bool."""
    draw = rng.integers if isinstance(rng, np.random.Generator) else rng.randint
    mask: np.ndarray = running_cell_masks(grid, ratio)[draw(4)]
    return mask


@TRANSFORMS.register_module()
class RunningCellMask(BaseTransform):
    """Adds the mask of :func:`running_cell_mask` for the decoder of a stream, if the sample has this stream.

    The decoder then predicts only the tokens that the mask leaves, and those count of them that the encoder did not
    see. This saves time and memory in pre-training (VideoMAE V2, Wang et al., 2023).

    Required key: ``streams``. Changed key: ``masks``.

    Args:
        ratio: Share of tokens that are not predicted: 0.25, 0.5 or 0.75.
        grid: Numbers of tokens along time, height and width.
        stream: Name of the stream.

    Raises:
        ValueError: If there is an error as in :func:`running_cell_masks`.

    Example:
        >>> results = RunningCellMask(ratio=0.5, grid=(2, 2, 2))(dict(streams=('video',)))
        >>> [(name, int(mask.sum())) for name, mask in results['masks'].items()]
        [('decoders.video', 4)]
    """

    def __init__(self, ratio: float = 0.5, grid: tuple[int, int, int] = (8, 10, 10), stream: str = 'video') -> None:
        running_cell_masks(grid, ratio)
        self.ratio = ratio
        self.grid = grid
        self.stream = stream

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the mask."""
        if self.stream not in results['streams']:
            return results
        mask = running_cell_mask(self.grid, self.ratio, draw_rng())
        return store_mask(results, decoder_mask_name(self.stream), mask)
