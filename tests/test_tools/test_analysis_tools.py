"""The analysis tools, called with their command lines from another folder."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from pathlib import Path

import cv2
import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.synthetic.noise import write_noise_clips
from hicmae_mm.registry import MODELS
from tests.test_tools.command import last_line, run_tool
from tests.test_tools.modules import load_tool

CLASSES = ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')


def call(tool: str, *arguments: object) -> None:
    """Runs a tool in this process, which saves seconds of imports."""
    assert status_of(tool, *arguments) == 0


def status_of(tool: str, *arguments: object) -> int:
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        return load_tool(tool).main([str(argument) for argument in arguments])


def failure(tool: str, *arguments: object) -> str:
    """The message of a run that must fail, without a traceback."""
    with redirect_stderr(io.StringIO()) as printed:
        assert status_of(tool, *arguments) == 1
    message = printed.getvalue().splitlines()[-1]
    assert message.startswith('error: ')
    return message.removeprefix('error: ')


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def picture_size(path: Path) -> tuple[int, int]:
    image = cv2.imread(str(path))
    assert image is not None, f'{path} is no picture'
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50, f'{path} is empty'
    return image.shape[1], image.shape[0]


def write_config(folder: Path, name: str) -> tuple[Path, Path]:
    """A nano config over the noise clips of its folder, and a checkpoint of its untrained model."""
    base = configs_root() / f'{name}.py'
    text = [f"_base_ = ['{base}']"]
    for split in ('train',) if 'pretrain' in name else ('train', 'val', 'test'):
        root = folder / 'videos' if 'pretrain' in name else folder
        source = f"dict(data_root='{root}', ann_file='annotation.txt')"
        text.append(
            f'{split}_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset={source})'
        )
    config = folder / f'small_{name}.py'
    config.write_text('\n'.join(text))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        model = MODELS.build(Config.fromfile(config).model)
    checkpoint = folder / f'{name}.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, checkpoint)
    return config, checkpoint


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('tools')
    annotation = write_noise_clips(folder, as_video=False, num_clips=4, seconds=3)
    lines = [line.rsplit(' ', 1)[0] for line in annotation.read_text().splitlines()]
    annotation.write_text(''.join(f'{line} {label}\n' for line, label in zip(lines, (0, 1, 5, 5))))
    return folder


@pytest.fixture(scope='module')
def recognizer(folder: Path) -> tuple[Path, Path]:
    return write_config(folder, 'hicmae_nano_synthetic')


@pytest.fixture(scope='module')
def pretrainer(folder: Path) -> tuple[Path, Path]:
    write_noise_clips(folder / 'videos', as_video=True, num_clips=4, seconds=3)
    return write_config(folder, 'hicmae_nano_pretrain_synthetic')


@pytest.fixture(scope='module')
def predictions(folder: Path) -> Path:
    scores = torch.eye(6)
    samples = [
        {'sample_idx': index, 'sample_id': str(index), 'pred_score': scores[guess], 'gt_label': torch.tensor([label])}
        for index, (guess, label) in enumerate([(0, 0), (1, 0), (5, 5), (5, 5), (2, 2)])
    ]
    path = folder / 'predictions.pkl'
    mmengine.dump(samples, path)
    return path


@pytest.fixture(scope='module')
def work_dir(folder: Path) -> Path:
    """Logs of a training of 3 epochs x 4 iterations that was resumed after the second."""
    root = folder / 'runs' / 'mine'
    for time, epochs in (('20240101_000000', (1, 2)), ('20240101_010000', (2, 3))):
        lines = []
        for epoch in epochs:
            for iteration in (4 * epoch - 2, 4 * epoch):
                loss = 1 / iteration + (0.5 if time.endswith('000000') else 0)
                numbers = {'lr': 1e-3, 'loss': loss, 'time': 0.1 * epoch, 'data_time': 0.01, 'memory': 100}
                lines.append({**numbers, 'epoch': epoch, 'iter': iteration, 'step': iteration})
            lines.append({'UAR': 0.2 * epoch, 'WAR': 0.25 * epoch, 'data_time': 0.1, 'time': 0.2, 'step': epoch})
        log = root / time / 'vis_data' / f'{time}.json'
        log.parent.mkdir(parents=True)
        text = ''.join(json.dumps(line) + '\n' for line in lines)
        log.write_text(text)
        (log.parent / 'scalars.json').write_text(text)
    return root


def test_confusion_matrix_of_predictions(tmp_path: Path, recognizer: tuple[Path, Path], predictions: Path, capsys):
    tool = 'analysis_tools/confusion_matrix.py'
    call(tool, recognizer[0], predictions, '--out', 'made/matrix.png')
    assert 'UAR 0.8333, WAR 0.8000 over 5 clips' in capsys.readouterr().out
    width, height = picture_size(tmp_path / 'made/matrix.png')
    assert width > height > 600
    call(tool, recognizer[0], predictions, '--out', 'matrix.json', '--show-path', 'shown.png', '--include-values')
    picture_size(tmp_path / 'shown.png')
    written = json.loads((tmp_path / 'matrix.json').read_text())
    assert written['classes'] == list(CLASSES)
    assert written['confusion_matrix'][0] == [1, 1, 0, 0, 0, 0]
    assert written['confusion_matrix'][5] == [0, 0, 0, 0, 0, 2]


def test_confusion_matrix_of_a_checkpoint(tmp_path: Path, recognizer: tuple[Path, Path]):
    call('analysis_tools/confusion_matrix.py', *recognizer, '--out', 'matrix.json')
    counts = np.array(json.loads((tmp_path / 'matrix.json').read_text())['confusion_matrix'])
    assert counts.sum(axis=1).tolist() == [1, 1, 0, 0, 0, 2]
    assert [path.name for path in tmp_path.iterdir()] == ['matrix.json']


def test_confusion_matrix_names_what_is_wrong(tmp_path: Path, recognizer: tuple[Path, Path]):
    tool = 'analysis_tools/confusion_matrix.py'
    assert failure(tool, recognizer[0], 'absent.pkl') == 'absent.pkl does not exist'
    broken = tmp_path / 'broken.pkl'
    broken.write_bytes(b'not a pickle')
    assert 'is not a file of predictions' in failure(tool, recognizer[0], broken)
    mmengine.dump([], broken)
    assert failure(tool, recognizer[0], broken).endswith('broken.pkl holds no predictions')


def test_curves_of_a_work_folder(tmp_path: Path, work_dir: Path, capsys):
    call('analysis_tools/analyze_logs.py', 'plot_curve', work_dir)
    assert capsys.readouterr().out.strip() == 'wrote curves.png'
    width, height = picture_size(tmp_path / 'curves.png')
    assert width > 2 * height


def test_curves_of_several_logs(tmp_path: Path, work_dir: Path):
    logs = sorted(work_dir.glob('*/vis_data/*.json'))
    assert len(logs) == 4
    options = [
        '--keys',
        'loss',
        'UAR',
        '--legend',
        'a',
        'b',
        'c',
        'd',
        '--title',
        'two runs',
        '--smooth',
        2,
        '--window-size',
        '8*3',
    ]
    call('analysis_tools/analyze_logs.py', 'plot_curve', *logs, *options, '--out', 'made/curves.png')
    assert picture_size(tmp_path / 'made/curves.png') == (8 * 120, 3 * 120)


def test_training_time(work_dir: Path, capsys):
    call('analysis_tools/analyze_logs.py', 'cal_train_time', work_dir)
    out = capsys.readouterr().out
    assert 'slowest epoch 3, average time is 0.3000 s/iter' in out
    assert 'fastest epoch 1, average time is 0.1000 s/iter' in out
    assert 'average iter time: 0.2000 s/iter' in out


def test_analyze_logs_names_what_is_wrong(work_dir: Path):
    tool = 'analysis_tools/analyze_logs.py'
    assert failure(tool, 'plot_curve', 'absent').startswith('no log at absent')
    message = failure(tool, 'plot_curve', work_dir, '--keys', 'UAR', 'F2')
    assert message.startswith("mine has no key 'F2'; it has lr, loss,")
    message = failure(tool, 'plot_curve', work_dir, '--keys', 'UAR', '--legend', 'a', 'b')
    assert message == '--legend needs 1 logs x 1 keys names, got 2'
    assert failure(tool, 'summary', work_dir, '--keys', 'F2').startswith(
        "no run has logged 'F2'; they have UAR, WAR, lr"
    )
    assert failure(tool, 'summary', work_dir, '--sort', 'F2').startswith('--sort F2: expected one of UAR, WAR, run,')
    assert failure(tool, 'summary', 'absent').startswith('no log at absent')


def test_summary_of_runs(tmp_path: Path, work_dir: Path, capsys):
    tool = 'analysis_tools/analyze_logs.py'
    other = tmp_path / 'other' / '20240301_000000' / 'vis_data' / 'log.json'
    other.parent.mkdir(parents=True)
    train = {'lr': 1e-3, 'loss': 0.5, 'time': 2.0, 'epoch': 1, 'iter': 1800, 'step': 1800}
    other.write_text(json.dumps(train) + '\n' + json.dumps({'UAR': 0.7, 'step': 1}) + '\n')
    call(tool, 'summary', work_dir, 'other', '--sort', 'UAR')
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        '| run | config | date | epochs | iterations | training time | best UAR (epoch) | last UAR |'
    )
    assert lines[2] == '| other |  | 2024-03-01 00:00 | 1 | 1800 | 1:00:00 | 0.7000 (1) | 0.7000 | - | - |'
    assert lines[3] == '| mine |  | 2024-01-01 00:00 | 3 | 12 | 0:00:02 | 0.6000 (3) | 0.6000 | 0.7500 (3) | 0.7500 |'
    call(tool, 'summary', work_dir.parent, '--format', 'csv', '--keys', 'UAR', '--out', 'made/runs.csv')
    head, row = (tmp_path / 'made/runs.csv').read_text().splitlines()
    assert head == 'run,config,date,epochs,iterations,train_seconds,best_UAR,best_at_UAR,last_UAR'
    assert row.startswith('mine,,2024-01-01 00:00,3,12,2.4')
    capsys.readouterr()
    call(tool, 'summary', work_dir, 'other', '--format', 'json', '--sort', 'date', '--keys', 'WAR')
    first, second = json.loads(capsys.readouterr().out)
    assert (first['run'], first['WAR']['best_at'], second['WAR']) == ('mine', 3.0, None)


@pytest.mark.parametrize('size', ['12', '0*3', 'a*b'])
def test_a_picture_has_width_and_height(work_dir: Path, size: str, capsys):
    with pytest.raises(SystemExit):
        call('analysis_tools/analyze_logs.py', 'plot_curve', work_dir, '--window-size', size)
    assert f"expected width*height in inches, such as 12*7, got '{size}'" in capsys.readouterr().err


def test_get_flops(capsys):
    call('analysis_tools/get_flops.py', configs_root() / '_base_' / 'models' / 'hicmae_tiny_finetune.py')
    out = capsys.readouterr().out
    assert 'Parameters: 20.5 M' in out
    assert 'Forward: 13.8 G multiply-accumulates (27.6 GFLOP)' in out
    assert 'Published implementation: 13.8 G' in out


def test_print_config(tmp_path: Path, capsys):
    config = configs_root() / 'hicmae_base_cremad.py'
    options = ['--cfg-options', 'model.head.num_classes=4', '--save-path', 'kept/whole.py']
    call('misc/print_config.py', config, *options)
    out = capsys.readouterr().out
    assert out.startswith('Config:\n')
    assert 'AudioVisualRecognizer' in out
    assert Config.fromfile(tmp_path / 'kept/whole.py').model.head.num_classes == 4
    assert failure('misc/print_config.py', 'no.py') == 'config file no.py does not exist'


def test_print_config_with_origins(capsys):
    config = configs_root() / 'hicmae_small_cremad.py'
    call('misc/print_config.py', config, '--origins', '--cfg-options', 'model.head.num_classes=4')
    lines = capsys.readouterr().out.splitlines()
    assert f'model.encoders.video.embed_dims = 384  # {config}' in lines
    assert 'model.head.num_classes = 4  # --cfg-options' in lines
    types = [line.split(' = ')[0] for line in lines if line.startswith('train_pipeline.') and '.type' in line]
    assert types == [f'train_pipeline.{number}.type' for number in range(10)]


@pytest.mark.parametrize('mode', ['train', 'infer'])
def test_benchmark_of_a_model(
    tmp_path: Path, pretrainer: tuple[Path, Path], recognizer: tuple[Path, Path], mode: str, capsys
):
    config = pretrainer[0] if mode == 'train' else recognizer[0]
    options = ['--batch-size', 2, '--iters', 2, '--warmup', 1, '--json', 'made/speed.json']
    call('analysis_tools/benchmark.py', mode, config, *options)
    report = json.loads((tmp_path / 'made/speed.json').read_text())
    assert report['gflops_per_s'] == pytest.approx(report['clips_per_s'] * report['nominal_gflop_per_clip'])
    assert report['clips_per_s'] == pytest.approx(2 / report['seconds_per_iter'])
    rates, seconds = report['matmul_gflops_per_s_measured'], report['seconds']
    assert (len(rates), len(seconds)) == (3, 2)
    assert report['matmul_gflops_per_s'] == sorted(rates)[1]
    work = 2 * report['nominal_gflop_per_clip']
    shares = [work / taken / ((rates[i] + rates[i + 1]) / 2) for i, taken in enumerate(seconds)]
    assert report['matmul_fraction'] == pytest.approx(sum(shares) / 2)
    assert report['peak_memory_mb'] > 100
    assert 'matmul_fraction' in capsys.readouterr().out


@pytest.mark.slow
def test_benchmark_compares_configs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configs = [configs_root() / f'hicmae_nano{name}_synthetic.py' for name in ('', '_video')]
    options = ['--batch-size', 2, '--iters', 1, '--warmup', 0, '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'train', *configs, *options)
    both, video = json.loads((tmp_path / 'speed.json').read_text())
    assert set(both['ratio'].values()) == {1.0}
    for name, ratio in video['ratio'].items():
        assert ratio == pytest.approx(video[name] / both[name])
    assert video['ratio']['nominal_gflop_per_clip'] < 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [path.stem for path in configs]


def test_benchmark_of_a_model_on_given_media(tmp_path: Path, recognizer: tuple[Path, Path]):
    options = ['--batch-size', 2, '--iters', 1, '--warmup', 0, '--media', 'config', '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'infer', recognizer[0], *options)
    report = json.loads((tmp_path / 'speed.json').read_text())
    # two clips of two temporal views; the frames are square, so the spatial views coincide
    assert report['clips_per_s'] == pytest.approx(4 / report['seconds_per_iter'])


def test_benchmark_of_a_pipeline(tmp_path: Path, recognizer: tuple[Path, Path]):
    threads = torch.get_num_threads()
    options = ['--split', 'test', '--iters', 2, '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'data', recognizer[0], *options)
    report = json.loads((tmp_path / 'speed.json').read_text())
    assert report['media'].endswith('annotation.txt')
    assert report['threads'] == 1
    assert report['views_per_s'] == pytest.approx(report['clips_per_s'] * report['views_per_clip'])
    assert report['matmul_fraction'] is None
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ('name', 'media'),
    [
        ('hicmae_nano_pretrain_synthetic', 'noise, 224x224 H.264 + wav'),
        ('hicmae_nano_synthetic', 'noise, 256x256 JPEG + wav'),
        ('hicmae_base_pretrain_voxceleb2_shards', 'noise, shards of 160x160 JPEG + flac'),
    ],
)
def test_benchmark_makes_its_own_media(tmp_path: Path, name: str, media: str):
    options = ['--iters', 2, '--media', 'random', '--json', 'speed.json']
    call('analysis_tools/benchmark.py', 'data', configs_root() / f'{name}.py', *options)
    assert json.loads((tmp_path / 'speed.json').read_text())['media'] == media


def test_benchmark_names_what_is_wrong(pretrainer: tuple[Path, Path], capsys):
    tool = 'analysis_tools/benchmark.py'
    assert failure(tool, 'train', 'no.py') == 'config file no.py does not exist'
    assert failure(tool, 'data', pretrainer[0], '--split', 'test').endswith('has no test_dataloader')
    with pytest.raises(SystemExit):
        call(tool, 'data', pretrainer[0], pretrainer[0])
    assert 'several configs are compared in the modes train and infer' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        call(tool, 'train', pretrainer[0], '--iters', 0)
    assert 'must be at least 1, got 4 and 0' in capsys.readouterr().err


def test_reconstructions(tmp_path: Path, pretrainer: tuple[Path, Path], capsys):
    call('visualization/vis_reconstruction.py', *pretrainer, '--out', 'made', '--num-clips', 2)
    assert [path.name for path in sorted((tmp_path / 'made').iterdir())] == ['clip_0.mp4.png', 'clip_2.mp4.png']
    assert capsys.readouterr().out.count('wrote') == 2
    assert picture_size(tmp_path / 'made/clip_0.mp4.png')[0] == 1200


def test_reconstruction_names_what_is_wrong(pretrainer: tuple[Path, Path], recognizer: tuple[Path, Path]):
    tool = 'visualization/vis_reconstruction.py'
    assert failure(tool, pretrainer[0], 'no.pth') == "checkpoint 'no.pth' does not exist"
    assert 'expected the config of an AudioVisualPretrainer' in failure(tool, *recognizer)
    assert 'does not fill this model' in failure(tool, pretrainer[0], recognizer[1])


def test_process_ends_with_one_line_and_an_error_code():
    result = run_tool('analysis_tools/analyze_logs.py', 'plot_curve', 'absent', check=False)
    assert result.returncode == 1
    assert last_line(result).startswith('error: no log at absent')
    assert 'Traceback' not in result.stderr
