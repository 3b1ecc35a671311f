"""Frame level over windows of long recordings: the runner's test equals a naive loop over frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import load
from sklearn.metrics import f1_score

from hicmae_mm.engine import build_runner
from hicmae_mm.structures import Padded

LENGTHS, WINDOW, STEP = {'a': 23, 'b': 9, 'c': 16}, 8, 5  # frames; windows share 3 frames, the last one is short


def write_corpus(root: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Features and classes of every recording, and a table of overlapping windows in random order."""
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(length, 6)).astype(np.float32) for name, length in LENGTHS.items()}
    classes = {name: rng.integers(-1, 3, length) for name, length in LENGTHS.items()}  # -1 does not count
    (root / 'face').mkdir()
    rows = []
    for name, length in LENGTHS.items():
        np.save(root / 'face' / f'{name}.npy', features[name])
        np.save(root / f'{name}.npy', classes[name])
        rows += [
            f'{name}@{start},{name},{name}.npy,{start},{min(WINDOW, length - start)}'
            for start in range(0, length - (WINDOW - STEP), STEP)
        ]
    rng.shuffle(rows)
    (root / 'windows.csv').write_text(
        'sample_id,recording,expression,first_frame,num_frames\n' + '\n'.join(rows) + '\n'
    )
    return features, classes


def config(root: Path) -> Config:
    pipeline = [
        dict(type='LoadFeature', stream='face', source='face', level='frame', name_column='recording'),
        dict(type='LoadFrameTargets', field='expression', ignore=-1),
        dict(type='CutWindow', sequences=('face',)),
        dict(type='PackStreams', arrays=(), sequences=dict(face='face'), meta_keys=('first_frame', 'recording')),
    ]
    dataset = dict(
        type='AudioVisualDataset', data_root=str(root), ann_file='windows.csv', streams=('face',), pipeline=pipeline,
        task='unlabelled',
    )  # fmt: skip
    frames = dict(
        type='FrameMetric', values=None, action_units=None, video_field='recording', first_frame_field='first_frame'
    )
    return Config(
        dict(
            default_scope='hicmae_mm',
            work_dir=str(root / 'run'),
            model=dict(
                type='AudioVisualRecognizer',
                data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
                encoders=dict(
                    face=dict(type='FeatureTransformerEncoder', in_channels=6, embed_dims=8, depth=1, num_heads=2)
                ),
                aggregator=dict(type='FrameTokens'),
                head=dict(type='ClassificationHead', num_classes=3, level='frame', target='expression', ignore=-1),
            ),
            test_dataloader=dict(
                batch_size=3, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='collate_streams'), dataset=dataset,
            ),
            test_cfg=dict(),
            test_evaluator=[frames, dict(type='DumpResults', out_file_path=str(root / 'frames.pkl'))],
        )
    )  # fmt: skip


@pytest.mark.slow
def test_windows_stitched_back_equal_a_naive_loop(tmp_path: Path) -> None:
    features, classes = write_corpus(tmp_path)
    torch.manual_seed(0)
    runner = build_runner(config(tmp_path))
    for parameter in runner.model.parameters():  # an untrained head gives every class the same score
        if parameter.ndim > 1:
            torch.nn.init.xavier_normal_(parameter, gain=3)
    state = {name: tensor.clone() for name, tensor in runner.model.state_dict().items()}
    measured = runner.test()

    model = runner.model.eval()
    model.load_state_dict(state)
    stitched: dict[str, np.ndarray] = {}
    for name, values in features.items():
        of_frame: list[list[np.ndarray]] = [[] for _ in values]
        for start in range(0, len(values) - (WINDOW - STEP), STEP):
            window = torch.from_numpy(values[start : start + WINDOW])
            with torch.no_grad():
                logits = model(dict(face=Padded.stack([window])), mode='tensor')
            for place, scores in enumerate(logits[0].softmax(dim=-1).numpy()):
                of_frame[start + place].append(scores)
        stitched[name] = np.array([np.mean(scores, axis=0) for scores in of_frame])
    truth = np.concatenate([classes[name] for name in LENGTHS])
    guess = np.concatenate([stitched[name] for name in LENGTHS]).argmax(axis=1)
    counts = truth >= 0
    assert len(set(guess)) == 3
    assert measured['expression_f1'] == pytest.approx(f1_score(truth[counts], guess[counts], average='macro'))

    predicted = load(tmp_path / 'frames.pkl')
    assert len(predicted) == sum(len(range(0, length - (WINDOW - STEP), STEP)) for length in LENGTHS.values())
    sums = {name: np.zeros((length, 3)) for name, length in LENGTHS.items()}
    shown = {name: np.zeros(length) for name, length in LENGTHS.items()}
    for sample in predicted:  # every prediction says where in its recording it belongs
        scores, first = sample['pred_expression_score'].numpy(), int(sample['first_frame'])
        sums[sample['recording']][first : first + len(scores)] += scores
        shown[sample['recording']][first : first + len(scores)] += 1
    for name in LENGTHS:
        assert shown[name].max() == 2
        np.testing.assert_allclose(sums[name] / shown[name][:, None], stitched[name], atol=1e-5)
