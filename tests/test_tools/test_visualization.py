"""``vis_tsne.py``, ``vis_attention.py``, ``vis_layers.py`` and ``analyze_results.py`` on real clips."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.registry import MODELS
from tests.engine.tiny_run import finetune_config, pretrain_config
from tests.test_tools.command import last_line, run_tool
from tests.test_tools.modules import load_tool

TSNE, ATTENTION, LAYERS = (f'visualization/vis_{name}.py' for name in ('tsne', 'attention', 'layers'))
RESULTS = 'analysis_tools/analyze_results.py'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        yield


@pytest.fixture(scope='module')
def models(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Config and checkpoint of an untrained recognizer and pre-trainer."""
    folder, found = tmp_path_factory.mktemp('models'), {}
    for name, make in (('finetune', finetune_config), ('pretrain', pretrain_config)):
        cfg: Config = make(corpus, folder)
        cfg.dump(folder / f'{name}.py')
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('hicmae_mm'):
            torch.save({'state_dict': MODELS.build(cfg.model).state_dict()}, folder / f'{name}.pth')
        found[name] = str(folder / f'{name}.py'), str(folder / f'{name}.pth')
    return found


def picture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None, path
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50
    return image


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def call(tool: str | ModuleType, *arguments: object) -> None:
    module = load_tool(tool) if isinstance(tool, str) else tool
    assert module.main([str(argument) for argument in arguments]) == 0


def failure(capsys: pytest.CaptureFixture, tool: str, *arguments: object) -> str:
    assert load_tool(tool).main([str(argument) for argument in arguments]) == 1
    message = capsys.readouterr().err
    assert message.startswith('error: ')
    assert message.count('\n') == 1
    return message.removeprefix('error: ').strip()


def test_embeddings_of_every_stream(models: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    call(TSNE, *models['finetune'], '--out', 'made/tsne.png', '--max-clips', 8)
    assert capsys.readouterr().out.strip() == 'wrote made/tsne.png and tsne.csv: 8 clips'
    width, height = picture(tmp_path / 'made/tsne.png').shape[1::-1]
    assert width > 2 * height
    found = rows(tmp_path / 'made/tsne.csv')
    assert [row['stream'] for row in found] == ['video'] * 8 + ['audio'] * 8 + ['fusion'] * 8
    assert {row['label'] for row in found} == {'high', 'low'}
    assert [row['sample_id'] for row in found[:3]] == ['0.mp4', '1.mp4', '3.mp4']
    points = np.array([[float(row['x']), float(row['y'])] for row in found])
    assert np.isfinite(points).all()


def test_embedding_with_pretrained_weights(models: dict, tmp_path: Path) -> None:
    """A recognizer's config with weights that have no head."""
    options = ['--method', 'pca', '--layer', 0, '--streams', 'audio', '--out', 'pca.png']
    encoder = torch.load(models['finetune'][1])['state_dict']
    kept = {name: value for name, value in encoder.items() if name.startswith(('encoders.', 'fusion.'))}
    torch.save({'state_dict': kept}, 'encoders.pth')
    call(TSNE, models['finetune'][0], 'encoders.pth', *options)
    whole = rows(tmp_path / 'pca.csv')
    call(TSNE, *models['finetune'], *options)
    assert rows(tmp_path / 'pca.csv') == whole
    call(TSNE, *models['pretrain'], '--method', 'pca', '--out', 'pretrain.png', '--max-clips', 4)
    assert {row['stream'] for row in rows(tmp_path / 'pretrain.csv')} == {'video', 'audio', 'fusion'}


def test_embedding_of_stored_features(models: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(9, 5))
    np.savez('stored.npz', sample_id=np.array([f'{i}.mp4' for i in range(9)]), features=features)
    call(TSNE, models['finetune'][0], '--features', 'stored.npz', '--out', 'stored.png')
    assert {(row['stream'], row['label']) for row in rows(tmp_path / 'stored.csv')} == {('clip feature', '')}
    extract = load_tool('extract_features.py')
    call(
        extract,
        *models['finetune'],
        '--out',
        'folder',
        '--streams',
        'video',
        'fusion',
        '--layers',
        'all',
        '--num-workers',
        0,
    )
    capsys.readouterr()
    options = ['--method', 'pca', '--streams', 'video', 'fusion']
    call(TSNE, models['finetune'][0], '--features', 'folder', *options, '--out', 'stored.png')
    call(TSNE, *models['finetune'], *options, '--out', 'computed.png')
    stored, computed = (
        np.array([[abs(float(row[key])) for key in 'xy'] for row in rows(tmp_path / f'{name}.csv')])
        for name in ('stored', 'computed')
    )
    np.testing.assert_allclose(stored, computed, rtol=2e-3, atol=2e-3)
    capsys.readouterr()
    message = failure(capsys, TSNE, models['finetune'][0], '--features', 'folder', '--streams', 'audio')
    assert 'has no audio of layer -1 with one row per clip; it has video_layer0, ' in message


@pytest.mark.slow
def test_attention_of_chosen_clips(models: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    call(ATTENTION, *models['finetune'], '--clip', '3.mp4', '0', '--out', 'made', '--save-maps', '--num-frames', 4)
    assert capsys.readouterr().out.split('\n')[:2] == ['wrote made/3.mp4.png', 'wrote made/0.mp4.png']
    assert picture(tmp_path / 'made/3.mp4.png').shape[1] > 1200
    with np.load('made/3.mp4.npz') as maps:
        assert {name: heat.shape for name, heat in maps.items()} == {
            **{f'video_{kind}': (2, 2, 2) for kind in ('encoder', 'crossed', 'fused')},
            **{f'audio_{kind}': (2, 2) for kind in ('encoder', 'crossed', 'fused')},
        }
        assert all(heat.mean() == pytest.approx(1, abs=1e-5) for heat in maps.values())
    call(ATTENTION, *models['pretrain'], '--num-clips', 1, '--out', 'pretrain')
    assert len(list((tmp_path / 'pretrain').iterdir())) == 1


def test_layer_mixes_of_two_checkpoints(models: dict, tmp_path: Path) -> None:
    config, checkpoint = models['finetune']
    weights = torch.load(checkpoint)['state_dict']
    weights['aggregator.layer_weights.audio'] = torch.tensor([0.0, 0.0, np.log(2)])
    torch.save({'state_dict': weights}, 'other.pth')
    call(LAYERS, config, checkpoint, 'other.pth', '--legend', 'equal', 'other', '--out', 'made/layers.png')
    assert picture(tmp_path / 'made/layers.png').shape[1] > 900
    found = {
        (row['checkpoint'], row['stream'], int(row['layer'])): float(row['share'])
        for row in rows(tmp_path / 'made/layers.csv')
    }
    assert found['equal', 'video', 0] == pytest.approx(1 / 3, abs=1e-6)
    assert [found['other', 'audio', layer] for layer in range(3)] == [0.25, 0.25, 0.5]


def dump(path: Path) -> list[float]:
    """Predictions of the test set's 13 clips, the score of whose true class falls with their number."""
    scores = [0.95 - 0.07 * number for number in range(13)]
    samples = []
    for number, score in enumerate(scores):
        values = [score, 1 - score] if number % 2 == 0 else [1 - score, score]
        name = f'{number}.mp4'
        samples.append(
            dict(
                sample_idx=number, sample_id=name, pred_score=torch.tensor(values), gt_label=torch.tensor([number % 2])
            )
        )
    mmengine.dump(samples, path)
    return scores


@pytest.mark.slow
def test_best_and_worst_clips(models: dict, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    scores = dump(tmp_path / 'predictions.pkl')
    call(RESULTS, models['finetune'][0], 'predictions.pkl', '--out-dir', 'made', '--topk', 2)
    assert 'of 13 clips into made' in capsys.readouterr().out
    files = sorted(path.relative_to(tmp_path / 'made').as_posix() for path in (tmp_path / 'made').rglob('*.*'))
    pictures = ['best/001_0.mp4.png', 'best/002_1.mp4.png', 'worst/001_12.mp4.png', 'worst/002_11.mp4.png']
    assert files == sorted(['README.md', 'results.csv', 'best.png', 'worst.png', *pictures])
    for name in ('best.png', 'worst.png', *pictures):
        picture(tmp_path / 'made' / name)
    found = rows(tmp_path / 'made/results.csv')
    assert [row['sample_id'] for row in found] == [f'{number}.mp4' for number in range(13)]
    np.testing.assert_allclose([float(row['score_of_true_class']) for row in found], scores, rtol=1e-6)
    assert [row['is_right'] for row in found] == ['1'] * 7 + ['0'] * 6
    page = (tmp_path / 'made/README.md').read_text()
    assert '| high | low | 3 |' in page
    assert '![worst clips](worst.png)' in page


@pytest.mark.slow
def test_best_and_worst_values(models: dict, tmp_path: Path) -> None:
    samples = [
        dict(sample_id=f'{i}.mp4', pred_values=torch.tensor([0.0, 1.0]), gt_values=torch.tensor([float(i), 1.0]))
        for i in range(4)
    ]
    mmengine.dump(samples, tmp_path / 'values.pkl')
    options = ['--cfg-options', 'test_dataloader.dataset.metainfo.dimensions=valence,arousal']
    call(RESULTS, models['finetune'][0], 'values.pkl', '--out-dir', 'made', '--topk', 1, *options)
    found = rows(tmp_path / 'made/results.csv')
    assert [float(row['mean_absolute_error']) for row in found] == [0, 0.5, 1, 1.5]
    assert [float(row['true_valence']) for row in found] == [0, 1, 2, 3]
    assert picture(tmp_path / 'made/worst/001_3.mp4.png').size


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        (TSNE, ('CONFIG', 'no.pth'), "checkpoint 'no.pth' does not exist"),
        (TSNE, ('no.py', 'CHECKPOINT'), 'config file no.py does not exist'),
        (TSNE, ('CONFIG', 'CHECKPOINT', '--layer', '3'), 'the video encoder has layers 0 to 2 (or -3 to -1), got 3'),
        (
            TSNE,
            ('CONFIG', 'CHECKPOINT', '--streams', 'text'),
            "the model has ['video', 'audio', 'fusion'], got ['text']",
        ),
        (TSNE, ('CONFIG', '--features', 'no.npz'), 'no.npz does not exist'),
        (
            TSNE,
            ('CONFIG', 'CHECKPOINT', '--max-clips', '3'),
            '3 clips are too few to be embedded: at least 4 are needed',
        ),
        (ATTENTION, ('CONFIG', 'no.pth'), "checkpoint 'no.pth' does not exist"),
        (ATTENTION, ('CONFIG', 'CHECKPOINT', '--clip', 'x'), "no clip 'x': the list has 13, the first is '0.mp4'"),
        (LAYERS, ('CONFIG', 'no.pth'), "checkpoint 'no.pth' does not exist"),
        (LAYERS, ('CONFIG', 'PRETRAINED'), 'a layer mix is learned by fine-tuning'),
        (RESULTS, ('CONFIG', 'no.pkl'), 'no.pkl does not exist'),
        (RESULTS, ('PRETRAINING', 'predictions.pkl'), 'has no test_dataloader'),
    ],
)
def test_what_is_wrong_is_one_line(
    tool: str, arguments: tuple[str, ...], message: str, models: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    dump(tmp_path / 'predictions.pkl')
    (config, checkpoint), (pretraining, pretrained) = models['finetune'], models['pretrain']
    names = dict(CONFIG=config, CHECKPOINT=checkpoint, PRETRAINING=pretraining, PRETRAINED=pretrained)
    assert message in failure(capsys, tool, *(names.get(word, word) for word in arguments))


@pytest.mark.slow
def test_processes_end_with_their_code(models: dict, tmp_path: Path) -> None:
    assert 'layers.csv' in run_tool(LAYERS, *models['finetune'], '--out', tmp_path / 'layers.png').stdout
    result = run_tool(ATTENTION, *models['pretrain'], '--split', 'test', '--out', tmp_path / 'maps', check=False)
    assert result.returncode == 1
    assert last_line(result) == 'error: the config has no data loader of test'
    assert 'Traceback' not in result.stderr
