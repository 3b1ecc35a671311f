"""Draws training curves or sums up training time from the logs of one or several runs.

python tools/analysis_tools/analyze_logs.py plot_curve work_dirs/mine --keys loss UAR WAR --out curves.png
python tools/analysis_tools/analyze_logs.py cal_train_time work_dirs/mine

A log is a JSON file (work_dirs/RUN/TIME/vis_data/TIME.json) or a work folder, of which all resumptions are joined.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.style
import numpy as np

from hicmae_mm.visualization import Curve, draw_curves, save_figure, smooth
from hicmae_mm.visualization.run_log import RunLog, read_run_log

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
    parser = argparse.ArgumentParser(description='Analyse the logs of training runs')
    tasks = parser.add_subparsers(dest='task', required=True)
    plot = tasks.add_parser('plot_curve', help='draw curves')
    plot.add_argument('json_logs', nargs='+', help='JSON logs or work folders')
    plot.add_argument('--keys', nargs='+', help='what to draw, e.g. loss UAR lr; default: losses and validation scores')
    plot.add_argument('--legend', nargs='+', help='a name for every curve: logs x keys of them, keys running fastest')
    plot.add_argument('--title', default='', help='title of the picture')
    plot.add_argument('--style', choices=STYLES, help="one of seaborn's styles")
    plot.add_argument('--window-size', type=int, default=1, help='running mean over so many logged training values')
    plot.add_argument('--out', default='curves.png', help='picture to write (.png, .pdf, .svg)')
    plot.add_argument('--show', action='store_true', help='also open a window')
    timing = tasks.add_parser('cal_train_time', help='sum up training time')
    timing.add_argument('json_logs', nargs='+', help='JSON logs or work folders')
    timing.add_argument('--include-outliers', action='store_true', help='count the first logged value of every epoch')
    return parser.parse_args(arguments)


def read_logs(paths: list[str]) -> list[RunLog]:
    """Reads all logs; ``scalars.json`` repeats the log beside it and is left out then."""
    folders = {Path(path).parent for path in paths if Path(path).name != 'scalars.json'}
    kept = [path for path in paths if Path(path).name != 'scalars.json' or Path(path).parent not in folders]
    return [read_run_log(path) for path in kept]


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
        ValueError: if a key was not logged, or the legend does not fit.
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
            window = args.window_size if any(key in line for line in log.train) else 1
            curves.append(Curve(next(names), x, smooth(y, window), panel_of(key, logs), bool(SHARES.fullmatch(key))))
    figure = None
    if args.style:
        matplotlib.style.use(f'seaborn-v0_8-{args.style}')
    if args.show:
        import matplotlib.pyplot as plt  # needs a display, which this tool else does without

        figure = plt.figure()
    x_label = 'epoch' if all(log.counts_epochs for log in logs) else 'iteration'
    print(f'wrote {save_figure(draw_curves(curves, x_label, args.title, figure=figure), args.out)}')
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the task."""
    args = parse_args(arguments)
    try:
        logs = read_logs(args.json_logs)
        {'plot_curve': plot_curve, 'cal_train_time': cal_train_time}[args.task](logs, args)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
