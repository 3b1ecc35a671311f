"""Measures predictions that tools/test.py has written, by the metrics of a config.

python tools/analysis_tools/eval_metric.py CONFIG predictions.pkl --out metrics.json

The predictions of models of several folds on one list are averaged: the logits of classes, and the values.

python tools/analysis_tools/eval_metric.py CONFIG fold1.pkl fold2.pkl fold3.pkl

The predictions of one model at several missing rates are measured one by one, and the area under every measure:

python tools/analysis_tools/eval_metric.py CONFIG all.pkl half.pkl none.pkl --missing-rates 0 0.5 1

No model is built and no file of the data set is opened. Other metrics: `--cfg-options test_evaluator.auc=True`.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import mmengine
from mmengine.registry import init_default_scope

from hicmae_mm.config.folds import dataset_meta
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.evaluation.ensembles import average_models
from hicmae_mm.evaluation.folds import FoldEvaluator
from hicmae_mm.evaluation.functional import area_over_missing_rates
from hicmae_mm.evaluation.predictions import Samples, read_predictions
from hicmae_mm.utils.files import replaced_file

ELSEWHERE = {
    '--metric --metrics --eval': "the metrics are the config's: --cfg-options test_evaluator.type=ClassificationMetric",
    '--num-classes': "the number of classes is the config's",
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure stored predictions')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'predictions', nargs='+', help='predictions (.pkl, tools/test.py --out); those of several models are averaged'
    )
    parser.add_argument(
        '--missing-rates', type=float, nargs='+', help='missing rate of each file of predictions, for the area under it'
    )
    parser.add_argument('--out', help='also write the measures to this file (.json, .yaml, .pkl)')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(argv)
    rates = args.missing_rates
    if rates is not None and (len(set(rates)) < 2 or len(set(rates)) != len(args.predictions)):
        parser.error(f'--missing-rates needs a rate of its own for each of {len(args.predictions)} files, two or more')
    return args


def measure_rates(evaluator: FoldEvaluator, parts: Mapping[float, Samples]) -> dict[str, float]:
    """Computes every measure at every missing rate, and the area under it."""
    found = {rate: evaluator.measure(samples) for rate, samples in sorted(parts.items())}
    measures: dict[str, float] = {}
    for key in next(iter(found.values())):
        measures |= {f'{key} at {rate:g}': values[key] for rate, values in found.items()}
        measures[f'{key} area'] = area_over_missing_rates({rate: values[key] for rate, values in found.items()})
    return measures


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Measures."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    if not cfg.get('test_evaluator'):
        raise ValueError(f'{args.config} has no test_evaluator')
    parts = [read_predictions(path) for path in args.predictions]
    evaluator = FoldEvaluator(cfg.test_evaluator, dataset_meta(cfg))
    if args.missing_rates is not None:
        measures = measure_rates(evaluator, dict(zip(args.missing_rates, parts)))
    else:
        measures = evaluator.measure(parts[0] if len(parts) == 1 else average_models(parts))
    if args.out is not None:
        with replaced_file(Path(args.out)) as partial:
            mmengine.dump(measures, partial, file_format=Path(args.out).suffix[1:])
    width = max(map(len, measures))
    print('\n'.join(f'{key:<{width}}  {value:.4f}' for key, value in measures.items()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
