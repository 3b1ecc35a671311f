"""Reports what a preparation run did: while it runs, at its end, and as JSON and CSV."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hicmae_mm.datasets.preparation.jobs import Outcome, as_record
from hicmae_mm.utils.files import csv_text, write_text

T = TypeVar('T')

STATUSES = ('done', 'existing', 'failed')
_NUM_SHOWN = 10  # failures that the console names; the report has all
_COLUMNS = (
    TextColumn('{task.description}'),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


def show_progress(items: Iterable[T], total: int, description: str, console: Console) -> Iterator[T]:
    """Passes items on, with a progress bar."""
    with Progress(*_COLUMNS, console=console) as progress:
        yield from progress.track(items, total=total, description=description)


def report_jobs(
    outcomes: Iterator[Outcome],
    total: int,
    out_dir: Path,
    settings: Mapping[str, Any],
    summarize: Callable[[Sequence[Outcome]], Mapping[str, Any]],
) -> dict[str, Any]:
    """Runs jobs to their end, and writes ``report.json`` and ``report.csv``.

    Args:
        outcomes: Results of :func:`~hicmae_mm.datasets.preparation.jobs.run_jobs`.
        total: Number of jobs.
        out_dir: Folder for the reports.
        settings: Copied into the report.
        summarize: Totals over what the work says of its results.

    Returns:
        The summary: ``clips``, how many are ``done``, ``existing`` and ``failed``, ``run_seconds``, and the totals.
    """
    console = Console()
    start = time.perf_counter()
    finished = sorted(show_progress(outcomes, total, 'clips', console), key=lambda outcome: outcome.name)
    counts = Counter(outcome.status for outcome in finished)
    summary: dict[str, Any] = dict(clips=total, **{status: counts[status] for status in STATUSES})
    summary |= dict(run_seconds=round(time.perf_counter() - start, 1), **summarize(finished))
    records = [as_record(outcome) for outcome in finished]
    report = dict(summary=summary, settings=settings, clips=records)
    write_text(out_dir / 'report.json', json.dumps(report, indent=1) + '\n')
    write_text(out_dir / 'report.csv', csv_text(records))
    print_failures([(outcome.name, outcome.reason) for outcome in finished if outcome.status == 'failed'], console)
    print_summary(summary, console)
    console.print(f'report: {out_dir / "report.json"}, {out_dir / "report.csv"}', highlight=False, soft_wrap=True)
    return summary


def print_failures(failures: Sequence[tuple[str, str]], console: Console) -> None:
    """Names the first failures, (clip, reason)."""
    for name, reason in failures[:_NUM_SHOWN]:
        console.print(f'{name}: {reason}', markup=False, highlight=False, soft_wrap=True)
    if len(failures) > _NUM_SHOWN:
        console.print(f'... and {len(failures) - _NUM_SHOWN} more')


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """Prints one line with the totals."""
    parts = [f'{key.replace("_", " ")} {value}' for key, value in summary.items() if value is not None]
    console.print(', '.join(parts), highlight=False, soft_wrap=True)
