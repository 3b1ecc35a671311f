"""Writes the tables of docs/benchmarks.md from the results of `benchmarks/run.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.jobs import PARTS

Results = Mapping[str, Any]
# measured with the published code on two cores without a GPU, float32, base, batch 4: share of the matrix-multiply
# rate, and peak memory in GB; then milliseconds per clip of its data pipeline in one thread of that machine
PUBLISHED_MODEL = {'pretrain': (0.51, 3.6), 'finetune': (0.55, 5.6), 'infer': (0.79, None)}
PUBLISHED_DATA = {'pretrain': 75.0, 'shards': 75.0, 'finetune': 54.0, 'test': 148.0}
TITLES = {
    'pretrain': 'pre-training',
    'finetune': 'fine-tuning',
    'infer': 'inference',
    'shards': 'pre-training, shards of 160x160 JPEG and flac',
    'test': 'testing, all views, 256x256 JPEG and wav',
}
DATA_TITLES = TITLES | {
    'pretrain': 'pre-training, 224x224 H.264 and wav',
    'finetune': 'fine-tuning, 256x256 JPEG and wav',
}
VARIANTS = {
    'baseline': 'all of the published style',
    'compile': '`torch.compile`',
    'checkpointing': 'activation checkpointing',
    'attention': 'attention in single operations',
    'linear': 'default linear layers and GELU, all results stored',
    'patches': 'all patches embedded',
    'targets': 'targets of all patches',
    'optimizer': 'AdamW not fused',
    'sync': 'losses and gradient norm read in every step',
    'precision': 'float16 with loss scaling',
}
RANKS = {
    'alone': 'one rank',
    'independent': '{} ranks that know nothing of each other',
    'data_parallel': '{} ranks, data parallel',
    'sharded': '{} ranks, fully sharded',
}
# of the version before this part was made quicker (fac7ff4), within the hour of the measurement of 2026-11-21
BEFORE_QUICKSTART_SECONDS = 532


def gigabytes(mebibytes: float) -> float:
    """Converts MiB to 10^9 bytes."""
    return mebibytes * 2**20 / 1e9


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [f'| {" | ".join(head)} |', '|---' * len(head) + '|']
    return '\n'.join([*lines, *(f'| {" | ".join(row)} |' for row in rows)])


def done(part: Mapping[str, Any]) -> dict[str, Any]:
    """Results of the jobs that succeeded."""
    return {name: job['result'] for name, job in part['jobs'].items() if 'result' in job}


def model_tables(part: Mapping[str, Any], published: Mapping[str, tuple[float, float | None]]) -> Iterator[str]:
    """Writes speed and memory of steps, and what variants of them change.

    Speeds compare by their shares of the rate beside them, which a machine that slows down does not change.
    """
    rows, variants = [], []
    for name, reports in done(part).items():
        by_variant = {report['variant']: report for report in reports}
        plain, style = by_variant['plain'], by_variant.get('baseline')
        reference = published.get(name)
        rows.append(
            [
                TITLES[name],
                '' if reference is None else share(*reference),
                '' if style is None else f'{share(style["matmul_fraction"], memory_of(style))}',
                f'**{plain["matmul_fraction"]:.2f}**, {memory_of(plain):.1f} GB',
                '' if style is None else f'**{plain["matmul_fraction"] / style["matmul_fraction"]:.2f}**',
                '' if style is None else f'{memory_of(plain) / memory_of(style):.2f}',
                f'{plain["seconds_per_iter"]:.3g} s of {plain["batch_size"]}, {plain["clips_per_s"]:.3g}/s',
                f'{plain["gflops_per_s"]:.0f} of {plain["matmul_gflops_per_s"]:.0f}',
            ]
        )
        variants += [variant_row(name, report, plain) for report in reports if report['variant'] != 'plain']
    if rows:
        yield table(
            [
                *('step', 'published', 'its style, here', 'here', 'times as fast as its style'),
                *('memory over its style', 'time', 'GFLOP/s'),
            ],
            rows,
        )
    if variants:
        yield table(['step', 'with', 'time', 'memory', 'share of the rate', ''], variants)


def share(fraction: float, memory_gb: float | None) -> str:
    """Returns the table of speed, as a share of the matrix-multiply rate, and of memory."""
    return f'{fraction:.2f}' + ('' if memory_gb is None else f', {memory_gb:.1f} GB')


def memory_of(report: Mapping[str, Any]) -> float:
    """Returns the peak memory in GB."""
    return gigabytes(report['peak_memory_mb'])


def variant_row(name: str, report: Mapping[str, Any], plain: Mapping[str, Any]) -> list[str]:
    """Returns the table of what a variant costs or saves, compared with the plain model."""
    note = ''
    if 'compile_seconds' in report:
        note = f'compiling {report["compile_seconds"]:.0f} s, {report["graph_breaks"]} graph breaks, '
        note += f'{report["recompiled_graphs"]} compiled later'
    return [
        TITLES[name],
        VARIANTS[report['variant']],
        f'{plain["matmul_fraction"] / report["matmul_fraction"]:.2f}',
        f'{report["peak_memory_mb"] / plain["peak_memory_mb"]:.2f} ({memory_of(report):.2f} GB)',
        f'{report["matmul_fraction"]:.2f}',
        note,
    ]


def data_tables(part: Mapping[str, Any]) -> Iterator[str]:
    """Clips per second of the pipelines, against the published one, and where the time goes."""
    results = done(part)
    rows, stages, workers = [], [], []
    for name, report in results.items():
        if name.startswith('published_'):
            continue
        if name.endswith('_workers'):
            workers.append(worker_row(name, report))
            continue
        plainly = results.get(f'published_{"pretrain" if name == "shards" else name}')
        milliseconds = 1000 / report['clips_per_s']
        rows.append(
            [
                DATA_TITLES[name],
                f'{report["clips_per_s"]:.0f}/s, {milliseconds:.1f} ms',
                f'{PUBLISHED_DATA[name]:.0f} ms',
                f'**{PUBLISHED_DATA[name] / milliseconds:.1f}**',
                '' if plainly is None else f'{1000 * plainly["seconds_per_clip"]:.0f} ms',
                '' if plainly is None else f'**{1000 * plainly["seconds_per_clip"] / milliseconds:.1f}**',
            ]
        )
        spent = report['milliseconds_per_clip']
        amount = report['megabytes_per_clip']
        slowest = sorted(report['milliseconds_per_transform'].items(), key=lambda item: -item[1])[:4]
        stages.append(
            [
                DATA_TITLES[name],
                *(f'{spent[stage]:.2f}' for stage in ('read', 'decode', 'transform', 'collate')),
                '' if amount is None else f'{amount:.2f}',
                ', '.join(f'{step} {value:.1f}' for step, value in slowest),
            ]
        )
    if rows:
        head = ['pipeline', 'here', 'published', 'times as fast', 'its steps written plainly, here', 'times as fast']
        yield table(head, rows)
        yield 'Milliseconds per clip, and what is read of it:'
        yield table(['pipeline', 'read', 'decode', 'transform', 'collate', 'MB', 'slowest steps, ms'], stages)
    if workers:
        yield table(['worker processes', 'clips/s', 'per worker', 'one thread alone'], workers)


def worker_row(name: str, report: Mapping[str, Any]) -> list[str]:
    """Clips per second of worker processes."""
    return [
        f'{DATA_TITLES[name.removesuffix("_workers")]}, {report["workers"]}',
        *(f'{report[key]:.0f}' for key in ('clips_per_s', 'clips_per_s_per_worker', 'clips_per_s_in_process')),
    ]


def list_tables(part: Mapping[str, Any]) -> Iterator[str]:
    """Returns the start and memory of a long list."""
    for found in done(part).values():
        worker = found['workers'][0]
        yield table(
            ['lines', 'start', 'main process', 'at the peak', 'a worker, own memory', 'its growth over its samples'],
            [
                [
                    f'{found["clips"]:,}'.replace(',', ' '),
                    f'{found["open_seconds"]["wall"]:.2f} s',
                    f'+{found["main_extra"]:.0f} MiB',
                    f'+{found["main_peak_extra"]:.0f} MiB',
                    f'{worker["private_at_start"]:.0f} MiB',
                    f'{worker["growth"]:+.1f} MiB',
                ]
            ],
        )


def rank_tables(part: Mapping[str, Any]) -> Iterator[str]:
    """Returns the speed of several ranks against one."""
    for found in done(part).values():
        rows = [
            [
                RANKS[way].format(found['ranks']),
                f'{rate:.3g}',
                f'{found["ratio_to_one_rank"][way]:.2f}' if way in found['ratio_to_one_rank'] else '1',
                f'{found["communication_share"][way]:.0%}' if way in found['communication_share'] else '',
            ]
            for way, rate in found['clips_per_s'].items()
        ]
        head = [f'pre-training, {found["batch_size_per_rank"]} clips per rank', 'clips/s', 'times one rank']
        yield table([*head, 'spent on communication'], rows)


def number_tables(part: Mapping[str, Any]) -> Iterator[str]:
    """Returns a table of all numbers of a part."""
    for result in done(part).values():
        rows = [[key, value] for key, value in numbers_of(result)]
        if rows:
            yield table(['what', 'value'], rows)


def numbers_of(value: Any, name: str = '') -> Iterator[tuple[str, str]]:
    """Yields names and numbers of nested dictionaries and lists."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from numbers_of(item, f'{name} {key}'.strip())
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from numbers_of(item, f'{name} {index}'.strip())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name.replace('_', ' '), f'{value:.4g}' if isinstance(value, float) else str(value)


def quickstart_tables(part: Mapping[str, Any]) -> Iterator[str]:
    """Returns the time and scores of the quickstart."""
    for found in done(part).values():
        seconds = found['total_seconds']
        scores = ', '.join(f'{title} {score:.3f}' for title, score in found['UAR'].items())
        ratio = BEFORE_QUICKSTART_SECONDS / seconds
        yield (
            f'{seconds:.0f} s, **{ratio:.2f}** times as fast as before ({BEFORE_QUICKSTART_SECONDS} s). UAR: {scores}.'
        )


TABLES: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    'model': lambda part: model_tables(part, PUBLISHED_MODEL),
    'data': data_tables,
    'lists': list_tables,
    'ranks': rank_tables,
    'gpu': lambda part: model_tables(part, {}),
    'export': number_tables,
    'quickstart': quickstart_tables,
}
PICTURES = {'model': 'Share of the matrix-multiply rate and peak memory', 'data': 'Milliseconds per clip'}


def block(part: str, results: Results) -> str:
    """Returns the text of a part: machine and date, tables, commands, and what failed."""
    if part not in results:
        return f'Not measured yet: `python benchmarks/run.py --only {part}`.'
    measured = results[part]
    where = measured['machine']
    if 'not_measured' in measured:
        return f'{measured["date"]}, {where["processor"]}: {measured["not_measured"]}.'
    device = f', {where["gpu"]}' if where['gpu'] else ''
    sections = [
        f'{measured["date"]}, commit {measured["commit"]}; {where["processor"]}, {where["cores"]} cores{device}, '
        f'{where["memory_gb"]:.0f} GB; {where["system"]}, torch {where["packages"]["torch"]}.'
    ]
    sections += TABLES[part](measured)
    if part in PICTURES and done(measured):
        sections.append(f'![{PICTURES[part]}](benchmarks/{part}.png)')
    sections += [f'Failed: {name}: `{job["error"]}`' for name, job in measured['jobs'].items() if 'error' in job]
    commands = '\n'.join(f'{job["command"]}' for job in measured['jobs'].values())
    return '\n\n'.join([*sections, f'Commands:\n\n```text\n{commands}\n```'])


def fill_page(page: str, results: Results) -> str:
    """Returns the page with new generated parts.

    Raises:
        ValueError: If a part has no place in the page.
    """
    for part in PARTS:
        begin, end = f'<!-- generated: begin {part} -->', f'<!-- generated: end {part} -->'
        pattern = re.compile(f'{re.escape(begin)}.*?{re.escape(end)}', re.S)
        text = f'{begin}\n\n{block(part, results)}\n\n{end}'
        page, count = pattern.subn(lambda _, text=text: text, page)
        if count != 1:
            raise ValueError(f'the page has {count} places between {begin} and {end}, expected one')
    return page
