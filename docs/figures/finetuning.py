"""Figures of fine-tuning: the learned layer mix, missing streams, the schedule of every depth."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from mmengine.optim import build_optim_wrapper
from pretraining import STREAM_COLORS
from quickstart import BASE_FINETUNE, FINETUNE, Quickstart, load_config

from hicmae_mm.engine.schedulers.warmup_cosine import warmup_cosine_factor
from hicmae_mm.registry import MODELS
from hicmae_mm.visualization.style import COLORS, TEXT_SIZE, new_figure

BATCH, CLIPS = 56, 5974  # CREMA-D, fold 1, as published
CLIPS_SHOWN = (36, 43, 71)  # of three test actors: ANG, DIS and SAD


def draw_layer_mix(source: Quickstart) -> Figure:
    """Weights of the encoder layers in the clip feature, before and after fine-tuning."""
    figure = new_figure(9, 3.2)
    axes = figure.subplots(1, 2, sharey=True)
    aggregator = source.model(FINETUNE, 'audio_video').aggregator
    for cell, name in zip(axes, aggregator.streams):
        shares = aggregator.layer_weights[name].detach().softmax(dim=0).numpy()
        cell.bar(np.arange(len(shares)), shares, color=STREAM_COLORS[name], width=0.6)
        cell.axhline(1 / len(shares), color='#555555', linestyle='--', linewidth=1.2, label='before training: equal')
        for layer, share in enumerate(shares):
            cell.text(layer, share / 2, f'{share:.3f}', ha='center', va='center', fontsize=TEXT_SIZE, color='#FFFFFF')
        cell.set_title(f'{name} encoder', fontsize=TEXT_SIZE)
        cell.set_xlabel('layer', fontsize=TEXT_SIZE)
        cell.set_xticks(np.arange(len(shares)))
        cell.set_ylim(0, shares.max() * 1.35)
        cell.spines[['top', 'right']].set_visible(False)
    axes[0].set_ylabel('share in the mix', fontsize=TEXT_SIZE)
    axes[1].legend(fontsize=TEXT_SIZE - 1, loc='upper right', frameon=False)
    return figure


def draw_missing_streams(source: Quickstart) -> Figure:
    """Scores of three test clips with both streams, and of the same model without one of them."""
    config = load_config(FINETUNE)
    model = source.model(FINETUNE, 'audio_video')
    model.missing_streams = 'zero'
    dataset = source.dataset('test.csv', 'classification', config.test_dataloader.dataset.pipeline)
    classes = dataset.metainfo['classes']
    figure = new_figure(9.5, 3.2)
    axes = figure.subplots(1, len(CLIPS_SHOWN), sharey=True)
    for cell, index in zip(axes, CLIPS_SHOWN):
        data = model.data_preprocessor(source.batch(dataset, [index]), training=False)
        given = {'both': data['inputs'], **{f'{n} only': {n: data['inputs'][n]} for n in data['inputs']}}
        for offset, (label, inputs) in enumerate(given.items()):
            with torch.no_grad():
                scores = model(inputs).softmax(dim=-1).mean(dim=0).numpy()
            places = np.arange(len(classes)) + 0.27 * (offset - 1)
            color = STREAM_COLORS.get(label.split()[0], COLORS[2])
            cell.bar(places, scores, width=0.25, color=color, label=label)
        truth = classes[int(data['data_samples'][0].gt_label)]
        cell.set_title(f'a clip of class {truth}', fontsize=TEXT_SIZE)
        cell.set_xticks(np.arange(len(classes)), classes, fontsize=TEXT_SIZE - 2)
        cell.spines[['top', 'right']].set_visible(False)
    axes[0].set_ylabel('score', fontsize=TEXT_SIZE)
    axes[-1].legend(fontsize=TEXT_SIZE - 1, frameon=False, loc='upper left')
    return figure


def draw_schedule(_: Quickstart) -> Figure:
    """Learning rate of every depth over the epochs, and how the parameters are spread over the depths."""
    config = load_config(BASE_FINETUNE)
    with torch.device('meta'):
        model = MODELS.build({key: value for key, value in config.model.items() if key != 'data_preprocessor'})
    options = config.optim_wrapper.to_dict()
    options['optimizer'].pop('fused')
    groups = build_optim_wrapper(model, options).optimizer.param_groups
    depth = {parameter: model.layer_depth(name)[0] for name, parameter in model.named_parameters()}
    per_epoch, epochs = CLIPS // BATCH, config.train_cfg.max_epochs
    plan = config.param_scheduler[0]
    steps = np.arange(0, epochs * per_epoch, 10)
    curve = [warmup_cosine_factor(s, epochs * per_epoch, plan.warmup * per_epoch, plan.eta_min_ratio) for s in steps]
    top = config.optim_wrapper.optimizer.lr * BATCH / config.auto_scale_lr.base_batch_size
    scale = {depth[parameter]: group['lr_scale'] for group in groups for parameter in group['params']}
    figure = new_figure(9.5, 3.5)
    left, right = figure.subplots(1, 2)
    for number, layer in enumerate((max(scale), 10, 6, 0)):
        name = {max(scale): 'head, mix, norms', 0: 'patch embeddings'}.get(layer, f'encoder block {layer - 1}')
        rates = top * scale[layer] * np.array(curve)
        left.semilogy(steps / per_epoch, np.maximum(rates, 1e-10), color=COLORS[number], label=f'{name} (id {layer})')
    left.set(ylim=(1e-9, 4e-4))
    left.set_xlabel('epoch', fontsize=TEXT_SIZE)
    left.set_ylabel('learning rate', fontsize=TEXT_SIZE)
    left.legend(fontsize=TEXT_SIZE - 2, frameon=False, loc='lower center')
    for decayed, label, color in ((True, 'weight decay 0.05', COLORS[0]), (False, 'no weight decay (1-d)', COLORS[4])):
        counts = np.zeros(max(scale) + 1)
        for group in groups:
            for parameter in group['params']:
                if (group['weight_decay'] > 0) == decayed:
                    counts[depth[parameter]] += parameter.numel()
        right.bar(np.arange(len(counts)) + (-0.2 if decayed else 0.2), counts, width=0.4, color=color, label=label)
    right.set_yscale('log')
    right.set_xticks(range(0, len(counts), 2))
    right.set_ylim(1e2, 1e9)
    right.set_xlabel('depth id', fontsize=TEXT_SIZE)
    right.set_ylabel('parameters', fontsize=TEXT_SIZE)
    right.legend(fontsize=TEXT_SIZE - 2, frameon=False, loc='upper right')
    for cell in (left, right):
        cell.spines[['top', 'right']].set_visible(False)
    return figure
