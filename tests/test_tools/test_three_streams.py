"""Pictures, sound and words go through the tools, and masked pre-training on one stream goes into fine-tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_tools.in_process import call, failure

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


@pytest.fixture(scope='module')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('corpus')
    call('dataset_converters/make_synthetic.py', '--out', folder, '--num-test-takes', 1, '--image-size', 32, *SMALL)
    return folder


@pytest.fixture(autouse=True)
def _corpus_in_environment(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('SYNTHETIC_ROOT', str(corpus))


def test_three_streams_go_through_the_tools(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / 'run'
    call('train.py', CONFIG, '--work-dir', folder, '--cfg-options', *ONE_EPOCH, *LOADERS)
    checkpoint = folder / 'epoch_1.pth'
    dump = tmp_path / 'predictions.pkl'
    options = ('--cfg-options', *LOADERS, 'visualizer.vis_backends=[]')
    call('test.py', CONFIG, checkpoint, '--work-dir', folder, '--out', dump, *options)
    call('test.py', CONFIG, checkpoint, '--work-dir', folder, '--drop-modality', 'text', *options)
    call('analysis_tools/confusion_matrix.py', CONFIG, dump, '--out', tmp_path / 'confusion.png')
    call('analysis_tools/get_flops.py', CONFIG)
    assert 'encoders.text' in capsys.readouterr().out
    call('analysis_tools/benchmark.py', 'train', CONFIG, '--batch-size', 2, '--iters', 1, '--warmup', 0)
    call('visualization/browse_dataset.py', CONFIG, '--output-dir', tmp_path / 'seen', '--show-number', 1)
    assert list((tmp_path / 'seen').rglob('*.png')) or list((tmp_path / 'seen').rglob('*.jpg'))
    message = failure('export.py', CONFIG, checkpoint, '--out', tmp_path / 'model.onnx')
    assert 'text' in message


@pytest.mark.parametrize('stream', ['audio', 'video'])
def test_pre_training_on_one_stream_is_for_fine_tuning_on_it(stream: str, tmp_path: Path) -> None:
    first, second = tmp_path / 'first', tmp_path / 'second'
    config = f'configs/hicmae_nano_{stream}_pretrain_synthetic.py'
    call('train.py', config, '--work-dir', first, '--cfg-options', *ONE_EPOCH)
    load = f'load_from={first / "epoch_1.pth"}'
    config = f'configs/hicmae_nano_{stream}_synthetic.py'
    call('train.py', config, '--work-dir', second, '--cfg-options', load, *ONE_EPOCH, *LOADERS)
    assert (second / 'epoch_1.pth').is_file()
