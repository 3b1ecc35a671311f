from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
import torch

from hicmae_mm.evaluation import folds as F
from hicmae_mm.evaluation.functional import classification_measures, concordance_correlation

CLASSES = dict(classes=('anger', 'joy', 'fear'))


def _classified(fold: int, labels: list[int], predictions: list[int], seed: int = 0) -> F.FoldPredictions:
    samples = [
        {
            'sample_idx': index,
            'sample_id': f'{fold}_{index}.mp4',
            'pred_score': torch.eye(3)[predicted],
            'gt_label': torch.tensor([label]),
        }
        for index, (label, predicted) in enumerate(zip(labels, predictions))
    ]
    return F.FoldPredictions(fold, seed, f'best_UAR_epoch_{fold}.pth', samples)


ONE = _classified(1, [0, 0, 1, 2], [0, 1, 1, 2])  # UAR (1/2 + 1 + 1) / 3, WAR 3/4
TWO = _classified(2, [0, 1], [0, 0])  # UAR 1/2, WAR 1/2


def _table(**predictions: list[F.FoldPredictions]) -> dict[str, Any]:
    evaluator = F.FoldEvaluator(dict(type='ClassificationMetric', topk=()), CLASSES)
    return F.fold_table(predictions, evaluator)


def test_folds_pooled_mean_and_deviation_by_hand() -> None:
    best = _table(best=[ONE, TWO])['results']['best']
    assert [run['measures']['UAR'] for run in best['runs']] == pytest.approx([2.5 / 3, 0.5])
    assert [run['clips'] for run in best['runs']] == [4, 2]
    assert best['mean']['UAR'] == pytest.approx((2.5 / 3 + 0.5) / 2)
    assert best['std']['UAR'] == pytest.approx(abs(2.5 / 3 - 0.5) / np.sqrt(2))  # n - 1
    (pooled,) = best['pooled']
    # anger 2 of 3, joy 1 of 2, fear 1 of 1: not the average of the folds
    assert pooled['measures']['UAR'] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert pooled['measures']['WAR'] == pytest.approx(4 / 6)
    assert pooled['folds'] == [1, 2]
    assert pooled['clips'] == 6


def test_markdown_has_best_and_last_side_by_side() -> None:
    text = F.to_markdown(_table(best=[ONE, TWO], last=[TWO, ONE]))
    assert text.splitlines() == [
        '| fold | clips | best UAR (%) | best WAR (%) | last UAR (%) | last WAR (%) |',
        '| --- | --- | --- | --- | --- | --- |',
        '| 1 | 4 | 83.33 | 75.00 | 50.00 | 50.00 |',
        '| 2 | 2 | 50.00 | 50.00 | 83.33 | 75.00 |',
        '| pooled | 6 | 72.22 | 66.67 | 72.22 | 66.67 |',
        '| mean ± std |  | 66.67 ± 23.57 | 62.50 ± 17.68 | 66.67 ± 23.57 | 62.50 ± 17.68 |',
    ]


def test_one_fold_has_no_deviation() -> None:
    table = _table(last=[TWO])
    assert F.to_markdown(table).splitlines()[2:] == ['| 2 | 2 | 50.00 | 50.00 |']
    assert table['results']['last'].keys() == {'runs', 'pooled'}
    assert table['results']['last']['pooled'] == []


def test_repeats_are_pooled_per_seed() -> None:
    again = [_classified(1, [0, 0, 1, 2], [0, 0, 1, 2], seed=1), _classified(2, [0, 1], [0, 1], seed=1)]
    table = _table(best=[ONE, TWO, *again])
    assert table['seeds'] == [0, 1]
    assert table['notes'] == []  # the same clips with another seed are no overlap of folds
    best = table['results']['best']
    assert [entry['measures']['UAR'] for entry in best['pooled']] == pytest.approx([6.5 / 9, 1])
    assert best['mean']['WAR'] == pytest.approx((3 / 4 + 1 / 2 + 1 + 1) / 4)
    rows = F.to_markdown(table).splitlines()
    assert rows[0] == '| fold | seed | clips | best UAR (%) | best WAR (%) |'
    assert rows[4] == '| 1 | 1 | 4 | 100.00 | 100.00 |'
    assert rows[6] == '| pooled | 0 | 6 | 72.22 | 66.67 |'
    assert rows[9].startswith('| pooled, mean ± std |  |  | 86.11 ± 19.64 |')


def test_csv_and_json_hold_every_measure_in_full() -> None:
    table = _table(best=[ONE, TWO], last=[TWO, ONE])
    rows = list(csv.DictReader(io.StringIO(F.to_csv(table))))
    assert [row['row'] for row in rows] == ['fold', 'fold', 'pooled', 'mean', 'std'] * 2
    assert rows[0]['file'] == 'best_UAR_epoch_1.pth'
    assert float(rows[2]['macro_f1']) == table['results']['best']['pooled'][0]['measures']['macro_f1']
    assert float(rows[4]['UAR']) == table['results']['best']['std']['UAR']
    assert json.loads(F.to_json(table)) == table


def test_a_measure_that_is_not_defined_is_empty() -> None:
    evaluator = F.FoldEvaluator(dict(type='ClassificationMetric', auc=True, topk=()), CLASSES)
    table = F.fold_table(dict(last=[_classified(1, [1, 1], [1, 0])]), evaluator)
    assert table['shown'] == ['UAR', 'WAR', 'macro_f1', 'AUC']
    assert F.to_markdown(table).splitlines()[2].endswith('| - |')
    assert json.loads(F.to_json(table))['results']['last']['runs'][0]['measures']['AUC'] is None


def test_repeated_and_shared_clips() -> None:
    padded = F.FoldPredictions(1, 0, 'x.pth', [*ONE.samples, ONE.samples[0]])
    assert F.pool([padded, TWO]) == F.pool([ONE, TWO])
    assert [sample['sample_idx'] for sample in F.pool([padded, TWO])] == list(range(6))
    shared = F.FoldPredictions(2, 0, 'x.pth', ONE.samples[:2])
    (note,) = _table(best=[ONE, shared])['notes']
    assert '2 clips, such as 1_0.mp4, are in the test lists of several folds' in note


def _regressed(fold: int, noise: np.random.Generator) -> F.FoldPredictions:
    samples = [
        {
            'sample_idx': index,
            'sample_id': f'{fold}_{index}',
            'gt_values': torch.from_numpy(true := noise.random(2)),
            'pred_values': torch.from_numpy(true + 0.1 * fold + 0.1 * noise.random(2)),
        }
        for index in range(5 + fold)
    ]
    return F.FoldPredictions(fold, 0, 'epoch_3.pth', samples)


def test_regression_is_pooled_over_clips_and_names_its_dimensions() -> None:
    noise = np.random.default_rng(0)
    parts = [_regressed(fold, noise) for fold in (1, 2, 3)]
    evaluator = F.FoldEvaluator([dict(type='RegressionMetric')], dict(dimensions=('valence', 'arousal')))
    table = F.fold_table(dict(last=parts), evaluator, selected_by=['CCC/valence'])
    assert table['shown'] == ['CCC/valence', 'PCC', 'CCC']
    predicted, true = (
        np.stack([sample[key].numpy() for part in parts for sample in part.samples])
        for key in ('pred_values', 'gt_values')
    )
    expected = concordance_correlation(predicted, true)
    measures = table['results']['last']['pooled'][0]['measures']
    assert measures['CCC/valence'] == pytest.approx(expected[0])
    assert measures['CCC'] == pytest.approx(expected.mean())
    assert f'| pooled | 21 | {expected[0]:.4f} |' in F.to_markdown(table)
    assert evaluator.confusion(F.pool(parts)) is None


def test_pooled_measures_equal_those_of_one_test_set() -> None:
    noise = np.random.default_rng(0)
    labels, predictions = noise.integers(0, 3, 40).tolist(), noise.integers(0, 3, 40).tolist()
    parts = [_classified(k, labels[10 * k : 10 * k + 10], predictions[10 * k : 10 * k + 10]) for k in range(4)]
    pooled = _table(last=parts)['results']['last']['pooled'][0]['measures']
    assert pooled == classification_measures(np.eye(3)[predictions], np.array(labels), ())


def test_the_confusion_matrix_counts_what_the_metric_counts() -> None:
    clips = F.FoldEvaluator(dict(type='ClassificationMetric'), CLASSES)
    assert clips.confusion(F.pool([ONE, TWO])).tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    recordings = F.FoldEvaluator(dict(metrics=[dict(type='ClassificationMetric', group_pattern=r'^\d(.)')]), CLASSES)
    same = _classified(1, [1, 1, 1], [1, 1, 0])
    assert recordings.confusion(same.samples).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    combined = F.FoldEvaluator([dict(type='RegressionMetric'), dict(type='MERMultiMetric', prefix='mer')])
    assert combined.confusion(_with_values(ONE)).sum() == 4


def _with_values(part: F.FoldPredictions) -> F.Samples:
    return [{**sample, 'pred_values': torch.zeros(1), 'gt_values': torch.ones(1)} for sample in part.samples]


def test_headlines() -> None:
    many = ['UAR', 'WAR', 'weighted_f1', 'macro_f1', 'top5']
    assert F.headline_measures(many) == ['UAR', 'WAR']
    assert F.headline_measures(many, ['weighted_f1', 'absent']) == ['weighted_f1', 'UAR', 'WAR']
    assert F.headline_measures([*many, 'AUC'], ['UAR']) == ['UAR', 'WAR', 'macro_f1', 'AUC']
    mer = ['weighted_f1', 'WAR', 'UAR', 'MSE', 'MER']
    assert F.headline_measures(mer, ['MER']) == ['MER', 'weighted_f1', 'MSE', 'UAR', 'WAR']
    prefixed = ['emotion/UAR', 'emotion/WAR', 'valence/PCC', 'valence/CCC', 'valence/CCC/a']
    assert F.headline_measures(prefixed) == prefixed[:4]
    assert F.headline_measures(['loss']) == ['loss']


def test_shares_are_in_percent() -> None:
    shares = ['UAR', 'WAR', 'AUC', 'ACC', 'ACC/valence', 'top5', 'macro_f1', 'recall/joy', 'emotion/weighted_f1']
    assert all(map(F.is_share, shares))
    assert not any(map(F.is_share, ['MSE', 'PCC', 'CCC/valence', 'MER', 'RMSE']))


def test_an_unknown_measure_is_named() -> None:
    evaluator = F.FoldEvaluator(dict(type='ClassificationMetric', topk=()))
    with pytest.raises(ValueError, match=r"no measure 'CCC'; it computes UAR, WAR, weighted_f1"):
        F.fold_table(dict(best=[ONE]), evaluator, ['UAR', 'CCC'])
