"""Computes what a training on many GPUs sends, reads and stores, as the Markdown tables of docs/scaling.md.

python tools/analysis_tools/scaling.py configs/hicmae_base_pretrain_voxceleb2.py --gpus 8 64 512

Nothing is measured: the model's parameters and multiply-accumulates are counted, the rest are the formulas below and
the options, whose defaults are stated in the output. `--update docs/scaling.md` puts the tables into the page.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.measuring.complexity import count_complexity
from hicmae_mm.measuring.pages import replace_between_marks
from hicmae_mm.measuring.random_batch import random_inputs, random_masks
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.losses import InfoNCELoss
from hicmae_mm.registry import MODELS

FLOAT32 = 4  # bytes
MARKS = ('<!-- tables: begin -->', '<!-- tables: end -->')


@dataclass(frozen=True)
class Workload:
    """Describes one training step of a rank.

    Attributes:
        parameters: Trained parameters.
        macs: Multiply-accumulates of one clip's forward pass.
        batch_size: Clips per rank and step.
        contrasted: Widths of the vectors per clip that gathered negatives exchange; empty without contrast.
    """

    parameters: int
    macs: float
    batch_size: int
    contrasted: tuple[int, ...] = ()

    def data_parallel_bytes(self, ranks: int) -> float:
        """Returns what a rank sends per optimizer step: ring all-reduce of gradients, 2 (R - 1) / R of their size."""
        return 2 * (ranks - 1) / ranks * self.parameters * FLOAT32

    def sharded_bytes(self, ranks: int, micro_steps: int = 1) -> float:
        """Returns what a rank sends per optimizer step when it is fully sharded.

        Two all-gathers of the parameters in every accumulated iteration, one reduce-scatter of the gradients, each
        (R - 1) / R of their size.
        """
        return (2 * micro_steps + 1) * (ranks - 1) / ranks * self.parameters * FLOAT32

    def hybrid_bytes(self, ranks: int, per_node: int) -> float:
        """Returns what a rank sends *between nodes* when every node holds a sharded copy: all-reduce of its shard."""
        nodes = max(1, ranks // per_node)
        return 2 * (nodes - 1) / nodes * self.parameters * FLOAT32 / min(per_node, ranks)

    def contrast_bytes(self, ranks: int) -> float:
        """Returns what a rank sends per step for gathered negatives: all-gather forward, reduce-scatter backward."""
        return 2 * (ranks - 1) * self.batch_size * sum(self.contrasted) * FLOAT32

    def steps_per_second(self, tera_flops: float) -> float:
        """Returns the rate at which a rank computes: 2 FLOP per multiply-accumulate, backward twice the forward."""
        return tera_flops * 1e12 / (6 * self.macs * self.batch_size)


@dataclass(frozen=True)
class Clip:
    """Describes a packed clip.

    Attributes:
        seconds: Its length.
        fps: Frames per second.
        frame_bytes: Size of a JPEG frame.
        sound_bytes: Size of one second of sound.
        used_frames: Frames that a sample uses.
    """

    seconds: float
    fps: float
    frame_bytes: float
    sound_bytes: float
    used_frames: int = 16

    @property
    def size(self) -> float:
        """Bytes of the whole clip."""
        return self.seconds * (self.fps * self.frame_bytes + self.sound_bytes)

    @property
    def read(self) -> float:
        """Bytes that a sample reads from a disk: its frames, and the sound."""
        return self.used_frames * self.frame_bytes + self.seconds * self.sound_bytes


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Yields lines of a Markdown table."""
    yield '| ' + ' | '.join(header) + ' |'
    yield '|' + '---|' * len(header)
    for row in rows:
        yield '| ' + ' | '.join(map(str, row)) + ' |'


def number(value: float) -> str:
    """Formats a number with three significant digits and separators of thousands."""
    if value >= 100:
        return f'{value:,.0f}'
    return f'{value:.3g}'


def size(num_bytes: float) -> str:
    """Bytes with a decimal unit."""
    for unit, scale in (('TB', 1e12), ('GB', 1e9), ('MB', 1e6)):
        if num_bytes >= scale:
            return f'{number(num_bytes / scale)} {unit}'
    return f'{number(num_bytes / 1e3)} kB'


def network_rows(work: Workload, gpus: Sequence[int], per_node: int, gigabits: float) -> Iterator[list[object]]:
    """Bytes per step and GPU, and the time of those of data parallelism on the network."""
    for ranks in gpus:
        sent = work.data_parallel_bytes(ranks)
        yield [
            ranks,
            size(sent),
            size(work.sharded_bytes(ranks)),
            size(work.hybrid_bytes(ranks, per_node)) if ranks > per_node else '0',
            size(work.contrast_bytes(ranks)),
            f'{number(1e3 * 8 * sent / (gigabits * 1e9))} ms',
            f'{number(1e3 * 8 * (sent + work.contrast_bytes(ranks)) / (gigabits * 1e9))} ms',
        ]


def loader_rows(work: Workload, rates: Sequence[float], core_ms: Sequence[float]) -> Iterator[list[object]]:
    """Clips per second and cores that each GPU needs at a step rate."""
    for rate in rates:
        clips = rate * work.batch_size
        yield [number(rate), number(clips), *(number(clips * ms / 1000) for ms in core_ms)]


def storage_rows(clip: Clip, corpora: dict[str, int], per_shard: int, gpus: Sequence[int]) -> Iterator[list[object]]:
    """Returns size and shards of a corpus, and shards for each rank."""
    for name, clips in corpora.items():
        shards = -(-clips // per_shard)
        each = [number(shards / ranks) for ranks in (gpus[0], gpus[-1])]
        yield [name, f'{clips:,}', size(clips * clip.size), f'{shards:,}', size(per_shard * clip.size), *each]


def reading_rows(
    clip: Clip, gpus: Sequence[int], clips_per_second: float, corpora: dict[str, int]
) -> Iterator[list[object]]:
    """Returns the bandwidth that the storage must give, and the time of an epoch."""
    for ranks in gpus:
        total = ranks * clips_per_second
        epochs = [f'{number(clips / total / 60)} min' for clips in corpora.values()]
        yield [ranks, number(total), f'{size(total * clip.read)}/s', f'{size(total * clip.size)}/s', *epochs]


def workload_of(cfg: Any, batch_size: int | None) -> Workload:
    """Counts a config's model.

    Raises:
        TypeError: If the model has no encoders by stream.
        ValueError: If there is no batch size.
    """
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    model = MODELS.build(cfg.model)
    if not isinstance(model, AudioVisualModel):
        raise TypeError(f'{cfg.model.type} has no encoders by stream, so its inputs are not known')
    loader = cfg.get('train_dataloader') or {}
    batch_size = batch_size or loader.get('batch_size')
    if not batch_size:
        raise ValueError('the config has no train_dataloader.batch_size: give --batch-size')
    masks = None
    if hasattr(model, 'decoders'):
        masks = random_masks(model, 1, (loader.get('dataset') or {}).get('pipeline') or [])
    with torch.no_grad():
        macs = count_complexity(model, random_inputs(model, 1), masks).macs
    contrastive = getattr(model, 'contrastive', None)
    contrasted: tuple[int, ...] = ()
    if contrastive is not None and isinstance(contrastive.criterion, InfoNCELoss):
        contrasted = tuple(width for _ in contrastive.layers for width in model.widths.values())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return Workload(trained, macs, batch_size, contrasted)


def report(work: Workload, args: argparse.Namespace) -> Iterator[str]:
    """Returns all tables, with their assumptions."""
    clip = Clip(args.clip_seconds, args.fps, 1e3 * args.frame_kb, 1e3 * args.sound_kb)
    bound = work.steps_per_second(args.tera_flops)
    yield (
        f'{work.parameters / 1e6:.1f} M trained parameters ({size(work.parameters * FLOAT32)} in float32), '
        f'{work.macs / 1e9:.1f} G multiply-accumulates per clip, {work.batch_size} clips per GPU and step.'
    )
    yield f'\nNetwork, per GPU and optimizer step; times at {args.gigabits:g} Gbit/s per GPU, nothing overlapped:\n'
    header = ['GPUs', 'data parallel', 'sharded', f'sharded within {args.gpus_per_node}, between nodes']
    header += ['gathered negatives', 'data parallel', 'with negatives']
    yield from table(header, list(network_rows(work, args.gpus, args.gpus_per_node, args.gigabits)))
    yield f'\nLoader, per GPU. A GPU that sustains {args.tera_flops:g} TFLOP/s makes the last row:\n'
    cores = [f'cores at {ms:g} ms per clip' for ms in args.core_ms]
    rates = [*(rate for rate in args.steps_per_second if rate < bound), bound]
    yield from table(['steps/s', 'clips/s', *cores], list(loader_rows(work, rates, args.core_ms)))
    yield (
        f'\nStorage: clips of {clip.seconds:g} s, {clip.fps:g} frames/s of {args.frame_kb:g} kB, sound of '
        f'{args.sound_kb:g} kB/s; {size(clip.size)} a clip, {size(clip.read)} of it read by a sample from a disk:\n'
    )
    corpora = {'VoxCeleb2 dev': 1_091_581, '100 M clips': 100_000_000}
    header = ['corpus', 'clips', 'size', f'shards of {args.clips_per_shard}', 'a shard']
    header += [f'shards per rank, {ranks} GPUs' for ranks in (args.gpus[0], args.gpus[-1])]
    yield from table(header, list(storage_rows(clip, corpora, args.clips_per_shard, args.gpus)))
    rate = args.steps_per_second[-1] * work.batch_size
    yield f'\nReading, at {args.steps_per_second[-1]:g} steps/s ({number(rate)} clips/s per GPU):\n'
    header = ['GPUs', 'clips/s', 'from a disk', 'from a URL, whole clips', *(f'epoch of {name}' for name in corpora)]
    yield from table(header, list(reading_rows(clip, args.gpus, rate, corpora)))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Compute what a training on many GPUs sends, reads and stores')
    parser.add_argument('config', help='config file')
    parser.add_argument('--gpus', type=int, nargs='+', default=[8, 16, 32, 64, 128, 256, 512], help='numbers of GPUs')
    parser.add_argument('--gpus-per-node', type=int, default=8, help='GPUs of a node; default 8')
    parser.add_argument('--batch-size', type=int, help="clips per GPU and step; default the config's")
    parser.add_argument('--gigabits', type=float, default=400, help='network of a GPU, Gbit/s; default 400')
    parser.add_argument(
        '--steps-per-second',
        type=float,
        nargs='+',
        default=[1, 2, 4, 8],
        help='step rates; the last is that of reading',
    )
    parser.add_argument(
        '--core-ms', type=float, nargs='+', default=[16, 5], help='time of a core for a clip, ms; default 16 and 5'
    )
    parser.add_argument('--tera-flops', type=float, default=250, help='what a GPU sustains, TFLOP/s; default 250')
    parser.add_argument('--clip-seconds', type=float, default=8, help='length of a clip, s; default 8')
    parser.add_argument('--fps', type=float, default=25, help='frames per second of a clip; default 25')
    parser.add_argument('--frame-kb', type=float, default=7, help='size of a JPEG frame, kB; default 7')
    parser.add_argument('--sound-kb', type=float, default=17, help='size of a second of sound, kB; default 17')
    parser.add_argument('--clips-per-shard', type=int, default=1000, help='default 1000')
    parser.add_argument('--update', type=Path, metavar='PAGE', help='page whose tables to replace')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(argv)
    if min(args.gpus) < 1:
        parser.error('--gpus must be positive')
    return args


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Prints the tables."""
    args = parse_args(argv)
    work = workload_of(load_config(args.config, args.cfg_options), args.batch_size)
    tables = '\n'.join(report(work, args))
    if args.update is not None:
        replace_between_marks(args.update, MARKS, f'{tables}\n')
    print(tables)
    return 0


if __name__ == '__main__':
    sys.exit(main())
