"""Draws the confusion matrix of a checkpoint, or of predictions that tools/test.py has written.

python tools/analysis_tools/confusion_matrix.py CONFIG CHECKPOINT --out confusion.png
python tools/analysis_tools/confusion_matrix.py CONFIG results.pkl --out confusion.png

With a checkpoint the config's test set is run. `--out matrix.pkl` writes the counts instead of a picture, `.json` too.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process

from hicmae_mm.config.folds import dataset_meta
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.engine import build_runner
from hicmae_mm.evaluation.clip_result import names_for
from hicmae_mm.evaluation.functional import confusion_matrix, unweighted_average_recall, weighted_average_recall
from hicmae_mm.evaluation.predictions import PICKLES, read_predictions, scores_and_labels
from hicmae_mm.utils.files import replaced_file, write_text
from hicmae_mm.visualization import draw_confusion_matrix, save_figure

ELSEWHERE = {
    '--label-file': "the names of the classes are the config's",
    '--target-classes': 'all classes are drawn; --out FILE.json holds the counts of each',
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Draw a confusion matrix')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint_or_result', help='checkpoint, or predictions (.pkl, .json, tools/test.py --out)')
    parser.add_argument(
        '--out', help='picture (.png, .pdf, .svg), or counts (.pkl, .json); default: confusion_matrix.png'
    )
    parser.add_argument('--show-path', help='picture to write besides --out')
    parser.add_argument('--title', help='title of the picture; default: UAR and WAR')
    parser.add_argument('--cmap', default='Blues', help='name of a matplotlib colour map')
    values = parser.add_mutually_exclusive_group()
    values.add_argument('--no-values', action='store_true', help='leave the cells empty')
    values.add_argument('--include-values', action='store_true', help='write into the cells, which is the default')
    parser.add_argument('--show', action='store_true', help='also open a window')
    parser.add_argument('--work-dir', help='folder of logs when a checkpoint is tested; default: a temporary one')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    return parser.parse_args(arguments)


def test_checkpoint(cfg: Config, checkpoint: str, work_dir: str) -> list[dict[str, Any]]:
    """Runs the test set and returns the predictions."""
    results = Path(work_dir) / 'predictions.pkl'
    cfg.update(work_dir=work_dir, load_from=checkpoint, resume=False)
    evaluator = cfg.test_evaluator
    evaluators = list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
    cfg.test_evaluator = [*evaluators, {'type': 'DumpPredictions', 'out_file_path': str(results)}]
    build_runner(cfg).test()
    return read_predictions(results) if is_main_process() else []


def count(predictions: list[dict[str, Any]]) -> np.ndarray:
    """Counts ``(C, C)``, row = label, column = prediction.

    Raises:
        ValueError: If a sample lacks scores or label.
    """
    scores, labels = scores_and_labels(predictions)
    return confusion_matrix(scores.argmax(axis=1), labels, scores.shape[1])


def class_names(cfg: Config, num_classes: int) -> Sequence[str]:
    """Returns names from the config's test set (its ``metainfo``, its class), or indices."""
    return names_for(dataset_meta(cfg).get('classes'), num_classes)


def write(confusion: np.ndarray, names: Sequence[str], args: argparse.Namespace) -> None:
    """Writes counts or picture, and shows the picture if asked to."""
    uar, war = unweighted_average_recall(confusion), weighted_average_recall(confusion)
    print(f'UAR {uar:.4f}, WAR {war:.4f} over {confusion.sum()} clips')
    targets = [Path(target) for target in (args.out, args.show_path) if target] or [Path('confusion_matrix.png')]
    pictures = [target for target in targets if target.suffix not in ('.pkl', '.json')]
    for out in (target for target in targets if target not in pictures):
        if out.suffix == '.pkl':
            with replaced_file(out) as partial:
                mmengine.dump(confusion, partial, file_format='pkl')
        else:
            write_text(out, json.dumps({'classes': list(names), 'confusion_matrix': confusion.tolist()}, indent=2))
    if args.show or pictures:
        figure = None
        if args.show:
            import matplotlib.pyplot as plt  # needs a display, which this tool else does without

            figure = plt.figure()
        title = f'UAR {uar:.3f}, WAR {war:.3f}' if args.title is None else args.title
        figure = draw_confusion_matrix(confusion, names, title, not args.no_values, args.cmap, figure)
        for out in pictures:
            save_figure(figure, out)
        if args.show:
            plt.show()
    print(f'wrote {", ".join(map(str, targets))}')


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Tests or reads, counts and draws."""
    args = parse_args(arguments)
    if not Path(args.checkpoint_or_result).is_file():
        raise FileNotFoundError(f'{args.checkpoint_or_result} does not exist')
    cfg = load_config(args.config, args.cfg_options)
    if Path(args.checkpoint_or_result).suffix in (*PICKLES, '.json'):
        predictions = read_predictions(args.checkpoint_or_result)
    else:
        with tempfile.TemporaryDirectory() as folder:
            predictions = test_checkpoint(cfg, args.checkpoint_or_result, args.work_dir or folder)
    confusion = count(predictions)
    write(confusion, class_names(cfg, len(confusion)), args)


if __name__ == '__main__':
    sys.exit(main())
