"""Measures what batches of similar length save: share of padding, and processor time of a training step for a clip.

python benchmarks/bucketing.py --json bucketing.json

The lengths of the clips are made up as in corpora of utterances: log-normal with a median of 3 seconds and a deviation
of 0.6, from 0.5 to 20 seconds. A small waveform model is trained on noise of these lengths: clip by clip, in batches in
random order, and in batches of ``LengthBucketBatchSampler``. Padding is that of a whole epoch. The time is that of
``--timed`` clips in processor seconds, which depend less on other programs of the machine, for a clip of mean length.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import init_default_scope

from hicmae_mm.datasets import LengthBucketBatchSampler, SeededSampler
from hicmae_mm.datasets.bucketing import padding_share
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Padded
from hicmae_mm.utils.files import write_text

_RATE_HZ = 16000
_CLASSES = 6
_ENCODER = dict(
    type='Emotion2VecEncoder', embed_dims=128, depth=4, prenet_depth=1, num_heads=4, position_groups=4,
    conv_layers=[(64, 10, 5), *[(64, 3, 2)] * 4, *[(64, 2, 2)] * 2],
)  # fmt: skip


class Clips(list[float]):
    """Lengths of clips in seconds, as a table with a column of them gives."""

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Returns what the table says about a clip."""
        return dict(columns=dict(seconds=self[index]), position=f'line {index + 2}')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure padding and time of batches of similar length')
    parser.add_argument('--clips', type=int, default=2000, help='clips of an epoch (default: %(default)s)')
    parser.add_argument('--batch-size', type=int, default=16, help='clips in a batch (default: %(default)s)')
    parser.add_argument('--timed', type=int, default=96, help='clips that are timed (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    args = parser.parse_args(arguments)
    if min(args.clips, args.batch_size, args.timed) < 1:
        parser.error('--clips, --batch-size and --timed must be at least 1')
    return args


def build_model() -> torch.nn.Module:
    """Builds a waveform classifier with 1.5 million parameters."""
    init_default_scope('hicmae_mm')
    model: torch.nn.Module = MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
            encoders=dict(audio=_ENCODER),
            aggregator=dict(type='HierarchicalFeatureAggregator'),
            head=dict(type='ClassificationHead', num_classes=_CLASSES, loss=dict(type='SoftCrossEntropyLoss')),
        )
    )
    return model


def batches_of(clips: Clips, batch_size: int) -> dict[str, list[list[int]]]:
    """Returns the batches of an epoch, by how they are made."""
    sampler = SeededSampler(clips, seed=0)
    order = [int(index) for index in sampler]
    similar = LengthBucketBatchSampler(sampler, batch_size, column='seconds')
    return {
        'clip by clip': [[index] for index in order],
        'random order': [order[start : start + batch_size] for start in range(0, len(order), batch_size)],
        'similar length': [[int(index) for index in batch] for batch in similar],
    }


def processor_seconds(model: torch.nn.Module, clips: Clips, batches: list[list[int]]) -> float:
    """Trains on batches, and returns the processor seconds of a second of sound."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    start = time.process_time()
    for batch in batches:
        waves = Padded.stack([torch.randn(int(clips[index] * _RATE_HZ)) for index in batch])
        samples = [EmotionDataSample().set_gt_label(index % _CLASSES) for index in batch]
        losses = model(dict(audio=waves), samples, mode='loss')
        optimizer.zero_grad()
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        optimizer.step()
    return (time.process_time() - start) / sum(clips[index] for batch in batches for index in batch)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measures, and prints a row for every way to make batches."""
    args = parse_args(argv)
    torch.manual_seed(0)
    lengths = np.random.default_rng(0).lognormal(np.log(3), 0.6, args.clips).clip(0.5, 20)
    clips, model = Clips(lengths.tolist()), build_model().train()
    ways = batches_of(clips, args.batch_size)
    processor_seconds(model, clips, ways['similar length'][:1])  # the first step allocates
    rows = {}
    for name, batches in ways.items():
        share = padding_share([lengths[batch] for batch in batches])
        timed = batches[: max(1, args.timed // len(batches[0]))]  # batches are in random order
        seconds = processor_seconds(model, clips, timed) * lengths.mean()
        rows[name] = dict(padding=share, processor_seconds_of_clip=seconds)
        print(f'| {name} | {share:.1%} | {1000 * seconds:.0f} ms |', flush=True)
    if args.json is not None:
        write_text(args.json, json.dumps(rows, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
