"""Pictures, sound and words go through the tools, and masked pre-training on one stream goes into fine-tuning."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import load

from hicmae_mm.apis import EmotionInferencer
from hicmae_mm.apis.web import EmotionService, Limits
from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.tables import read_table
from hicmae_mm.datasets.transforms import LoadFeature
from hicmae_mm.features import load_features
from hicmae_mm.registry import DATASETS
from tests.test_tools.in_process import call, failure, picture_size

pytestmark = pytest.mark.slow
CONFIG = 'configs/hicmae_nano_text_synthetic.py'
SMALL = ('--num-train-actors', 1, '--num-train-takes', 1, '--num-unlabelled-takes', 1, '--num-test-actors', 1)
ONE_EPOCH = (
    'train_cfg.max_epochs=1', 'param_scheduler.0.warmup=0', 'train_dataloader.batch_size=4',
    'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False', 'visualizer.vis_backends=[]',
)  # fmt: skip
LOADERS = tuple(
    f'{split}_dataloader.{option}'
    for split in ('val', 'test')
    for option in ('num_workers=0', 'persistent_workers=False')
)

TESTING = ('--cfg-options', *LOADERS, 'visualizer.vis_backends=[]')


@pytest.fixture(scope='module')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('corpus')
    call('dataset_converters/make_synthetic.py', '--out', folder, '--num-test-takes', 1, '--image-size', 32, *SMALL)
    return folder


@pytest.fixture(autouse=True)
def _corpus_in_environment(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNTHETIC_ROOT', str(corpus))


@pytest.fixture(scope='module')
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of one epoch, which all tools take."""
    folder = tmp_path_factory.mktemp('run')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SYNTHETIC_ROOT', str(corpus))
        call('train.py', CONFIG, '--work-dir', folder, '--cfg-options', *ONE_EPOCH, *LOADERS)
    return folder / 'epoch_1.pth'


def run_printed(capsys: pytest.CaptureFixture[str], *tool_names: str) -> list[list[str]]:
    """Runs the commands that a tool has printed because of ``--dry-run``, and returns their arguments."""
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if '.py ' in line]
    ran = []
    for words in commands:
        assignments = [word.partition('=') for word in words[: words.index('python')]]
        tool = words[words.index('python') + 1]
        if Path(tool).name in tool_names:
            with pytest.MonkeyPatch.context() as patch:
                for name, _, value in assignments:
                    patch.setenv(name, value)
                ran.append(words[words.index(tool) + 1 :])
                call(Path(tool).name, *ran[-1])
    return ran


def test_three_streams_are_tested_and_measured(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = tmp_path / 'predictions.pkl'
    call('test.py', CONFIG, trained, '--work-dir', tmp_path, '--out', dump, *TESTING)
    call('analysis_tools/confusion_matrix.py', CONFIG, dump, '--out', tmp_path / 'confusion.png')
    call('analysis_tools/get_flops.py', CONFIG)
    assert 'encoders.text' in capsys.readouterr().out
    call('analysis_tools/benchmark.py', 'train', CONFIG, '--batch-size', 2, '--iters', 1, '--warmup', 0)
    call('visualization/browse_dataset.py', CONFIG, '--output-dir', tmp_path / 'seen', '--show-number', 1)
    assert list((tmp_path / 'seen').rglob('*.png')) or list((tmp_path / 'seen').rglob('*.jpg'))

    # every robustness test is a test of a config that it wrote; without words it is the same as --drop-modality text
    options = ('--degradations', 'missing_text', '--levels', 1, '--out-dir', tmp_path / 'robustness')
    call('analysis_tools/robustness.py', CONFIG, trained, *options, '--dry-run', *TESTING)
    ran = [arguments for arguments in run_printed(capsys, 'test.py') if 'missing_text_1' in arguments[0]]
    degraded = load(ran[0][ran[0].index('--out') + 1])
    call('test.py', CONFIG, trained, '--work-dir', tmp_path, '--out', dump, '--drop-modality', 'text', *TESTING)
    dropped = load(dump)
    assert len(dropped) == 6
    for one, other in zip(degraded, dropped):
        assert one['pred_score'].tolist() == other['pred_score'].tolist()


def test_folds_of_three_streams(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"_base_ = ['{configs_root() / Path(CONFIG).name}']"]
    for split, part in (('train', 'train'), ('val', 'test'), ('test', 'test')):
        ann_file = f'{tmp_path}/fold{{{{$FOLD:1}}}}_{part}.csv'
        lines.append(f"{split}_dataloader = dict(dataset=dict(ann_file='{ann_file}'))")
        for fold, name in ((1, part), (2, 'train' if part == 'test' else 'test')):
            (tmp_path / f'fold{fold}_{part}.csv').write_bytes((corpus / f'{name}_words.csv').read_bytes())
    config = tmp_path / 'folds.py'
    config.write_text('\n'.join(lines))
    options = ('--folds', 2, '--work-dir', tmp_path / 'folds', '--dry-run', '--cfg-options', *ONE_EPOCH, *LOADERS)
    call('kfold.py', config, *options)
    _, tested = run_printed(capsys, 'train.py', 'test.py')
    names = {result['sample_id'] for result in load(tested[tested.index('--out') + 1])}
    assert names == {row['sample_id'] for _, row in read_table(corpus / 'train_words.csv')}


def points(path: Path) -> dict[tuple[str, str], list[float]]:
    with path.open() as file:
        return {(row['stream'], row['sample_id']): [float(row['x']), float(row['y'])] for row in csv.DictReader(file)}


def test_features_do_not_depend_on_the_other_texts_of_a_batch(corpus: Path, trained: Path, tmp_path: Path) -> None:
    options = (CONFIG, trained, '--num-workers', 0)
    call('extract_features.py', *options, '--out', tmp_path / 'whole', '--batch-size', 6)
    call('extract_features.py', *options, '--out', tmp_path / 'alone', '--batch-size', 1)
    whole, alone = (load_features(tmp_path / name) for name in ('whole', 'alone'))
    assert {'text_layer1', 'fusion_text', 'clip'} <= set(whole)
    for name in ('text_layer1', 'fusion_video', 'fusion_text', 'clip'):
        np.testing.assert_allclose(np.stack(whole[name]), np.stack(alone[name]), atol=1e-5)
    num_words = {row['sample_id']: len(row['text'].split()) for _, row in read_table(corpus / 'test_words.csv')}
    for name, form in (('parquet', ()), ('npy', ('--format', 'npy')), ('files', ('--layout', 'per-clip'))):
        steps = ('--out', tmp_path / name, '--level', 'frame', '--batch-size', 1 if name == 'npy' else 6)
        call('extract_features.py', *options, *steps, *form)
        found = load_features(tmp_path / name)
        for sample_id, words, mean in zip(found['sample_id'], found['text_layer1'], whole['text_layer1']):
            assert len(words) == num_words[sample_id]
            np.testing.assert_allclose(words.mean(axis=0), mean, atol=1e-5)
            source = LoadFeature('text', str(tmp_path / name), 'frame', 'text_layer1')
            np.testing.assert_array_equal(source(dict(sample_id=sample_id, streams=('text',)))['text'], words)
    assert len(set(num_words.values())) > 1
    message = failure('extract_features.py', *options, '--out', tmp_path / 'views', '--level', 'frame', '--views')
    assert 'clips differ in the length of text_layer1, and every view is stored as (views, steps, D)' in message

    drawing = ('--method', 'pca', '--streams', 'text', 'fusion')
    for name, more in (('a', (6,)), ('b', (1,)), ('c', (6, '--layer', -2)), ('d', (1, '--layer', -2))):
        call(
            'visualization/vis_tsne.py',
            CONFIG,
            trained,
            *drawing,
            '--out',
            tmp_path / f'{name}.png',
            '--batch-size',
            *more,
        )
    for one, other in (('a.csv', 'b.csv'), ('c.csv', 'd.csv')):
        expected, found = points(tmp_path / one), points(tmp_path / other)
        assert expected.keys() == found.keys()
        for key, point in expected.items():
            assert found[key] == pytest.approx(point, abs=1e-4)


def test_pictures_of_a_third_stream(trained: Path, corpus: Path, tmp_path: Path) -> None:
    options = ('--clip', 'test_001_00_ANG', '--save-maps', '--out', tmp_path)
    call('visualization/vis_attention.py', CONFIG, trained, *options)
    width, height = picture_size(tmp_path / 'test_001_00_ANG.png')
    assert height > 0.8 * width
    said = next(
        row['text'] for _, row in read_table(corpus / 'test_words.csv') if row['sample_id'] == 'test_001_00_ANG'
    )
    maps = np.load(tmp_path / 'test_001_00_ANG.npz')
    for kind in ('encoder', 'fused'):
        assert maps[f'text_{kind}'].shape == (len(said.split()),)
        assert maps[f'text_{kind}'].mean() == pytest.approx(1, abs=1e-5)
    call('visualization/vis_layers.py', CONFIG, trained, '--out', tmp_path / 'layers.png')
    message = failure('visualization/vis_reconstruction.py', CONFIG, trained, '--out', tmp_path / 'none')
    assert 'expected the config of an AudioVisualPretrainer' in message


def test_shards_carry_the_words(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = corpus / 'train_words.csv'
    report = tmp_path / 'report.json'
    call('misc/verify_dataset.py', table, '--data-root', corpus, '--num-workers', 0, '--report', report)
    assert 'clips 6, clean 6' in capsys.readouterr().out
    shards = tmp_path / 'shards'
    call('dataset_converters/make_shards.py', table, '--out-dir', shards, '--num-workers', 0, '--keep-order')
    packed = dict(type='AudioVisualShards', data_root=str(shards), num_classes=6, streams=('video', 'audio', 'text'))
    dataset = DATASETS.build(packed | dict(pipeline=[dict(type='Tokenize', vocabulary=str(corpus / 'words.txt'))]))
    ids = [row.split() for row in (corpus / 'words.txt').read_text().splitlines()]
    for (_, row), clip in zip(read_table(table), (dataset[index] for index in range(6))):
        assert [ids[number] for number in clip['text_ids']] == [[word] for word in row['text'].split()]
    cfg = Config.fromfile(CONFIG)
    pipeline = cfg.train_dataloader.dataset.pipeline
    next(step for step in pipeline if step['type'] == 'Tokenize')['vocabulary'] = str(corpus / 'words.txt')
    cfg.train_dataloader.dataset = packed | dict(pipeline=pipeline)
    config = tmp_path / 'shards.py'
    cfg.dump(config)
    call('train.py', config, '--work-dir', tmp_path / 'run', '--cfg-options', *ONE_EPOCH, *LOADERS)
    assert (tmp_path / 'run' / 'epoch_1.pth').is_file()


def test_recordings_with_words_are_analysed(trained: Path, corpus: Path, tmp_path: Path) -> None:
    def build() -> EmotionInferencer:
        return EmotionInferencer(CONFIG, str(trained), device='cpu', face_cropper=None)

    path = corpus / 'video' / 'test_001_00_ANG.mp4'
    sound = corpus / 'audio' / 'test_001_00_ANG.wav'
    inferencer = build()
    clips = [dict(video=path, audio=sound, text=text, name=name) for name, text in (('a', 'i say'), ('b', 'the table'))]
    answer = inferencer(clips, out_dir=tmp_path)
    first, second = answer['predictions']
    assert first['streams'] == ['video', 'audio', 'text']
    assert first['scores'] != second['scores']
    assert picture_size(answer['visualization'][0])[0] > 300
    without = inferencer(dict(video=path, audio=sound))['predictions'][0]
    assert without['absent_streams'] == dict(text='it was not given; add text=... to the input')

    service = EmotionService(build, Limits(max_seconds=10))
    assert (service.media, service.texts) == (('video', 'audio'), ('text',))
    assert service.view(path, words='i say')['kind'] == 'result'


@pytest.mark.parametrize('stream', ['audio', 'video'])
def test_pre_training_on_one_stream_is_for_fine_tuning_on_it(stream: str, tmp_path: Path) -> None:
    first, second = tmp_path / 'first', tmp_path / 'second'
    config = f'configs/hicmae_nano_{stream}_pretrain_synthetic.py'
    call('train.py', config, '--work-dir', first, '--cfg-options', *ONE_EPOCH)
    load_from = f'load_from={first / "epoch_1.pth"}'
    config = f'configs/hicmae_nano_{stream}_synthetic.py'
    no_step = 'optim_wrapper.optimizer.lr=0'
    call('train.py', config, '--work-dir', second, '--cfg-options', load_from, no_step, *ONE_EPOCH, *LOADERS)
    before, after = (
        {
            name: tensor
            for name, tensor in read_checkpoint(str(folder / 'epoch_1.pth'))['state_dict'].items()
            if 'encoders.' in name
        }
        for folder in (first, second)
    )
    assert len(after) > 30
    assert after.keys() <= before.keys()
    for name, tensor in after.items():
        assert torch.equal(tensor, before[name]), name
