"""Draws training curves, sums up training time, or tabulates the results of one or several runs from their logs.

python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/mine --keys loss UAR WAR --out curves.png
python tools/analysis_tools/analyze_logs.py cal_train_time work_dirs/mine
python tools/analysis_tools/analyze_logs.py summary work_dirs --keys UAR WAR --sort UAR

A log is a JSON file (work_dirs/RUN/TIME/vis_data/TIME.json), a work folder, of which all resumptions are joined, or a
folder of work folders.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np

from hicmae_mm.utils.files import csv_text, write_text
from hicmae_mm.visualization import Curve, draw_curves, save_figure, smooth
from hicmae_mm.visualization.run_log import RunLog, read_run_log
from hicmae_mm.visualization.run_summary import FACTS, default_measures, find_runs, lower_is_better, summarize

SHARES = re.compile(r'(.*/)?(UAR|WAR|ACC|PCC|CCC|\w+_f1|top\d+|recall)(/.*)?')
STYLES = ('darkgrid', 'whitegrid', 'dark', 'white', 'ticks')
PANELS = {
    'lr': 'learning rate',
    'grad_norm': 'gradient norm',
    'time': 'time per iteration (s)',
    'data_time': 'waiting for data per iteration (s)',
    'memory': 'GPU memory (MiB)',
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Analyse the logs of training runs')
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw curves')
    plot.add_argument('json_logs', nargs='+', help='JSON logs or work folders')
    plot.add_argument('--keys', nargs='+', help='what to draw, e.g. loss UAR lr; default: losses and validation scores')
    plot.add_argument('--legend', nargs='+', help='a name for every curve: logs x keys of them, keys running fastest')
    plot.add_argument('--title', default='', help='title of the picture')
    plot.add_argument('--style', choices=STYLES, help="one of seaborn's styles")
    plot.add_argument('--window-size', type=picture_size, help='size of the picture in inches, W*H, such as 12*7')
    plot.add_argument('--smooth', type=int, default=1, help='running mean over so many logged training values')
    plot.add_argument('--out', default='curves.png', help='picture to write (.png, .pdf, .svg)')
    plot.add_argument('--show', action='store_true', help='also open a window')
    timing = tasks.add_parser('cal_train_time', help='sum up training time')
    timing.add_argument('json_logs', nargs='+', help='JSON logs or work folders')
    timing.add_argument('--include-outliers', action='store_true', help='count the first logged value of every epoch')
    table = tasks.add_parser('summary', help='tabulate best and last measures of many runs')
    table.add_argument('work_dirs', nargs='+', help='work folders, folders of them, or JSON logs')
    table.add_argument(
        '--keys', nargs='+', help='measures; default: UAR and WAR (or PCC, CCC; the loss of pre-training)'
    )
    table.add_argument('--sort', help=f'a measure (best run first), or one of {", ".join(FACTS)}')
    table.add_argument('--format', choices=tuple(FORMATS), default='markdown', help='(default: %(default)s)')
    table.add_argument('--out', help='write the table to this file instead of printing it')
    return parser.parse_args(arguments)


def picture_size(text: str) -> tuple[float, float]:
    """Reads ``12*7``, as OpenMMLab writes sizes."""
    match = re.fullmatch(r'(\d+(?:\.\d+)?)\*(\d+(?:\.\d+)?)', text)
    if not match or not float(match[1]) * float(match[2]):
        raise argparse.ArgumentTypeError(f'expected width*height in inches, such as 12*7, got {text!r}')
    return float(match[1]), float(match[2])


def read_logs(paths: list[str]) -> list[RunLog]:
    """Reads all logs; ``scalars.json`` repeats the log beside it and is left out then."""
    folders = {Path(path).parent for path in paths if Path(path).name != 'scalars.json'}
    kept = [path for path in paths if Path(path).name != 'scalars.json' or Path(path).parent not in folders]
    return [read_run_log(run) for path in kept for run in find_runs(path)]


def default_keys(logs: list[RunLog]) -> list[str]:
    """Losses of training, and those measures of validation that are not of a single class or dimension."""
    train = dict.fromkeys(key for log in logs for line in log.train for key in line if 'loss' in key)
    val = dict.fromkeys(key for log in logs for key in log.val_keys if '/' not in key)
    scores = [key for key in val if key in ('UAR', 'WAR', 'PCC', 'CCC')] or list(val)
    return [*train, *scores]


def panel_of(key: str, logs: list[RunLog]) -> str:
    """Axes in which a key is drawn, by the label of their y axis."""
    if 'loss' in key:
        return 'loss'
    if any(key in log.val_keys for log in logs):
        return 'validation score'
    return PANELS.get(key, key)


def plot_curve(logs: list[RunLog], args: argparse.Namespace) -> None:
    """Draws and writes the picture.

    Raises:
        ValueError: If a key was not logged, or the legend does not fit.
    """
    keys = args.keys or default_keys(logs)
    single = len(logs) == 1
    legend = args.legend or [key if single else f'{log.name}: {key}' for log in logs for key in keys]
    if len(legend) != len(logs) * len(keys):
        raise ValueError(f'--legend needs {len(logs)} logs x {len(keys)} keys names, got {len(legend)}')
    curves = []
    names = iter(legend)
    for log in logs:
        for key in keys:
            x, y = log.series(key)
            window = args.smooth if any(key in line for line in log.train) else 1
            curves.append(Curve(next(names), x, smooth(y, window), panel_of(key, logs), bool(SHARES.fullmatch(key))))
    figure = None
    if args.style:
        matplotlib.style.use(f'seaborn-v0_8-{args.style}')
    if args.show:
        import matplotlib.pyplot as plt  # needs a display, which this tool else does without

        figure = plt.figure()
    x_label = 'epoch' if all(log.counts_epochs for log in logs) else 'iteration'
    figure = draw_curves(curves, x_label, args.title, figure=figure)
    if args.window_size:
        figure.set_size_inches(*args.window_size)
    print(f'wrote {save_figure(figure, args.out)}')
    if args.show:
        plt.show()


def cal_train_time(logs: list[RunLog], args: argparse.Namespace) -> None:
    """Prints time per iteration: average, and the slowest and fastest epoch."""
    for log in logs:
        by_epoch: dict[int, list[float]] = {}
        for line in log.train:
            if 'time' in line:
                by_epoch.setdefault(line.get('epoch', 1), []).append(line['time'])
        if not by_epoch:
            raise ValueError(f'{log.name} has no training line with a time')
        skipped = 0 if args.include_outliers else 1
        means = {epoch: np.mean(times[skipped:] or times) for epoch, times in by_epoch.items()}
        everything = np.concatenate([times[skipped:] or times for times in by_epoch.values()])
        slowest, fastest = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        print(f'-----Analyze train time of {log.name}-----')
        print(f'slowest epoch {slowest}, average time is {means[slowest]:.4f} s/iter')
        print(f'fastest epoch {fastest}, average time is {means[fastest]:.4f} s/iter')
        print(f'time std over epochs is {np.std(list(means.values())):.4f}')
        print(f'average iter time: {everything.mean():.4f} s/iter')


def summary(args: argparse.Namespace) -> None:
    """Prints or writes the table.

    Raises:
        ValueError: If no run has logged a measure, or the table cannot be sorted as asked.
    """
    paths = [run for path in args.work_dirs for run in find_runs(path)]
    logs = [read_run_log(path) for path in paths]
    measures = args.keys or default_measures(logs)
    known = dict.fromkeys(key for log in logs for key in (*log.val_keys, *log.keys))
    unknown = [key for key in measures if key not in known]
    if unknown:
        raise ValueError(f'no run has logged {unknown[0]!r}; they have {", ".join(known) or "no line at all"}')
    rows = [summarize(log, path, measures) for log, path in zip(logs, paths)]
    if args.sort in measures:
        sign = 1 if lower_is_better(args.sort) else -1
        rows.sort(key=lambda row: sign * row[args.sort]['best'] if row[args.sort] else np.inf)
    elif args.sort in FACTS:
        rows.sort(key=lambda row: (row[args.sort] is None, row[args.sort]))
    elif args.sort is not None:
        raise ValueError(f'--sort {args.sort}: expected one of {", ".join([*measures, *FACTS])}')
    text = FORMATS[args.format](rows, measures)
    if args.out is None:
        print(text, end='')
    else:
        write_text(Path(args.out), text)
        print(f'wrote {args.out}')


def to_markdown(rows: list[dict[str, Any]], measures: list[str]) -> str:
    """Returns a table for a page: measures with four places, and the epoch of the best."""
    heads = ['run', 'config', 'date', 'epochs', 'iterations', 'training time']
    heads += [text for key in measures for text in (f'best {key} (epoch)', f'last {key}')]
    lines = [heads, ['---'] * len(heads)]
    for row in rows:
        seconds = round(row['train_seconds'])
        time = f'{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}'
        cells = [row['run'], row['config'], row['date'], row['epochs'] or '-', row['iterations'], time]
        for key in measures:
            found = row[key]
            cells += [f'{found["best"]:.4f} ({found["best_at"]:g})', f'{found["last"]:.4f}'] if found else ['-', '-']
        lines.append([str(cell) for cell in cells])
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def to_csv(rows: list[dict[str, Any]], measures: list[str]) -> str:
    """Returns one line per run with exact numbers. What was not logged is empty."""
    parts = ('best', 'best_at', 'last')
    return csv_text(
        [
            {name: row[name] for name in FACTS}
            | {f'{part}_{key}': (row[key] or {}).get(part) for key in measures for part in parts}
            for row in rows
        ]
    )


def to_json(rows: list[dict[str, Any]], measures: list[str]) -> str:  # noqa: ARG001 (one signature for all formats)
    """Returns the runs as a list."""
    return json.dumps(rows, indent=2) + '\n'


FORMATS = {'markdown': to_markdown, 'csv': to_csv, 'json': to_json}


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the task."""
    args = parse_args(arguments)
    if args.task == 'summary':
        summary(args)
    else:
        {'plot_curve': plot_curve, 'cal_train_time': cal_train_time}[args.task](read_logs(args.json_logs), args)


if __name__ == '__main__':
    sys.exit(main())
