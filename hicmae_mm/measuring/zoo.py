"""Makes the measured table of all models: the models that are measured, what is stored of each, and the text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from hicmae_mm.measuring.metafile import PRETRAINING, read_metafile
from hicmae_mm.utils.files import write_text

Record = dict[str, Any]
MARKS = ('<!-- zoo: begin -->', '<!-- zoo: end -->')
TITLES = (
    'model',
    'parameters (M)',
    'MAC (G)',
    'training step (s)',
    'share of matmul rate',
    'memory (GB)',
    'inference (s)',
    'share of matmul rate',
    'memory (GB)',
    'UAR',
)


@dataclass(frozen=True)
class ZooModel:
    """Describes a model to measure.

    Attributes:
        config: The config that describes it.
        alike: Names of further configs whose model has the same size and work, such as those of other corpora.
    """

    config: Path
    alike: tuple[str, ...] = ()


def listed_models(root: Path) -> list[ZooModel]:
    """Returns one model per size that the metafiles below ``root/configs`` describe, with two digits of size and work.

    Raises:
        FileNotFoundError: If there is no metafile.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    metafiles = sorted((root / 'configs').rglob('metafile.yml'))
    if not metafiles:
        raise FileNotFoundError(f'{root / "configs"} has no metafile.yml, so no models are known; name configs instead')
    for entry in (entry for path in metafiles for entry in read_metafile(path)['Models']):
        sizes, task = entry['Metadata'], entry['Results'][0]['Task']
        digits = (f'{sizes["Parameters"]:.1e}', f'{sizes["FLOPs"]:.1e}')
        groups.setdefault((entry['In Collection'], task == PRETRAINING, *digits), []).append(entry)
    models = []
    for entries in groups.values():
        first, *others = sorted(entries, key=lambda entry: (len(entry['Name']), entry['Name']))
        models.append(ZooModel(root / first['Config'], tuple(entry['Name'] for entry in others)))
    return sorted(models, key=lambda model: (model.config.parent.name != 'configs', model.config))


def digest(cfg: Config, settings: Mapping[str, Any]) -> str:
    """Returns the hash of what a measurement depends on: model, optimizer, and how it is measured."""
    text = json.dumps([str(cfg.model), str(cfg.get('optim_wrapper')), dict(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_records(path: Path) -> dict[str, Record]:
    """Reads the stored measurements by name; there are none if there is no such file.

    Raises:
        ValueError: If a line is no measurement.
    """
    records: dict[str, Record] = {}
    lines = path.read_text(encoding='utf-8').splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            records[record['name']] = record
            if not {'digest', 'date'} <= set(record):
                raise KeyError('digest')
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f'{path}, line {number}: no measurement of zoo.py; delete the line or the file') from error
    return records


def write_records(path: Path, records: Mapping[str, Record]) -> None:
    """Stores measurements, one line of JSON each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, ''.join(json.dumps(record) + '\n' for record in records.values()))


def matmul_work(report: Mapping[str, Any]) -> float:
    """Multiplies the time of a step by the machine's rate: the GFLOP of matrix products that fit into that time."""
    return float(report['nominal_gflop_per_clip'] * report['batch_size'] / report['matmul_fraction'])


def table(records: Sequence[Record], ratios: Iterable[Record], about: str) -> str:
    """Returns the text between the marks.

    Args:
        records: Measurements in the order of rows.
        ratios: Measured comparisons of two models.
        about: Machine and settings, a sentence.
    """
    lines = [about, '', f'| {" | ".join(TITLES)} |', '|' + '---|' * len(TITLES)]
    lines += [_row(record) for record in records]
    notes = [_note(ratio) for ratio in ratios]
    return '\n'.join([*lines, *(['', *notes] if notes else [])]) + '\n'


def _row(record: Record) -> str:
    alike = len(record['alike'])
    name = f'`{record["name"]}`' + (f' and {alike} more' if alike else '')
    cells = [name, f'{record["parameters"] / 1e6:.1f}', f'{record["macs"] / 1e9:.3g}']
    for mode in ('train', 'infer'):
        report = record['reports'].get(mode)
        if report is None:
            cells += ['', '', '']
        elif 'too_big' in report:
            cells += [f'too big for {report["too_big"]:.1f} GB', '', '']
        else:
            cells += [
                f'{report["seconds_per_iter"]:.2g}',
                f'{report["matmul_fraction"]:.2f}',
                f'{report["peak_memory_mb"] / 1024:.1f}',
            ]
    cells.append(f'{record["uar"]:.1f}' if record.get('uar') is not None else '')
    return f'| {" | ".join(cells)} |'.replace('|  ', '| ')


def _note(ratio: Record) -> str:
    modes = {'train': 'a training step', 'infer': 'inference'}
    values = ' and '.join(f'{ratio[mode]:.2f} of the time in {modes[mode]}' for mode in modes if mode in ratio)
    return (
        f'On the same clips, `{ratio["models"][0]}` takes {values} of `{ratio["models"][1]}`, with '
        f'{ratio["macs"]:.2f} of its multiply-accumulates (median of {ratio["rounds"]} rounds, one after the other, '
        f'time against the matmul rate; {ratio["date"]}).'
    )
