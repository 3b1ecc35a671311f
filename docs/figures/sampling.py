"""Which rank reads which clip when, and what a resumed training reads."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from quickstart import Quickstart

from hicmae_mm.datasets import SeededSampler
from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, new_figure

NUM_CLIPS, NUM_RANKS, SKIPPED = 18, 2, 4


def order(rank: int, epoch: int, skipped: int = 0) -> list[int]:
    """Clips that a rank reads in an epoch, from the place at which it begins."""
    with patch('mmengine.dataset.sampler.get_dist_info', return_value=(rank, NUM_RANKS)):
        sampler = SeededSampler(range(NUM_CLIPS), seed=0)
    sampler.set_epoch(epoch)
    sampler.skip_samples(skipped)
    return list(map(int, sampler))


def draw_sampling(_: Quickstart) -> Figure:
    """Rows of clip numbers: two ranks, two epochs, and epoch 1 resumed after some of its iterations."""
    rows = {f'epoch {epoch}, rank {rank}': order(rank, epoch) for epoch in (0, 1) for rank in range(NUM_RANKS)}
    length = NUM_CLIPS // NUM_RANKS
    rows |= {f'epoch 1 resumed, rank {rank}': order(rank, 1, SKIPPED) for rank in range(NUM_RANKS)}
    figure = new_figure(9, 3.3)
    axes = figure.subplots()
    colors = np.full((len(rows), length), np.nan)
    for y, (label, clips) in enumerate(rows.items()):
        for x, clip in enumerate(clips, start=length - len(clips)):
            colors[y, x] = int(label[-1])
            axes.text(x, y, str(clip), ha='center', va='center', fontsize=TEXT_SIZE)
    axes.imshow(colors, cmap=ListedColormap([COLORS[5], COLORS[4]]), vmin=0, vmax=1, aspect='auto', alpha=0.55)
    axes.set_yticks(range(len(rows)), rows, fontsize=TEXT_SIZE)
    axes.set_xticks(range(length), range(1, length + 1), fontsize=TEXT_SIZE - 1)
    axes.set_xlabel('clip that the rank reads (the numbers name clips)', fontsize=TEXT_SIZE)
    axes.set_xticks(np.arange(length + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which='minor', color='#FFFFFF', linewidth=3)
    axes.tick_params(which='both', length=0)
    axes.spines[:].set_visible(False)
    return figure
