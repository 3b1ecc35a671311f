"""Draws the features of a test set's clips in two dimensions, coloured by class: picture, sound and fusion.

python tools/visualization/vis_tsne.py CONFIG CHECKPOINT --streams video audio fusion --out tsne.png

A feature is the mean over the tokens of a layer (`--layer`, 0-based; -1: the last). CHECKPOINT may be one of
pre-training: head and aggregator are not used. `--features` takes stored ones instead of a checkpoint: a folder that
`tools/extract_features.py` wrote, or a .npz file of `tools/test.py --save-features`. The positions go into a .csv file
beside the picture. The number above a panel is the silhouette score of the classes in the features, -1 to 1.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from hicmae_mm.config.collation import collate_of
from hicmae_mm.config.folds import dataset_meta
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.datasets.stored_features import load_features, read_info
from hicmae_mm.evaluation.clip_result import names_for
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.heads.base import average_views
from hicmae_mm.utils.files import csv_text, write_text
from hicmae_mm.visualization import save_figure
from hicmae_mm.visualization.embedding import METHODS, draw_embedding, embed, silhouette
from hicmae_mm.visualization.pooled_features import pooled_features
from hicmae_mm.visualization.probe import SPLITS, batches, build_dataset, evenly_chosen, load_model


@dataclass
class ClipFeatures:
    """Features ``(N, D)`` by name, and what is known of the clips."""

    features: dict[str, np.ndarray]
    sample_ids: list[str]
    labels: np.ndarray | None


ELSEWHERE = {
    '--checkpoint': 'name the checkpoint after the config, without an option',
    '--vis-stage': '--streams and --layer say whose features to draw',
    '--max-num-samples': '--max-clips says how many clips, of all classes together',
    '--class-idx --max-num-class': 'all classes are drawn; test_dataloader.dataset.ann_file may name a list of some',
    '--n-components --early-exaggeration --learning-rate --n-iter --n-iter-without-progress --init': 'features are '
    "drawn in two dimensions with scikit-learn's defaults; --perplexity and --method can be chosen",
    '--legend': 'every picture has a legend',
    '--show': 'no window is opened; --out names the picture',
    '--work-dir': '--out names the picture',
    '--test-cfg': '--split and --cfg-options say what to test on',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw features in two dimensions')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file; none with --features')
    parser.add_argument('--features', help='stored features instead: a folder of extract_features.py, or a .npz file')
    parser.add_argument('--streams', nargs='+', help='some of video, audio, fusion (default: all that the model has)')
    parser.add_argument(
        '--layer', type=int, default=-1, help='layer of the tokens, from 0 (default: %(default)s, the last)'
    )
    parser.add_argument('--method', choices=METHODS, default='tsne', help='projection (default: %(default)s)')
    parser.add_argument('--perplexity', type=float, default=30.0, help='perplexity of t-SNE (default: %(default)s)')
    parser.add_argument('--max-clips', type=int, default=1000, help='most clips, evenly spaced (default: %(default)s)')
    parser.add_argument(
        '--split', choices=SPLITS, help='split whose clips are taken; default: the first of test, val, train'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of t-SNE (default: %(default)s)')
    parser.add_argument('--title', default='', help='title of the picture')
    parser.add_argument('--out', default='tsne.png', help='picture (.png, .pdf, .svg; default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=8, help='clips (default: %(default)s)')
    parser.add_argument(
        '--num-workers', type=int, default=0, help='worker processes of the data loader (default: %(default)s)'
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, cuda:1')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(argv)
    if (args.checkpoint is None) == (args.features is None):
        parser.error('give either a checkpoint or --features')
    if min(args.max_clips, args.batch_size) < 1 or args.perplexity <= 0:
        parser.error('--max-clips, --batch-size and --perplexity must be above 0')
    return args


def compute_features(cfg: Config, args: argparse.Namespace) -> ClipFeatures:
    """Runs the model over the clips.

    Raises:
        ValueError: If the model does not have a stream or layer.
    """
    model = load_model(cfg, args.checkpoint, args.device, AudioVisualModel, ('encoders.', 'fusion.'))
    streams = args.streams or [*model.encoders, *(['fusion'] if model.fusion is not None else [])]
    dataset = build_dataset(cfg, args.split)
    indices = evenly_chosen(len(dataset), args.max_clips)
    parts: dict[str, list[np.ndarray]] = {name: [] for name in streams}
    names: list[str] = []
    labels: list[int] = []
    for batch in batches(dataset, indices, args.batch_size, collate_of(cfg, args.split, SPLITS), args.num_workers):
        samples = batch['data_samples']
        data = model.data_preprocessor(batch, training=False)
        model.check_streams(data['inputs'], data.get('present'))
        for name, values in pooled_features(model, data['inputs'], streams, args.layer).items():
            parts[name].append(average_views(values.float(), samples).cpu().numpy())
        names += [str(sample.get('sample_id', '')) for sample in samples]
        labels += [int(sample.gt_label) for sample in samples if 'gt_label' in sample]
    features = {name: np.concatenate(values) for name, values in parts.items()}
    return ClipFeatures(features, names, np.array(labels) if len(labels) == len(names) else None)


def read_features(path: Path, args: argparse.Namespace) -> ClipFeatures:
    """Takes stored features.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If they are of something else, or not one per clip.
    """
    if path.is_dir():
        return read_folder(path, args)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist')
    if path.suffix != '.npz':
        raise ValueError(f'{path}: expected a .npz file, as tools/test.py --save-features writes it')
    with np.load(path) as stored:
        if 'features' not in stored or 'sample_id' not in stored:
            raise ValueError(f'{path} holds {stored.files}, expected sample_id and features')
        kept = evenly_chosen(len(stored['features']), args.max_clips)
        labels = stored['gt_label'][kept] if 'gt_label' in stored else None
        return ClipFeatures({'clip feature': stored['features'][kept]}, stored['sample_id'][kept].tolist(), labels)


def read_folder(folder: Path, args: argparse.Namespace) -> ClipFeatures:
    """Takes one vector per clip: of the layer asked for (-1: the last stored), and the fused ones side by side.

    Raises:
        FileNotFoundError: If the folder holds no features.
        ValueError: If a stream or layer is not stored, or clips have several rows.
    """
    columns = {name: facts for name, facts in read_info(folder)['columns'].items() if not facts['is_ragged']}
    layers: dict[str, dict[int, list[str]]] = {}
    for name in columns:
        match = re.fullmatch(r'(?P<stream>\w+)_layer(?P<layer>\d+)', name)
        if match:
            layers.setdefault(match['stream'], {})[int(match['layer'])] = [name]
        elif name == 'clip' or name.startswith('fusion_'):
            layers.setdefault(name.partition('_')[0], {}).setdefault(-1, []).append(name)
    chosen: dict[str, list[str]] = {}
    for stream in args.streams or layers:
        stored = layers.get(stream, {})
        layer = max(stored, default=-1) if args.layer == -1 or -1 in stored else args.layer
        if layer not in stored:
            known = ', '.join(name for parts in layers.values() for names in parts.values() for name in names)
            raise ValueError(f'{folder} has no {stream} of layer {args.layer} with one row per clip; it has {known}')
        chosen[f'{stream}, layer {layer}' if layer >= 0 else stream] = stored[layer]
    labels = ['gt_label'] if 'gt_label' in columns else []
    read = load_features(
        folder, ['sample_id', *labels, *dict.fromkeys(name for names in chosen.values() for name in names)]
    )
    kept = evenly_chosen(len(read['sample_id']), args.max_clips)
    features = {
        title: np.concatenate([np.asarray(read[name], dtype=np.float32)[kept] for name in names], axis=1)
        for title, names in chosen.items()
    }
    found = np.asarray(read['gt_label']).reshape(-1)[kept] if labels else None
    return ClipFeatures(features, [str(read['sample_id'][index]) for index in kept], found)


def draw(args: argparse.Namespace) -> None:
    """Embeds, draws, and writes the positions.

    Raises:
        ValueError: If there is nothing to embed.
    """
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    clips = compute_features(cfg, args) if args.features is None else read_features(Path(args.features), args)
    names = None
    if clips.labels is not None:
        classes = dataset_meta(cfg).get('classes')
        names = names_for(classes, len(classes or ()) or int(clips.labels.max()) + 1)
    panels, rows = {}, []
    for stream, features in clips.features.items():
        points = embed(features, args.method, args.perplexity, args.seed)
        apart = float('nan') if clips.labels is None else silhouette(features, clips.labels)
        panels[stream if np.isnan(apart) else f'{stream} (silhouette {apart:.2f})'] = points
        for index, (x, y) in enumerate(points):
            label = '' if clips.labels is None or names is None else names[clips.labels[index]]
            point = dict(x=f'{x:.6g}', y=f'{y:.6g}')
            rows.append(dict(stream=stream, sample_id=clips.sample_ids[index], label=label, **point))
    axis_name = {'tsne': 't-SNE', 'pca': 'principal component'}[args.method]
    figure = draw_embedding(panels, clips.labels, names or (), args.title, axis_name)
    written = save_figure(figure, args.out)
    write_text(written.with_suffix('.csv'), csv_text(rows))
    print(f'wrote {written} and {written.with_suffix(".csv").name}: {len(clips.sample_ids)} clips')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Draws."""
    args = parse_args(argv)
    draw(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
