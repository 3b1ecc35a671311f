"""Measures over the frames of whole videos."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from sklearn.metrics import f1_score

from hicmae_mm.evaluation import FrameMetric
from hicmae_mm.evaluation.frame_measures import frame_measures
from hicmae_mm.evaluation.functional.frames import population_concordance
from hicmae_mm.models.heads import MultiTaskHead
from hicmae_mm.structures import EmotionDataSample


def video(rng: np.random.Generator, frames: int) -> dict:
    return {
        'pred_expression_score': rng.random((frames, 3)),
        'gt_expression': rng.integers(-1, 3, frames),
        'pred_valence_arousal': rng.normal(size=(frames, 2)),
        'gt_valence_arousal': rng.uniform(-1, 1, (frames, 2)),
        'pred_action_units': rng.random((frames, 4)),
        'gt_action_units': rng.integers(0, 2, (frames, 4)),
    }


def window(source: dict, start: int, end: int, index: int, name: str = 'a') -> dict:
    cut = {key: value[start:end] for key, value in source.items()}
    return {**cut, 'video': name, 'first': start, 'sample_idx': index, 'sample_id': f'{name}{index}'}


def test_windows_that_overlap_count_once_and_equal_the_whole_video() -> None:
    rng = np.random.default_rng(0)
    first, second = video(rng, 20), video(rng, 7)
    first['gt_valence_arousal'][4] = -5
    first['gt_action_units'][2, 1] = -1
    windows = [window(first, 0, 8, 0), window(first, 6, 14, 1), window(first, 12, 20, 2), window(second, 0, 7, 3, 'b')]
    metric = FrameMetric(video_field='video', first_frame_field='first')
    metric.process(None, windows)
    measures = metric.evaluate(4)

    joined = {key: np.concatenate([first[key], second[key]]) for key in first}
    known = joined['gt_expression'] >= 0
    classes = joined['pred_expression_score'].argmax(1)
    expression = f1_score(joined['gt_expression'][known], classes[known], average='macro')
    valid = joined['gt_valence_arousal'][:, 0] != -5
    pairs = zip(joined['pred_valence_arousal'][valid].T, joined['gt_valence_arousal'][valid].T)
    concordances = [population_concordance(x, y) for x, y in pairs]
    rows = (joined['gt_action_units'] >= 0).all(1)
    units = f1_score(joined['gt_action_units'][rows], joined['pred_action_units'][rows] > 0.5, average='macro')
    assert measures['expression_f1'] == pytest.approx(expression)
    assert [measures['CCC/0'], measures['CCC/1']] == pytest.approx(concordances)
    assert measures['action_unit_f1'] == pytest.approx(units)
    assert measures['multitask'] == pytest.approx(expression + np.mean(concordances) + units)


def test_measures_of_resampled_recordings_are_those_of_repeated_ones() -> None:
    rng = np.random.default_rng(1)
    videos = [video(rng, frames) for frames in (20, 7, 30)]
    videos[0]['gt_valence_arousal'][4] = -5
    videos[1]['gt_action_units'][2, 1] = -1

    def samples(times: list[int]) -> list[dict]:
        chosen = [(number, source) for number, source in enumerate(videos) for _ in range(times[number])]
        return [
            window(source, 0, len(source['gt_expression']), place, f'{number}_{place}')
            for place, (number, source) in enumerate(chosen)
        ]

    def metric() -> FrameMetric:
        return FrameMetric(video_field='video', first_frame_field='first', smooth_radius=1)

    measures, recordings = frame_measures(samples([1, 1, 1]), metric())
    assert recordings == 3
    for times in ([1, 1, 1], [2, 0, 1], [0, 3, 0]):
        repeated = metric()
        repeated.process(None, samples(times))
        expected = repeated.evaluate(sum(times))
        for name in ('expression_f1', 'CCC', 'action_unit_f1'):
            assert measures[name](np.array([times], float))[0] == pytest.approx(expected[name]), (name, times)


def test_predictions_of_overlapping_windows_are_averaged_and_smoothed() -> None:
    target = np.array([[0.0], [1.0], [2.0], [3.0]])
    parts = [(0, np.array([[0.0], [1.0], [4.0]])), (2, np.array([[0.0], [3.0]]))]
    samples = [
        {'pred_v': rows, 'gt_v': target[at : at + len(rows)], 'video': 'a', 'first': at, 'sample_idx': at}
        for at, rows in parts
    ]
    for radius, expected in ((0, [0, 1, 2, 3]), (1, [0.5, 1, 2, 2.5])):
        metric = FrameMetric(None, 'v', None, video_field='video', first_frame_field='first', smooth_radius=radius)
        metric.process(None, samples)
        wanted = population_concordance(np.array(expected), target[:, 0])
        assert metric.evaluate(2) == {'CCC': pytest.approx(wanted)}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'pred_v': np.zeros((3, 1))}, 'one row for each frame'),
        ({'pred_v': None}, "level='frame'"),
        ({'gt_v': None}, 'LoadFrameTargets'),
        ({'pred_v': np.full((2, 1), np.nan)}, 'not finite'),
    ],
)
def test_unfit_samples_are_named(change: dict, message: str) -> None:
    sample = {'pred_v': np.zeros((2, 1)), 'gt_v': np.zeros((2, 1)), 'sample_id': 'clip7', **change}
    with pytest.raises(ValueError, match=message) as error:
        FrameMetric(None, 'v', None).process(None, [sample])
    assert 'clip7' in str(error.value)


def test_unfit_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match='needs one of'):
        FrameMetric(None, None, None)


def test_frame_heads_feed_it_through_the_evaluator() -> None:
    torch.manual_seed(0)
    tasks = {
        'expression': dict(type='ClassificationHead', num_classes=3, level='frame', target='expression', ignore=-1),
        'va': dict(type='RegressionHead', num_outputs=2, level='frame', target='valence_arousal', ignore=-5),
        'au': dict(type='MultiLabelHead', num_labels=4, level='frame', target='action_units', ignore=-1),
    }
    head = MultiTaskHead(in_channels=5, heads=tasks)
    samples = [EmotionDataSample(metainfo={'sample_idx': i, 'sample_id': f'clip{i}'}) for i in range(2)]
    predicted = head.predict(torch.randn(2, 6, 5), samples)
    for sample in predicted:  # as if the model were right
        sample.set_target('expression', sample.pred_expression_score.argmax(dim=1))
        sample.set_target('valence_arousal', sample.pred_valence_arousal.clone())
        sample.set_target('action_units', (sample.pred_action_units > 0.5).long())
    evaluator = Evaluator(metrics=FrameMetric())
    evaluator.process(data_samples=predicted)
    measures = evaluator.evaluate(2)
    assert measures['expression_f1'] == 1
    assert measures['CCC'] == pytest.approx(1)
    assert 0 < measures['action_unit_f1'] <= 1  # a unit that is never there has an F1 of 0


def test_the_mean_of_windows_is_another_number_than_ccc_over_all_frames() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.normal(size=(2, 30, 1))
    truth[4] = -5
    truth[20:] = 0.5  # constant
    samples = [
        {'pred_v': guess[at : at + 10], 'gt_v': truth[at : at + 10], 'video': 'a', 'first': at, 'sample_idx': at}
        for at in (0, 10, 20)
    ]
    metric = FrameMetric(None, 'v', None, video_field='video', first_frame_field='first', per_sequence=True)
    metric.process(None, samples)
    measures = metric.evaluate(3)
    known = [*range(4), *range(5, 10)]
    windows = [population_concordance(guess[known, 0], truth[known, 0])]
    windows.append(population_concordance(guess[10:20, 0], truth[10:20, 0]))
    assert measures['CCC_per_sequence'] == pytest.approx(sum(windows) / 3)
    valid = truth[:, 0] != -5
    assert measures['CCC'] == pytest.approx(population_concordance(guess[valid, 0], truth[valid, 0]))
