"""Shows the clips that a model does best and worst on, from predictions that tools/test.py has written.

python tools/analysis_tools/analyze_results.py CONFIG predictions.pkl --out-dir results --topk 10

Clips are ranked by the score of their true class; of values, by the mean absolute error. The folder then holds

* `best.png` and `worst.png`: contact sheets of the first and last so many, and `best/`, `worst/`: a picture of each,
* `results.csv`: every annotated clip with its rank,
* `README.md`: both sheets and what stands out, class by class.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import init_default_scope

from hicmae_mm.config.collation import Collate, collate_of
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.datasets import SampleIndex
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.evaluation.clip_result import ClipResult, rank
from hicmae_mm.evaluation.predictions import read_predictions
from hicmae_mm.registry import DATASETS
from hicmae_mm.utils.files import csv_text, write_text
from hicmae_mm.visualization import draw_contact_sheet, draw_prediction, save_figure
from hicmae_mm.visualization.hooks.prediction_visualization import safe_file_name

ROWS_PER_SHEET = 20


ELSEWHERE = {
    '--rescale-factor': '--num-frames says how large a picture becomes',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Show the best and the worst clips')
    parser.add_argument('config', help='config file')
    parser.add_argument('result', help='predictions (.pkl, tools/test.py --out)')
    parser.add_argument('--out-dir', default='results', help='folder to write (default: %(default)s)')
    parser.add_argument('--topk', type=int, default=20, help='clips of each kind (default: %(default)s)')
    parser.add_argument('--num-frames', type=int, default=4, help='frames of a clip (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(argv)
    if min(args.topk, args.num_frames) < 1:
        parser.error('--topk and --num-frames must be at least 1')
    return args


def positions(dataset: Sequence[Any]) -> dict[str, int]:
    """Returns the position of every clip in the data set, by name.

    Raises:
        ValueError: If the data set does not tell.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} has no list of clips: test from media files, not from shards')
    return {str(dataset.get_data_info(index)['sample_id']): index for index in range(len(dataset))}


def look(result: ClipResult, dataset: Sequence[Any], index: int, collate: Collate) -> None:
    """Reads what the model was given of a clip (its first view); says so if the media cannot be read."""
    try:
        result.add_inputs(collate([dataset[SampleIndex(index, 0, 0)]])['inputs'])
    except (MediaError, FileNotFoundError) as error:
        print(f'without pictures: {error}', file=sys.stderr)


def draw(kind: str, results: list[ClipResult], args: argparse.Namespace) -> None:
    """Writes the contact sheet of best or worst clips, and a picture of each."""
    folder = Path(args.out_dir)
    for number, result in enumerate(results, start=1):
        figure = draw_prediction(
            result.frames,
            result.spectrogram,
            result.names,
            result.predicted.tolist(),
            label=result.label,
            values=None if result.values is None else result.values.tolist(),
            title=result.title,
            regression=result.is_regression,
            num_frames=2 * args.num_frames,
        )
        save_figure(figure, folder / kind / f'{number:03d}_{safe_file_name(result.sample_id)}.png')
    shown = results[:ROWS_PER_SHEET]
    title = f'{kind} {len(shown)} clips'
    save_figure(draw_contact_sheet(shown, title, args.num_frames), folder / f'{kind}.png')


def to_csv(ranked: list[ClipResult]) -> str:
    """Returns every clip with its rank, as CSV text."""
    return csv_text(
        [dict(rank=rank, sample_id=result.sample_id) | _scores(result) for rank, result in enumerate(ranked, 1)]
    )


def _scores(result: ClipResult) -> dict[str, Any]:
    if result.is_regression:
        assert result.values is not None
        columns: dict[str, Any] = dict(mean_absolute_error=-result.goodness)
        for name, true, predicted in zip(result.names, result.values, result.predicted):
            columns |= {f'true_{name}': float(true), f'predicted_{name}': float(predicted)}
        return columns
    assert result.label is not None
    said = int(result.predicted.argmax())
    return dict(
        true=result.names[result.label],
        predicted=result.names[said],
        is_right=int(said == result.label),
        score_of_true_class=result.goodness,
    )


def to_page(ranked: list[ClipResult], args: argparse.Namespace) -> str:
    """Returns a page with both sheets, and for classes a table of the most frequent mistakes."""
    lines = [f'# Best and worst of {len(ranked)} clips', '', f'Of `{args.result}`; every clip is in `results.csv`.', '']
    if not ranked[0].is_regression:
        pairs: dict[tuple[str, str], list[float]] = {}
        for result in ranked:
            assert result.label is not None
            said = int(result.predicted.argmax())
            if said != result.label:
                pairs.setdefault((result.names[result.label], result.names[said]), []).append(result.goodness)
        commonest = sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0]))[:10]
        lines += ['| true | predicted | clips | mean score of the true class |', '|---|---|---|---|']
        lines += [f'| {true} | {said} | {len(s)} | {np.mean(s):.2f} |' for (true, said), s in commonest] + ['']
    return '\n'.join(
        [*lines, '## Worst', '', '![worst clips](worst.png)', '', '## Best', '', '![best clips](best.png)']
    )


def analyze(args: argparse.Namespace) -> None:
    """Ranks and draws.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the predictions are of other clips, or without labels.
    """
    cfg = load_config(args.config, args.cfg_options)
    samples = read_predictions(args.result)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    if not cfg.get('test_dataloader'):
        raise ValueError(f'{args.config} has no test_dataloader')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    where = positions(dataset)
    ranked = rank(ClipResult.of(sample, dataset.metainfo) for sample in samples)
    unknown = [result.sample_id for result in ranked if result.sample_id not in where]
    if unknown:
        raise ValueError(f'{unknown[0]!r} and {len(unknown) - 1} more clips of {args.result} are not in the test set')
    chosen = {'best': ranked[: args.topk], 'worst': ranked[: -args.topk - 1 : -1]}
    for kind, results in chosen.items():
        for result in results:
            look(result, dataset, where[result.sample_id], collate_of(cfg, 'test'))
        draw(kind, results, args)
    write_text(Path(args.out_dir) / 'results.csv', to_csv(ranked))
    write_text(Path(args.out_dir) / 'README.md', to_page(ranked, args) + '\n')
    print(f'wrote best.png, worst.png, results.csv and README.md of {len(ranked)} clips into {args.out_dir}')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Shows."""
    args = parse_args(argv)
    analyze(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
