from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.jobs import JOURNAL_FILE, Job, Outcome, as_record, run_jobs

SETTINGS = dict(scale=2)


@dataclass(frozen=True)
class Copy:
    """Copies a file, or makes a folder with one copy; fails on contents that say so, after writing a part."""

    as_folder: bool = False

    def __call__(self, job: Job, target: Path) -> dict[str, int]:
        content = job.source.read_text()
        file = target
        if self.as_folder:
            target.mkdir()
            file = target / 'copy.txt'
        file.write_text(content[:2])
        if content == 'broken':
            raise MediaError(f'{job.source}: broken')
        if content == 'mistake':
            raise ValueError('our mistake')
        file.write_text(content)
        return dict(length=len(content))


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    made = []
    for name, content in (('a', 'alpha'), ('b', 'broken'), ('sub/c', 'gamma')):
        source = tmp_path / 'in' / f'{name}.txt'
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(content)
        made.append(Job(name, source, tmp_path / 'out' / f'{name}.copy'))
    return made


def run(jobs: list[Job], work: Copy | None = None, **options: object) -> dict[str, Outcome]:
    out_dir = jobs[0].target.parent
    settings = options.pop('settings', SETTINGS)
    outcomes = list(run_jobs(work or Copy(), jobs, out_dir, settings, num_workers=0, **options))
    assert len(outcomes) == len(jobs)
    return {outcome.name: outcome for outcome in outcomes}


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


ALWAYS_THERE = ['.lock', 'journal.jsonl', 'settings.json']


@pytest.mark.parametrize('as_folder', [False, True])
def test_good_jobs_are_done_and_a_failure_leaves_nothing(jobs: list[Job], as_folder: bool) -> None:
    outcomes = run(jobs, Copy(as_folder))
    assert {name: outcome.status for name, outcome in outcomes.items()} == {'a': 'done', 'b': 'failed', 'sub/c': 'done'}
    assert outcomes['b'].reason == f'{jobs[1].source}: broken'
    assert outcomes['a'].details == dict(length=5)
    inside = '/copy.txt' if as_folder else ''
    assert names(jobs[0].target.parent) == sorted([*ALWAYS_THERE, f'a.copy{inside}', f'sub/c.copy{inside}'])
    assert (jobs[2].target.parent / f'c.copy{inside}').read_text() == 'gamma'


def test_finished_jobs_are_not_done_again_and_failed_ones_are(jobs: list[Job]) -> None:
    first = run(jobs)
    written = {job.name: job.target.stat().st_mtime_ns for job in jobs if job.target.exists()}
    jobs[1].source.write_text('beta')
    second = run(jobs)
    assert {name: outcome.status for name, outcome in second.items()} == {
        'a': 'existing', 'b': 'done', 'sub/c': 'existing',
    }  # fmt: skip
    assert {job.name: job.target.stat().st_mtime_ns for job in jobs if job.name in written} == written
    # what the earlier run knew is still known
    assert second['a'].details == first['a'].details == dict(length=5)
    assert second['a'].work_seconds == first['a'].work_seconds
    assert as_record(second['a']) == dict(
        name='a', status='existing', reason='', work_seconds=first['a'].work_seconds, length=5
    )


def test_a_run_that_stops_anywhere_is_continued(jobs: list[Job]) -> None:
    running = run_jobs(Copy(), jobs, jobs[0].target.parent, SETTINGS, num_workers=0)
    assert next(running).name == 'a'
    running.close()
    assert names(jobs[0].target.parent) == sorted([*ALWAYS_THERE, 'a.copy'])
    assert run(jobs)['a'].status == 'existing'


def test_leftovers_of_a_killed_run_are_removed(jobs: list[Job]) -> None:
    out_dir = jobs[0].target.parent
    (out_dir / 'sub' / '.c.copy.4242.part').mkdir(parents=True)
    (out_dir / 'sub' / '.c.copy.4242.part' / '00001.jpg').write_text('half')
    (out_dir / '.a.copy.4242.part').write_text('half')
    (out_dir / 'mine.part').write_text('not of a run')
    (out_dir / JOURNAL_FILE).write_text('{"name": "a", "work_sec')
    run(jobs)
    assert names(out_dir) == sorted([*ALWAYS_THERE, 'a.copy', 'mine.part', 'sub/c.copy'])


def test_every_target_has_its_line_in_the_journal(jobs: list[Job]) -> None:
    run(jobs)
    lines = (jobs[0].target.parent / JOURNAL_FILE).read_text().splitlines()
    assert [json.loads(line)['name'] for line in lines] == ['a', 'sub/c']
    assert json.loads(lines[1])['details'] == dict(length=5)


def test_other_settings_are_refused_until_forced(jobs: list[Job]) -> None:
    run(jobs)
    written = jobs[0].target.stat().st_mtime_ns
    with pytest.raises(ValueError, match=r"other settings \({'scale': 2}\), asked for {'scale': 3}"):
        run(jobs, settings=dict(scale=3))
    assert jobs[0].target.stat().st_mtime_ns == written
    assert run(jobs, settings=dict(scale=3), force=True)['a'].status == 'done'
    assert jobs[0].target.stat().st_mtime_ns > written
    assert run(jobs, settings=dict(scale=3))['a'].status == 'existing'


def test_two_sources_of_one_target_are_refused(jobs: list[Job]) -> None:
    twin = Job('twin', jobs[2].source, jobs[0].target)
    with pytest.raises(ValueError, match=r'a\.txt and .*c\.txt would both become .*a\.copy'):
        run([*jobs, twin])


def test_a_second_run_at_the_same_time_is_refused(jobs: list[Job]) -> None:
    run(jobs)
    with (jobs[0].target.parent / '.lock').open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RuntimeError, match='another process holds'):
            run(jobs)
    run(jobs)


def test_an_error_that_is_not_the_inputs_ends_the_run(jobs: list[Job]) -> None:
    jobs[2].source.write_text('mistake')
    with pytest.raises(ValueError, match='our mistake'):
        run(jobs)
    assert names(jobs[0].target.parent) == sorted([*ALWAYS_THERE, 'a.copy'])
