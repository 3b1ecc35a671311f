"""Figures of pre-training: its layers, its masks, the path of a batch, what the contrast brings about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from quickstart import BASE_PRETRAIN, PRETRAIN, Quickstart, load_config
from torch import nn

from hicmae_mm.registry import MODELS, TRANSFORMS
from hicmae_mm.visualization.reconstruction import draw_spectrogram
from hicmae_mm.visualization.samples import expand_mask
from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, new_figure

VIDEO, AUDIO, OTHER = COLORS[0], COLORS[1], COLORS[2]
ACTOR = re.compile(r'(\d+)_')
STREAM_COLORS = {'video': VIDEO, 'audio': AUDIO}
MASKS = {
    'TubeMask, 90 %': dict(type='TubeMask', ratio=0.9),
    'RandomMask, 90 %': dict(type='RandomMask', ratio=0.9, grid=(8, 10, 10), stream='video'),
    'SymmetricWindowMask, 90 %': dict(type='SymmetricWindowMask', ratio=0.9, window=(5, 10)),
}


def box(
    axes: Axes, x: float, y: float, width: float, height: float, text: str, color: str, filled: bool = False
) -> None:
    """Draws a rounded box around ``(x, y)`` with a text in it."""
    corner = (x - width / 2, y - height / 2)
    style = dict(facecolor=color if filled else '#FFFFFF', edgecolor=color, linewidth=1.6)
    axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle='round,pad=0,rounding_size=0.12', **style))
    axes.text(x, y, text, ha='center', va='center', fontsize=TEXT_SIZE - 1, color='#FFFFFF' if filled else '#000000')


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str, bend: float = 0, style: str = '-'
) -> None:
    """Draws an arrow that is bent to one side."""
    options = dict(
        arrowstyle='-|>', mutation_scale=11, color=color, linestyle=style, linewidth=1.3, shrinkA=1, shrinkB=1
    )
    axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f'arc3,rad={bend}', **options))


def blank_axes(figure: Figure, width: float, height: float) -> Axes:
    """Axes without a frame, in units of boxes."""
    axes = figure.subplots()
    axes.set(xlim=(0, width), ylim=(0, height), aspect='equal')
    axes.axis('off')
    return axes


def draw_hierarchy(_: Quickstart) -> Figure:
    """Encoders, kept layers, fusion and decoders of the base model, wired as its config says."""
    with torch.device('meta'):
        model = MODELS.build(
            {key: value for key, value in load_config(BASE_PRETRAIN).model.items() if 'data' not in key}
        )
    axes = blank_axes(new_figure(10, 4.8), 20, 9.6)
    rows = {'video': 6.3, 'audio': 2.7}
    middle, first = sum(rows.values()) / 2, 2.3
    for name, y in rows.items():
        side, color = np.sign(y - middle), STREAM_COLORS[name]
        encoder, decoder = model.encoders[name], model.decoders[name]
        axes.text(
            first - 0.5, y + side * 1.05, f'{name} encoder, {encoder.depth} layers', fontsize=TEXT_SIZE, color=color
        )
        axes.text(0.8, y, f'visible\n{name}\ntokens', fontsize=TEXT_SIZE - 1, ha='center', va='center')
        for layer in range(encoder.depth):
            box(axes, first + layer, y, 0.72, 0.9, str(layer), color, layer in model.skip_layers)
        arrow(axes, (1.5, y), (first - 0.4, y), '#555555')
        arrow(axes, (first + encoder.depth - 0.6, y), (13.0, middle + side * 0.55), '#555555')
        decoded = [16 + layer for layer in range(len(decoder.blocks))]
        arrow(axes, (13.9, middle + side * 0.55), (decoded[0] - 0.4, y), '#555555')
        axes.text(
            np.mean(decoded),
            y - side * 1.05,
            f'{name} decoder',
            ha='center',
            va='center',
            fontsize=TEXT_SIZE,
            color=color,
        )
        for layer, x in enumerate(decoded):
            box(axes, x, y, 0.72, 0.9, str(layer), color)
            if layer:
                kept = first + model.skip_layers[-layer]
                arrow(axes, (kept, y + side * 0.48), (x, y + side * 0.48), color, bend=-side * 0.28)
    for layer in model.contrastive.layers:
        x = first + layer
        arrow(axes, (x, middle + 0.3), (x, rows['video'] - 0.5), OTHER, style='--')
        arrow(axes, (x, middle - 0.3), (x, rows['audio'] + 0.5), OTHER, style='--')
        axes.text(x, middle, 'contrast', ha='center', va='center', fontsize=TEXT_SIZE - 1, color=OTHER)
    box(axes, 13.4, middle, 1.7, 1.2, f'fusion\n{model.fusion.depth} layers', '#444444')
    axes.text(17.5, middle, 'predictions of the\nmasked tokens', ha='center', va='center', fontsize=TEXT_SIZE - 1)
    axes.text(12.2, 9.2, 'skips: kept layers, deepest first, by cross-attention', ha='center', fontsize=TEXT_SIZE)
    return axes.figure


def draw_masks(source: Quickstart) -> Figure:
    """Three masks over the frames of one clip, and the mask over its spectrogram."""
    data = source.base_pretraining_batch(1)
    video, sound = data['inputs']['video'][0].numpy(), data['inputs']['audio'][0, 0].numpy()
    shown = range(0, 16, 4)
    figure = new_figure(10, 5.9)
    upper, lower = figure.subfigures(2, 1, height_ratios=(3.6, 2.3))
    axes = upper.subplots(2, 8, gridspec_kw={'wspace': 0.03, 'hspace': 0.05})
    panels = {'clip, 16 frames of 160 x 160': None, **MASKS}
    for number, (title, config) in enumerate(panels.items()):
        cells = axes[number // 2, 4 * (number % 2) : 4 * (number % 2) + 4]
        frames = video / 255
        if config is not None:
            np.random.seed(1)
            masks = TRANSFORMS.build(dict(config))({'streams': ('video', 'audio'), 'masks': {}})['masks']
            frames[expand_mask(masks['video'], (8, 10, 10), frames.shape[:3])] = 0.69
        for cell, index in zip(cells, shown):
            cell.imshow(frames[index], interpolation='nearest')
            cell.set(xticks=[], yticks=[])
            cell.set_xlabel(f'frame {index + 1}', fontsize=TEXT_SIZE - 3, labelpad=2)
        cells[0].set_title(title, fontsize=TEXT_SIZE, loc='left')
    left, right = lower.subplots(1, 2, sharey=True)
    draw_spectrogram(left, sound)
    hidden = expand_mask(data['masks']['audio'][0].numpy(), (16, 8), sound.shape)
    image = draw_spectrogram(right, np.ma.array(sound, mask=hidden), limits=(float(sound.min()), float(sound.max())))
    left.set_title('sound of the clip', fontsize=TEXT_SIZE, loc='left')
    right.set_title('RandomMask, 80 %', fontsize=TEXT_SIZE, loc='left')
    left.set_ylabel('mel band', fontsize=TEXT_SIZE)
    lower.colorbar(image, ax=[left, right], pad=0.01).set_label('log energy', fontsize=TEXT_SIZE - 1)
    return figure


def shapes_of_a_step(
    model: nn.Module, batch: Mapping[str, Any]
) -> tuple[dict[str, dict[str, tuple]], dict[str, float]]:
    """Shapes by stage and stream of a forward pass in pre-training, and its losses."""
    shapes: dict[str, dict[str, tuple]] = {'batch from the loader': {n: x.shape for n, x in batch['inputs'].items()}}
    data = model.data_preprocessor(batch, training=False)
    shapes['normalised, on the device'] = {n: x.shape for n, x in data['inputs'].items()}
    with torch.no_grad():
        encoded, masks = model.encode(data['inputs'], data['masks'])
        shapes['visible tokens, every encoder layer'] = {n: out.tokens.shape for n, out in encoded.items()}
        shapes['after fusion'] = {n: x.shape for n, x in model.fuse(encoded).items()}
        inside: dict[str, tuple] = {}
        for name, decoder in model.decoders.items():
            decoder.blocks[0].register_forward_hook(
                lambda _, inputs, __, name=name: inside.update({name: inputs[0].shape})
            )
        predictions = model.decode(encoded, masks)
        shapes['in the decoder: visible, then mask tokens'] = inside
        shapes['predictions of the masked tokens'] = {n: x.shape for n, x in predictions.items()}
        losses = model(**data, mode='loss')
    return shapes, {name: float(value) for name, value in losses.items()}


def draw_batch_path(source: Quickstart) -> Figure:
    """Shapes of two clips on their way through the base model, as measured."""
    torch.manual_seed(0)
    shapes, losses = shapes_of_a_step(MODELS.build(load_config(BASE_PRETRAIN).model), source.base_pretraining_batch(2))
    axes = blank_axes(new_figure(9.5, 5.6), 19, 11.2)
    places = {'video': 8.9, 'audio': 15.4}
    for name, x in places.items():
        axes.text(x, 10.85, name, ha='center', fontsize=TEXT_SIZE + 1, color=STREAM_COLORS[name], weight='bold')
    height = 1.42
    for number, (stage, by_stream) in enumerate(shapes.items()):
        y = 10.0 - number * height
        axes.text(0.1, y, stage.replace(': ', ':\n').replace(', ', ',\n', 1), va='center', fontsize=TEXT_SIZE)
        for name, shape in by_stream.items():
            box(axes, places[name], y, 5.6, 0.86, ' x '.join(map(str, shape)), STREAM_COLORS[name])
            if number:
                arrow(axes, (places[name], y + height - 0.43), (places[name], y + 0.43), '#555555')
    y = 10.0 - len(shapes) * height
    axes.text(0.1, y, 'losses of the untrained model', va='center', fontsize=TEXT_SIZE)
    for name, x in places.items():
        box(axes, x, y, 5.6, 0.86, f'loss_{name} = {losses[f"loss_{name}"]:.3f}', STREAM_COLORS[name], filled=True)
        arrow(axes, (x, y + height - 0.43), (x, y + 0.43), '#555555')
    axes.text(
        12.15,
        y - 0.8,
        f'+ loss_contrastive = {losses["loss_contrastive"]:.4f}',
        ha='center',
        va='center',
        fontsize=TEXT_SIZE,
    )
    return axes.figure


def clips_of_actors(source: Quickstart, ann_file: str, num_actors: int, per_actor: int) -> list[int]:
    """Clips of a list, some of each of the first actors, sorted by actor."""
    lines = (source.data_root / ann_file).read_text(encoding='utf-8').splitlines()
    by_actor: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        found = ACTOR.search(line)
        assert found is not None
        by_actor.setdefault(found[1], []).append(index)
    actors = sorted(by_actor)[:num_actors]
    return [i for actor in actors for i in by_actor[actor][:: len(by_actor[actor]) // per_actor][:per_actor]]


def similarities(source: Quickstart, folder: str | None, ann_file: str, clips: Sequence[int]) -> np.ndarray:
    """Cosine similarities ``(clips, clips)`` of pictures (rows) and sounds at the last contrasted layer."""
    torch.manual_seed(0)
    model = source.model(PRETRAIN, folder)
    steps = load_config(PRETRAIN).train_dataloader.dataset.pipeline
    plain = [step for step in steps if step['type'] not in ('mmaction.MultiScaleCrop', 'RandomGain')]
    batch = source.batch(source.dataset(ann_file, 'classification', plain), clips)
    data = model.data_preprocessor(batch, training=False)
    with torch.no_grad():
        encoded, _ = model.encode(data['inputs'], data['masks'])
        pooled = model.contrastive.pooled({name: output.hidden for name, output in encoded.items()})[-1]
    first, second = (nn.functional.normalize(vectors, dim=-1) for vectors in pooled)
    return (first @ second.T).numpy()


def draw_contrast(source: Quickstart, num_actors: int = 6, per_actor: int = 8) -> Figure:
    """Similarity of every clip's picture to every clip's sound: actors of the training and others, three models."""
    states = {'untrained': None, 'weight 0.0025': 'pretrain', 'weight 1': 'contrast'}
    lists = {'actors of the training': 'train.csv', 'actors never seen': 'test.csv'}
    figure = new_figure(9.2, 6.0)
    axes = figure.subplots(len(lists), len(states))
    for row, (who, ann_file) in zip(axes, lists.items()):
        clips = clips_of_actors(source, ann_file, num_actors, per_actor)
        edges = np.arange(0, len(clips) + 1, per_actor) - 0.5
        for cell, (label, folder) in zip(row, states.items()):
            values = similarities(source, folder, ann_file, clips)
            spread = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
            image = cell.imshow(spread, cmap='RdBu_r', vmin=-0.15, vmax=0.15, interpolation='nearest')
            rank = np.median((values > values.diagonal()[:, None]).sum(axis=1) + 1)
            cell.set_title(f'{label}: rank {rank:g} of {len(clips)}', fontsize=TEXT_SIZE)
            cell.set_xticks(edges, minor=True)
            cell.set_yticks(edges, minor=True)
            cell.grid(which='minor', color='#333333', linewidth=0.7)
            cell.tick_params(which='both', length=0, labelbottom=False, labelleft=False)
        row[0].set_ylabel(f'{who}\npictures', fontsize=TEXT_SIZE)
    for cell in axes[-1]:
        cell.set_xlabel('sounds', fontsize=TEXT_SIZE)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.02)
    bar.set_label('cosine similarity, less the means of row and column', fontsize=TEXT_SIZE)
    return figure
