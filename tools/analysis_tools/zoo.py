"""Measures every model of the toolkit at its published size on this machine, and writes the table of docs/model_zoo.md.

python tools/analysis_tools/zoo.py                                     # all models, then the table
python tools/analysis_tools/zoo.py configs/svfap/svfap_base_dfew.py    # some models, printed alone
python tools/analysis_tools/zoo.py --uar                               # also trains the nano models: an hour
python tools/analysis_tools/zoo.py --table                             # the table from what is stored

Configs of one size are measured once. Every measurement has a process of its own, and is stored as soon as it is done:
a rerun measures only what is missing, has changed, or was too big for less memory. ``--page`` names the page that gets
the table between its marks.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from hicmae_mm.config.paths import configs_root
from hicmae_mm.config.reading import read_config
from hicmae_mm.measuring.machine import free_memory_gb, machine, today
from hicmae_mm.measuring.metafile import measure
from hicmae_mm.measuring.pages import replace_between_marks
from hicmae_mm.measuring.zoo import (
    MARKS,
    Record,
    ZooModel,
    digest,
    listed_models,
    matmul_work,
    read_records,
    table,
    write_records,
)

QUICKSTART = 'hicmae_nano_synthetic.py'
TOOLS = Path(__file__).resolve().parents[1]
BYTES_PER_TRAINED_PARAMETER = 16  # float32 weight, gradient, and AdamW's two moments
COMPARED = ('mae_dfer_base_dfew', 'mae_dfer_base_plain_dfew')
OUT_OF_MEMORY = re.compile(r'memory|bad_alloc|Killed|failed to map segment', re.IGNORECASE)
SIGKILL = -9


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure every model of the toolkit')
    parser.add_argument('config', nargs='*', type=Path, help='configs to measure (default: one of every size)')
    parser.add_argument('--store', type=Path, default=Path('work_dirs/zoo.jsonl'), help='default: %(default)s')
    parser.add_argument('--page', type=Path, help='page of the table (default: docs/model_zoo.md for all models)')
    parser.add_argument('--batch-size', type=int, default=2, help='clips per step (%(default)s)')
    parser.add_argument('--iters', type=int, default=3, help='timed steps (%(default)s)')
    parser.add_argument('--rounds', type=int, default=3, help='rounds of the comparison of two models (%(default)s)')
    parser.add_argument('--threads', type=int, help='threads; default as torch chooses')
    parser.add_argument('--most-memory-gb', type=float, help='what a model may need (default: what is free)')
    parser.add_argument('--uar', action='store_true', help='train the nano models, and test them')
    parser.add_argument('--data-root', type=Path, default=Path('data/synthetic'), help='media of --uar (%(default)s)')
    parser.add_argument('--table', action='store_true', help='measure nothing, write the table')
    args = parser.parse_args(arguments)
    for name in ('batch_size', 'iters', 'rounds'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, got {getattr(args, name)}')
    if args.most_memory_gb is not None and args.most_memory_gb <= 0:
        parser.error(f'--most-memory-gb must be above 0, got {args.most_memory_gb:g}')
    return args


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, stores, and writes the table."""
    args = parse_args(arguments)
    root = configs_root().parent
    models = [ZooModel(path) for path in args.config] or listed_models(root)
    page = args.page or (None if args.config else root / 'docs' / 'model_zoo.md')
    records, failed = read_records(args.store), []
    for number, model in enumerate(models, start=1):
        if args.table:
            break
        print(f'[{number}/{len(models)}] {model.config.stem}', flush=True)
        try:
            records[model.config.stem] = up_to_date(args, model, records.get(model.config.stem))
        except RuntimeError as error:
            failed.append(f'{model.config.stem}: {error}')
            print(f'  failed: {error}', flush=True)
        write_records(args.store, records)
    names = [model.config.stem for model in models]
    if not args.table and set(COMPARED) <= set(names):
        compare(args, root / 'configs' / 'mae_dfer', records)
    text = table(
        [records[name] for name in names if name in records],
        [record for record in records.values() if 'models' in record and set(record['models']) <= set(names)],
        about(args, [records[name] for name in names if name in records]),
    )
    print(text)
    if page is not None:
        replace_between_marks(page, MARKS, text)
    if failed:
        raise RuntimeError(f'{len(failed)} of {len(models)} models could not be measured: {"; ".join(failed)}')
    return 0


def up_to_date(args: argparse.Namespace, model: ZooModel, old: Record | None) -> Record:
    """Returns the stored record of a model, with what it lacks measured now.

    Raises:
        RuntimeError: If a process fails, for another reason than memory.
    """
    cfg = read_config(model.config)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    settings = dict(batch_size=args.batch_size, iters=args.iters, threads=args.threads, machine=machine())
    key = digest(cfg, settings)
    record: Record = old if old is not None and old.get('digest') == key else {}
    if not record:
        sizes = measure(cfg)
        record = dict(name=model.config.stem, digest=key, date=today(), machine=machine(), reports={})
        record |= dict(parameters=sizes['Parameters'], macs=sizes['FLOPs'] / 2)
    record['alike'] = list(model.alike)
    limit_gb = args.most_memory_gb or free_memory_gb()
    for mode in modes_of(cfg):
        stored = record['reports'].get(mode)
        if stored is None or stored.get('too_big', limit_gb) < limit_gb:
            record['reports'][mode] = measure_in_process(args, model.config, mode, record['parameters'], limit_gb)
    if args.uar and is_nano_recognizer(cfg) and record.get('uar') is None:
        record['uar'] = unweighted_average_recall(args, model.config)
    return record


def modes_of(cfg: Config) -> list[str]:
    """Returns what can be measured: training steps if there is an optimizer, inference unless it only pre-trains."""
    trains = ['train'] if 'optim_wrapper' in cfg else []
    return trains + (['infer'] if cfg.get('test_dataloader') else [])


def measure_in_process(
    args: argparse.Namespace, config: Path, mode: str, parameters: int, limit_gb: float
) -> dict[str, Any]:
    """Returns the report of ``benchmark.py``, or ``{'too_big': GB}`` if the model needs more memory.

    Raises:
        RuntimeError: If the process fails for another reason.
    """
    if mode == 'train' and parameters * BYTES_PER_TRAINED_PARAMETER > limit_gb * 1e9:
        return {'too_big': limit_gb}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'report.json'
        few = ['--batch-size', str(args.batch_size), '--iters', str(args.iters), '--warmup', '1', '--device', 'cpu']
        threads = ['--threads', str(args.threads)] if args.threads else []
        line = [sys.executable, str(TOOLS / 'analysis_tools' / 'benchmark.py'), mode, str(config), *few, *threads]
        with subprocess.Popen(
            [*line, '--media', 'random', '--json', str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            if hasattr(resource, 'prlimit'):  # Linux: an allocation fails before others on the machine have to end
                limit = int(limit_gb * 1e9)
                resource.prlimit(process.pid, resource.RLIMIT_DATA, (limit, limit))
            _, errors = process.communicate()
        if process.returncode == 0:
            report: dict[str, Any] = json.loads(file.read_text())
            return report
        reason = (errors.strip().splitlines() or ['no message'])[-1]
        if process.returncode == SIGKILL or OUT_OF_MEMORY.search(reason):
            return {'too_big': limit_gb}
        raise RuntimeError(f'{mode}: {reason}')


def compare(args: argparse.Namespace, folder: Path, records: dict[str, Record]) -> None:
    """Measures two models in turn, so that the load of the machine is the same for both, and stores the ratio of times.

    Raises:
        RuntimeError: If one cannot be measured.
    """
    name = ' : '.join(COMPARED)
    key = [records[model]['digest'] for model in COMPARED if model in records]
    if len(key) < len(COMPARED) or records.get(name, {}).get('digest') == key:
        return
    first, second = (records[model] for model in COMPARED)
    limit_gb = args.most_memory_gb or free_memory_gb()
    record: Record = dict(name=name, models=list(COMPARED), digest=key, date=today(), rounds=args.rounds)
    for mode in ('train', 'infer'):
        ratios = []
        for _ in range(args.rounds):
            reports = [
                measure_in_process(args, folder / f'{model["name"]}.py', mode, model['parameters'], limit_gb)
                for model in (first, second)
            ]
            if any('too_big' in report for report in reports):
                print(f'{name}: too big to compare')
                return
            ratios.append(matmul_work(reports[0]) / matmul_work(reports[1]))
        record[mode] = statistics.median(ratios)
        print(f'{name}, {mode}: {", ".join(f"{ratio:.3f}" for ratio in ratios)}', flush=True)
    records[name] = record | dict(macs=first['macs'] / second['macs'])
    write_records(args.store, records)


def is_nano_recognizer(cfg: Config) -> bool:
    """Returns whether a config is tested on the list of the quickstart."""
    return bool(cfg.get('test_dataloader')) and test_list(cfg) == test_list(read_config(configs_root() / QUICKSTART))


def test_list(cfg: Config) -> Path:
    """Returns the list of the test clips."""
    dataset = cfg.test_dataloader.dataset
    return Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')


def unweighted_average_recall(args: argparse.Namespace, config: Path) -> float:
    """Returns the quickstart's test UAR in percent, after pre-training (where there is a config) and fine-tuning.

    Finished trainings are not repeated, and interrupted ones go on.

    Raises:
        RuntimeError: If a step fails.
    """
    work_dir = args.store.parent / 'zoo'
    environment = {**os.environ, 'SYNTHETIC_ROOT': str(args.data_root)}
    if not (args.data_root / 'test.csv').is_file():
        run_step('dataset_converters/make_synthetic.py', '--out', args.data_root, environment=environment)
    start: list[str] = []
    pretraining = config.with_name(f'{config.stem.split("_nano_")[0]}_nano_pretrain_synthetic.py')
    if pretraining.is_file():
        start = ['--cfg-options', f'load_from={train(pretraining, work_dir, [], environment)}']
    checkpoint = train(config, work_dir, start, environment)
    out = work_dir / config.stem / 'metrics.json'
    run_step('test.py', config, checkpoint, '--out', out, '--work-dir', out.parent / 'test', environment=environment)
    return 100 * float(json.loads(out.read_text())['UAR'])


def train(config: Path, work_dir: Path, options: list[str], environment: dict[str, str]) -> Path:
    """Trains unless that is finished; returns the last checkpoint."""
    folder = work_dir / config.stem
    last = folder / f'epoch_{read_config(config).train_cfg.max_epochs}.pth'
    if not last.is_file():
        run_step('train.py', config, '--work-dir', folder, '--resume', *options, environment=environment)
    return last


def run_step(tool: str, *arguments: object, environment: dict[str, str]) -> None:
    """Runs a tool of this package.

    Raises:
        RuntimeError: If it fails.
    """
    line = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
    done = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f'{tool}: {(done.stderr.strip().splitlines() or ["no message"])[-1]}')


def about(args: argparse.Namespace, records: Sequence[Record]) -> str:
    """Returns a sentence on machine, dates and settings."""
    machines = ', '.join(dict.fromkeys(record['machine'] for record in records)) or 'no machine'
    dates = sorted({record['date'] for record in records}) or [today()]
    when = dates[0] if len(dates) == 1 else f'{dates[0]} to {dates[-1]}'
    return (
        f'Measured {when} on {machines}, float32, {args.batch_size} clips per step, {args.iters} steps. Other '
        'programs may have shared the machine: compare the shares, which set a step against the matmul rate beside it.'
    )


if __name__ == '__main__':
    sys.exit(main())
