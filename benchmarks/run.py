"""Measures every figure of docs/benchmarks.md, and writes text, JSON, plots and the page's tables.

python benchmarks/run.py

Each measurement runs in a process of its own, one after the other; what fails is reported, and the rest goes on. Take a
machine that does nothing else. Parts that are not measured this time (`--only model,data`) keep the numbers, date and
commit that they had in the results. The GPU's part runs where there is one. Exported models and the quickstart, which
takes minutes, are measured only when they are named (`--only export,quickstart`).
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the benchmarks are no part of the installed package

from benchmarks.jobs import DEFAULT_PARTS, JOBS, PARTS, ROOT, Size, run_job, why_not
from benchmarks.machine import commit, machine
from benchmarks.plots import draw_all
from benchmarks.tables import block, fill_page
from hicmae_mm.measuring.machine import cores, today
from hicmae_mm.utils.files import write_text

PAGE = ROOT / 'docs' / 'benchmarks.md'


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure every figure of docs/benchmarks.md')
    parser.add_argument(
        '--only', help=f'parts, separated by commas, of {",".join(PARTS)}; default: {",".join(DEFAULT_PARTS)}'
    )
    parser.add_argument('--quick', action='store_true', help='small and few, in seconds: does it run?')
    parser.add_argument('--out', type=Path, help='folder of results and plots; default: docs/benchmarks (quick: none)')
    parser.add_argument(
        '--threads', type=int, help='threads of the model; default: as many as there are cores (quick: 1)'
    )
    parser.add_argument('--tables', action='store_true', help='measure nothing: plots and tables from the results')
    args = parser.parse_args(arguments)
    args.parts = args.only.split(',') if args.only else list(DEFAULT_PARTS)
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        parser.error(f'--only knows {",".join(PARTS)}, got {",".join(unknown)}')
    if args.quick and args.out is None and not args.tables:
        parser.error('--quick needs --out FOLDER, so that its numbers do not replace real ones')
    if args.threads is not None and args.threads < 1:
        parser.error(f'--threads must be at least 1, got {args.threads}')
    args.out = args.out or PAGE.parent / 'benchmarks'
    return args


def measure_part(part: str, size: Size, keep: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Runs the jobs of a part, and hands what there is to ``keep`` after each."""
    measured: dict[str, Any] = {'date': today(), 'commit': commit(ROOT), 'machine': machine(), 'jobs': {}}
    reason = why_not(part)
    if reason is not None:
        print(f'\n== {part}: {reason}', flush=True)
        return measured | {'not_measured': reason}
    for job in JOBS[part](size):
        print(f'\n== {part}, {job.name}: {job.line}', flush=True)
        measured['jobs'][job.name] = report = run_job(job)
        keep(measured)
        print(f'   {report["seconds"]} s' + (f', FAILED: {report["error"]}' if 'error' in report else ''), flush=True)
    return measured


def read_results(file: Path) -> dict[str, Any]:
    """Returns earlier results by part; there may be none."""
    return json.loads(file.read_text(encoding='utf-8')) if file.is_file() else {}


def keeps_older(before: dict[str, Any] | None, now: dict[str, Any]) -> bool:
    """Tells whether an earlier measurement says more than the new one, which was not possible without a GPU."""
    return 'not_measured' in now and before is not None and 'not_measured' not in before


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and writes."""
    args = parse_args(arguments)
    file = args.out / 'results.json'
    results = read_results(file)
    failed = []
    if not args.tables:
        size = Size(args.quick, args.threads or (1 if args.quick else cores()))
        for part in args.parts:

            def keep(measured: dict[str, Any], part: str = part) -> None:
                if not keeps_older(results.get(part), measured):
                    results[part] = measured
                kept = {name: results[name] for name in PARTS if name in results}
                write_text(file, json.dumps(kept, indent=1) + '\n')

            measured = measure_part(part, size, keep)
            keep(measured)
            failed += [f'{part}, {name}' for name, job in measured['jobs'].items() if 'error' in job]
    if not results:
        raise FileNotFoundError(f'{file} does not exist; run without --tables first')
    for part in results:
        print(f'\n{block(part, results)}')
    for path in draw_all(results, args.out):
        print(f'wrote {path}')
    if args.out.resolve() == (PAGE.parent / 'benchmarks').resolve():
        write_text(PAGE, fill_page(PAGE.read_text(encoding='utf-8'), results))
        print(f'wrote {PAGE}')
    print(f'wrote {file}' + (f'; failed: {"; ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
