"""Features of many clips in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from hicmae_mm.visualization.style import COLORS, MARKERS, TEXT_SIZE, TITLE_SIZE, new_figure

METHODS = ('tsne', 'pca')


def embed(features: np.ndarray, method: str = 'tsne', perplexity: float = 30.0, seed: int = 0) -> np.ndarray:
    """Features ``(N, D)`` in two dimensions ``(N, 2)``.

    Args:
        features: Features of the clips.
        method: ``'tsne'`` keeps neighbours together (distances between groups mean little), ``'pca'`` is linear.
        perplexity: Perplexity of t-SNE, about the number of neighbours. It is at most a third of the number of clips.
        seed: Seed of t-SNE.

    Raises:
        ValueError: If the method is unknown, or there are fewer than 4 clips.
    """
    if method not in METHODS:
        raise ValueError(f'method must be one of {METHODS}, got {method!r}')
    if len(features) < 4:
        raise ValueError(f'{len(features)} clips are too few to be embedded: at least 4 are needed')
    points: np.ndarray
    if method == 'pca':
        points = PCA(2, random_state=seed).fit_transform(features)
    else:
        perplexity = min(perplexity, (len(features) - 1) / 3)
        reducer = TSNE(2, perplexity=perplexity, init='pca', random_state=seed)
        points = reducer.fit_transform(features.astype(np.float64))
    return points


def silhouette(features: np.ndarray, labels: np.ndarray) -> float:
    """Measures how well classes are separated in the features ``(N, D)``, -1 to 1; NaN if that is not defined."""
    if not 2 <= len(np.unique(labels)) < len(labels):
        return float('nan')
    return float(silhouette_score(features, labels))


def draw_embedding(
    points: Mapping[str, np.ndarray],
    labels: np.ndarray | None,
    names: Sequence[str] = (),
    title: str = '',
    axis_name: str = 't-SNE',
    figure: Figure | None = None,
) -> Figure:
    """Draws a panel per kind of feature; classes differ in colour and in marker.

    Args:
        points: Title of a panel -> ``(N, 2)``.
        labels: ``(N,)`` classes; None means not known.
        names: Names of the classes.
        title: Put above the picture.
        axis_name: Name of the axes.
        figure: Drawn into this one if given.

    Raises:
        ValueError: If there is no panel.
    """
    if not points:
        raise ValueError('no features to draw')
    columns = min(len(points), 3)
    rows = -(-len(points) // columns)
    legend = 0.0 if labels is None else 0.45 * -(-len(np.unique(labels)) // 8)
    figure = new_figure(3.6 * columns + 0.3, 3.7 * rows + legend + (0.4 if title else 0), figure)
    figure.suptitle(title, fontsize=TITLE_SIZE)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells[len(points) :]:
        cell.set_axis_off()
    for cell, (name, positions) in zip(cells, points.items()):
        _draw_panel(cell, positions, labels, names)
        cell.set_title(name, fontsize=TEXT_SIZE)
        cell.set_xlabel(f'{axis_name} 1', fontsize=TEXT_SIZE - 1)
        cell.set_ylabel(f'{axis_name} 2', fontsize=TEXT_SIZE - 1)
    if labels is not None:
        handles, texts = cells[0].get_legend_handles_labels()
        figure.legend(
            handles, texts, loc='outside lower center', ncols=min(8, len(texts)), fontsize=TEXT_SIZE - 1, frameon=False
        )
    return figure


def _draw_panel(axes: Axes, points: np.ndarray, labels: np.ndarray | None, names: Sequence[str]) -> None:
    if labels is None:
        axes.scatter(points[:, 0], points[:, 1], s=22, color=COLORS[0], linewidths=0)
    else:
        for label in np.unique(labels):
            round_number, place = divmod(int(label), len(COLORS))
            axes.scatter(
                points[labels == label, 0],
                points[labels == label, 1],
                s=26,
                color=COLORS[place],
                marker=MARKERS[(place + round_number) % len(MARKERS)],
                label=names[int(label)] if int(label) < len(names) else str(label),
                alpha=0.85,
                linewidths=0,
            )
    axes.set(xticks=[], yticks=[])
