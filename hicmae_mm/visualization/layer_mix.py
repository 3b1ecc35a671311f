"""Shows how much of every encoder layer goes into the feature of a clip."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, TITLE_SIZE, new_figure

# the mix is a part of HierarchicalFeatureAggregator, or of IterativeCorrelationFusion(overall='layers')
_MIX = re.compile(r'(?:module\.)?(?:aggregator|fusion)\.layer_weights\.(.+)')


def layer_mixes(state_dict: Mapping[str, Tensor], source: str) -> dict[str, np.ndarray]:
    """Returns the learned mix of a recognizer's weights: shares ``(L,)`` by stream, which sum to 1.

    Args:
        state_dict: State of a model whose aggregator or fusion mixes the layers of the encoders.
        source: Named in the error.

    Raises:
        ValueError: If the weights have no layer mix.
    """
    matches = ((_MIX.fullmatch(name), weights) for name, weights in state_dict.items())
    found = {match[1]: weights.double().softmax(dim=0).numpy() for match, weights in matches if match}
    if not found:
        raise ValueError(
            f'{source} has no aggregator.layer_weights.*: a layer mix is learned by fine-tuning with the '
            "HierarchicalFeatureAggregator or with IterativeCorrelationFusion(overall='layers')"
        )
    return found


def draw_layer_mixes(
    mixes: Mapping[str, Mapping[str, np.ndarray]], title: str = '', figure: Figure | None = None
) -> Figure:
    """Draws a panel per stream with bars per layer, beside one another for several models.

    Args:
        mixes: Shares ``(L,)`` by model and stream.
        title: Put above the picture.
        figure: Drawn into this one if given.

    Raises:
        ValueError: If there is no model.
    """
    if not mixes:
        raise ValueError('no layer mix to draw')
    streams = list(dict.fromkeys(stream for parts in mixes.values() for stream in parts))
    figure = new_figure(4.8 * len(streams) + 0.4, 3.6 + (0.3 if title else 0) + (0.3 if len(mixes) > 1 else 0), figure)
    figure.suptitle(title, fontsize=TITLE_SIZE)
    cells = figure.subplots(1, len(streams), squeeze=False, sharey=True)[0]
    width = 0.8 / len(mixes)
    for cell, stream in zip(cells, streams):
        depth = max(len(parts[stream]) for parts in mixes.values() if stream in parts)
        for place, (model, parts) in enumerate(mixes.items()):
            if stream in parts:
                x = np.arange(len(parts[stream])) + (place - (len(mixes) - 1) / 2) * width
                color = COLORS[place % len(COLORS)]
                cell.bar(x, 100 * parts[stream], width, label=model, color=color, edgecolor='white', linewidth=0.5)
        cell.axhline(100 / depth, color='black', linestyle='--', linewidth=1)
        cell.set_title(f'{stream} encoder', fontsize=TEXT_SIZE)
        cell.set_xlabel('layer (0 = first)', fontsize=TEXT_SIZE)
        cell.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
        cell.tick_params(labelsize=TEXT_SIZE - 1)
        cell.spines[['top', 'right']].set_visible(False)
    cells[0].set_ylabel('share in the mix (%)', fontsize=TEXT_SIZE)
    if len(mixes) > 1:
        handles, texts = cells[0].get_legend_handles_labels()
        figure.legend(handles, texts, loc='outside lower center', ncols=min(4, len(texts)), frameon=False)
    return figure
