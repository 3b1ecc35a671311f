"""Measures training steps on one and on several ranks of this machine's CPU, one thread each.

python benchmarks/ranks.py --json ranks.json --update docs/scaling.md

Every rank has the same number of clips in each way that is timed: one rank alone; several that know nothing of each
other, which share but memory and caches; several that train one model, whole or sharded. The share of communication is
what training together costs beyond running side by side.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the benchmarks are no part of the installed package

from hicmae_mm.config.overrides import load_config
from hicmae_mm.engine.wrappers import DataParallelModel, FullyShardedModel
from hicmae_mm.measuring import limited_threads, seconds_per_call
from hicmae_mm.measuring.machine import cores, processor, today
from hicmae_mm.measuring.pages import replace_between_marks
from hicmae_mm.measuring.random_batch import random_batch
from hicmae_mm.registry import MODELS
from hicmae_mm.utils.files import write_text

MARKS = ('<!-- measured: begin -->', '<!-- measured: end -->')
BASE, NANO = 'configs/hicmae_base_pretrain_voxceleb2.py', 'configs/hicmae_nano_pretrain_synthetic.py'
WRAPPERS: dict[str, Any] = {'alone': None, 'independent': None, 'data_parallel': DataParallelModel}
WRAPPERS |= {'sharded': FullyShardedModel}


@dataclass(frozen=True)
class Plan:
    """Describes what is measured.

    Attributes:
        config: whose model is trained.
        batch_size: clips per rank and step.
        iters: timed steps, after one that is not.
        ranks: processes.
    """

    config: str
    batch_size: int
    iters: int
    ranks: int


def step_seconds(way: str, plan: Plan, rank: int) -> float:
    """Returns the median time of a step of this rank."""
    torch.manual_seed(0)
    cfg = load_config(plan.config, None)
    init_default_scope('hicmae_mm')
    model = MODELS.build(cfg.model)
    batch = random_batch(model, plan.batch_size, cfg.train_dataloader.dataset.pipeline, seed=rank)
    wrapped = model if WRAPPERS[way] is None else WRAPPERS[way](model)
    if isinstance(wrapped, FullyShardedModel):
        wrapped.shard()
    optimizer = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True))
    wrapped.train()

    def step() -> None:
        if way != 'alone':
            dist.barrier()
        wrapped.train_step(batch, optimizer)

    return statistics.median(seconds_per_call(step, plan.iters, torch.device('cpu'), warmup=1))


def work(rank: int, plan: Plan, folder: str) -> None:
    """Times every way on one rank; the others wait while the first is alone."""
    store = dist.FileStore(f'{folder}/store', plan.ranks)
    dist.init_process_group('gloo', store=store, rank=rank, world_size=plan.ranks)
    seconds = {}
    with limited_threads(1):
        for way in WRAPPERS:
            if way != 'alone' or rank == 0:
                seconds[way] = step_seconds(way, plan, rank)
            dist.barrier()
    Path(folder, f'{rank}.json').write_text(json.dumps(seconds))
    dist.destroy_process_group()


def measure(plan: Plan) -> dict[str, Any]:
    """Clips per second of all ranks together by way, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (plan, folder), nprocs=plan.ranks)
        seconds = [json.loads(Path(folder, f'{rank}.json').read_text()) for rank in range(plan.ranks)]
    return summary(seconds, plan)


def summary(seconds: Sequence[Mapping[str, float]], plan: Plan) -> dict[str, Any]:
    """Rates, ratios and shares from every rank's seconds per step by way; the slowest rank counts."""
    clips_per_s = {}
    for way in WRAPPERS:
        times = [found[way] for found in seconds if way in found]
        clips_per_s[way] = len(times) * plan.batch_size / max(times)
    together = {way: clips_per_s[way] for way in ('data_parallel', 'sharded')}
    return dict(
        config=plan.config,
        ranks=plan.ranks,
        batch_size_per_rank=plan.batch_size,
        clips_per_s=clips_per_s,
        ratio_to_one_rank={way: rate / clips_per_s['alone'] for way, rate in clips_per_s.items() if way != 'alone'},
        communication_share={way: 1 - rate / clips_per_s['independent'] for way, rate in together.items()},
    )


def describe(found: dict[str, Any]) -> str:
    """Returns the numbers as text."""
    lines = []
    for way, rate in found['clips_per_s'].items():
        line = f'{way:14s}{rate:8.3f} clips/s'
        if way in found['ratio_to_one_rank']:
            line += f', {found["ratio_to_one_rank"][way]:.2f} times one rank'
        if way in found['communication_share']:
            line += f', communication {found["communication_share"][way]:.0%}'
        lines.append(line)
    return '\n'.join(lines)


def markdown(found: dict[str, Any]) -> str:
    """Returns the numbers as a table, with what they were measured on."""
    lines = [
        f'{today()}, {processor()}, {cores()} cores; {found["config"]}, {found["batch_size_per_rank"]} clips per rank:',
        '',
        '| way | ranks | clips/s | times one rank | share of communication |',
        '|---|---|---|---|---|',
    ]
    for way, rate in found['clips_per_s'].items():
        ratio, share = found['ratio_to_one_rank'].get(way, 1.0), found['communication_share'].get(way)
        ranks = 1 if way == 'alone' else found['ranks']
        lines.append(f'| {way} | {ranks} | {rate:.3g} | {ratio:.2f} | {"" if share is None else f"{share:.0%}"} |')
    return '\n'.join(lines)


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure training steps on one and on several ranks of the CPU')
    parser.add_argument('--config', default=BASE, help=f'config file; default {BASE}')
    parser.add_argument('--batch-size', type=int, default=4, help='clips per rank and step; default 4')
    parser.add_argument('--iters', type=int, default=4, help='timed steps; default 4')
    parser.add_argument('--ranks', type=int, default=2, help='processes; default 2')
    parser.add_argument('--quick', action='store_true', help='a small model and one step: to see that it works')
    parser.add_argument('--json', type=Path, help='file for the numbers')
    parser.add_argument('--update', type=Path, metavar='PAGE', help='page whose table to replace')
    args = parser.parse_args(arguments)
    if min(args.batch_size, args.iters, args.ranks) < 1:
        parser.error('--batch-size, --iters and --ranks must be at least 1')
    if args.quick:
        args.config, args.batch_size, args.iters = NANO, 2, 1
    return args


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and writes."""
    args = parse_args(arguments)
    load_config(args.config, None)
    found = measure(Plan(args.config, args.batch_size, args.iters, args.ranks))
    if args.json is not None:
        write_text(args.json, json.dumps(found, indent=1) + '\n')
    if args.update is not None:
        replace_between_marks(args.update, MARKS, f'{markdown(found)}\n')
    print(describe(found))
    return 0


if __name__ == '__main__':
    sys.exit(main())
