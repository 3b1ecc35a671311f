"""Resumable jobs: one input becomes one file or folder, which is there as a whole or not at all.

A job writes to a temporary name beside its target. When it is done, a line goes to the journal and the target is put
in place by a rename, so whatever the moment at which everything is killed, the targets that exist are complete and the
journal knows them. The next run takes them as they are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.utils.files import exclusive, read_json_object, write_text

JOURNAL_FILE = 'journal.jsonl'
SETTINGS_FILE = 'settings.json'
_LOCK_FILE = '.lock'
_LEFTOVER = re.compile(r'\..+\.\d+\.part')


@dataclass(frozen=True)
class Job:
    """Describes one piece of work.

    Attributes:
        name: Name in the report.
        source: File or folder to read.
        target: File or folder to make.
    """

    name: str
    source: Path
    target: Path


Work = Callable[[Job, Path], Mapping[str, Any]]
"""Makes what belongs at ``job.target`` at the path given instead; returns what the report says about it."""


@dataclass(frozen=True)
class Outcome:
    """Records the result of a job.

    Attributes:
        name: Name of the job.
        status: ``'done'``, ``'existing'`` (made by an earlier run) or ``'failed'``.
        reason: Reason of the failure.
        work_seconds: Time that the work took, in the run that did it.
        details: Details of the result, of an earlier run as well.
    """

    name: str
    status: str
    reason: str = ''
    work_seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)


def run_jobs(
    work: Work,
    jobs: Sequence[Job],
    out_dir: Path,
    settings: Mapping[str, Any],
    num_workers: int = 1,
    force: bool = False,
) -> Iterator[Outcome]:
    """Does the jobs whose targets are missing.

    Args:
        work: Does one job; picklable. A :class:`MediaError` or ``FileNotFoundError`` is a failure of the job.
        jobs: Jobs whose targets are below ``out_dir``.
        out_dir: Output folder, which is created if it does not exist. It also gets ``settings.json``, and
            ``journal.jsonl`` with a line for each finished job.
        settings: Everything that determines the results (JSON values); a folder of other settings is refused.
        num_workers: Worker processes; 0 works in this process.
        force: Remove the targets first.

    Yields:
        The outcome of every job, first of those that were there.

    Raises:
        ValueError: If two jobs have the same target, or the folder has results of other settings.
        RuntimeError: If another run uses the folder.
        Exception: Any error of ``work`` that is not about its input; what was finished stays.
    """
    _check_targets(jobs)
    out_dir.mkdir(parents=True, exist_ok=True)
    with exclusive(out_dir / _LOCK_FILE, patience_seconds=0):
        _remove_leftovers(jobs)
        if force:
            for job in jobs:
                _remove(job.target)
        _claim(out_dir, settings, force)
        records = _read_journal(out_dir / JOURNAL_FILE)
        missing = []
        for job in jobs:
            if job.target.exists():
                yield Outcome(job.name, 'existing', **records.get(job.name, {}))
            else:
                missing.append(job)
        try:
            with (out_dir / JOURNAL_FILE).open('a', encoding='utf-8') as journal:
                for job, result in run_parallel(partial(_do, work, os.getpid()), missing, num_workers):
                    yield _finish(job, result, journal.write, journal.flush)
        finally:
            _remove_leftovers(jobs)


def _do(work: Work, run_id: int, job: Job) -> dict[str, Any]:
    """Makes a job's result under its temporary name."""
    start = time.perf_counter()
    job.target.parent.mkdir(parents=True, exist_ok=True)
    part = _part(job, run_id)
    try:
        details = dict(work(job, part))
    except OSError as error:
        if error.errno is not None and error.filename is not None and Path(error.filename).is_relative_to(part):
            error.filename = str(job.target / Path(error.filename).relative_to(part))
        raise
    return dict(work_seconds=round(time.perf_counter() - start, 3), details=details)


def _finish(
    job: Job, result: dict[str, Any] | Failure, write: Callable[[str], Any], flush: Callable[[], Any]
) -> Outcome:
    """Puts a result in place; its line in the journal comes first, so that every target has one."""
    part = _part(job, os.getpid())
    if isinstance(result, Failure):
        _remove(part)
        return Outcome(job.name, 'failed', result.reason)
    write(json.dumps(dict(name=job.name, **result)) + '\n')
    flush()
    part.replace(job.target)
    return Outcome(job.name, 'done', **result)


def _part(job: Job, run_id: int) -> Path:
    return job.target.with_name(f'.{job.target.name}.{run_id}.part')


def _check_targets(jobs: Sequence[Job]) -> None:
    sources: dict[Path, Path] = {}
    for job in jobs:
        other = sources.setdefault(job.target, job.source)
        if other != job.source:
            raise ValueError(
                f'{other} and {job.source} would both become {job.target}; take one of them, by --extensions'
            )


def _claim(out_dir: Path, settings: Mapping[str, Any], force: bool) -> None:
    path = out_dir / SETTINGS_FILE
    wanted = json.loads(json.dumps(settings))
    if path.exists() and not force:
        found = read_json_object(path, 'delete it, or force everything to be made again')
        if found != wanted:
            raise ValueError(
                f'{out_dir} was made with other settings ({found}), asked for {wanted}: choose another folder, or '
                'force it to be made again'
            )
        return
    if force:
        (out_dir / JOURNAL_FILE).unlink(missing_ok=True)
    write_text(path, json.dumps(wanted, indent=2) + '\n')


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """Returns the newest record of every finished job. A line that was cut short is left out."""
    records: dict[str, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text(encoding='utf-8').splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            records[record.pop('name')] = record
    return records


def _remove_leftovers(jobs: Sequence[Job]) -> None:
    """Removes what killed runs left beside the targets."""
    for folder in sorted({job.target.parent for job in jobs}):
        if folder.is_dir():
            for path in list(folder.iterdir()):
                if _LEFTOVER.fullmatch(path.name):
                    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        # the worker of a run that was killed a moment ago may still be writing there; the next clean-up gets it
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def as_record(outcome: Outcome) -> dict[str, Any]:
    """Returns an outcome as one flat dict, for reports."""
    record = asdict(outcome)
    whole: dict[str, Any] = record | record.pop('details')
    return whole
