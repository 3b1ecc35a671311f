from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.apis import EmotionInferencer, list_models, resolve_model
from hicmae_mm.config.paths import configs_root
from tests.apis.conftest import write_model


@pytest.fixture
def work_dir(cfg: Config, weights: Path, tmp_path: Path) -> Path:
    """As a training leaves it, moved to another place since."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for name in ('epoch_2.pth', 'epoch_10.pth', 'best_UAR_epoch_2.pth'):
        write_model(cfg, folder / name)
    cfg.dump(folder / 'old.py')
    os.utime(folder / 'old.py', (1, 1))
    changed = Config(cfg.to_dict())
    changed.test_dataloader.dataset.metainfo.classes = ('up', 'down')
    changed.dump(folder / 'tiny.py')
    (folder / 'last_checkpoint').write_text('/somewhere/else/epoch_10.pth')
    return folder


def test_every_shipped_recogniser_is_listed():
    names = list_models()
    assert names == sorted(names)
    assert 'hicmae_base_cremad' in names
    assert not [name for name in names if 'pretrain' in name]
    assert 'mae_dfer_base_dfew' in names  # of another system, in a folder of its own
    assert list_models('hicmae_nano') == [
        'hicmae_nano_audio_synthetic',
        'hicmae_nano_frozen_synthetic',
        'hicmae_nano_lora_synthetic',
        'hicmae_nano_synthetic',
        'hicmae_nano_text_synthetic',
        'hicmae_nano_video_synthetic',
    ]


@pytest.mark.parametrize(
    'model', ['hicmae_nano_synthetic', 'configs/hicmae_nano_synthetic.py', 'hicmae_nano_synthetic.py']
)
def test_shipped_configs_go_by_name(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)  # as with an installed wheel, away from the checkout
    resolved = resolve_model(model)
    assert resolved.name == 'hicmae_nano_synthetic'
    assert resolved.cfg.filename == str(configs_root() / 'hicmae_nano_synthetic.py')
    assert resolved.weights is None


@pytest.mark.parametrize(
    'model', ['svfap_nano_synthetic', 'svfap/svfap_nano_synthetic', 'configs/svfap/svfap_nano_synthetic.py']
)
def test_configs_of_other_systems_go_by_name(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    resolved = resolve_model(model)
    assert resolved.name == 'svfap_nano_synthetic'
    assert resolved.cfg.filename == str(configs_root() / 'svfap' / 'svfap_nano_synthetic.py')


@pytest.mark.parametrize('prefix', ['', 'local-dir:'])
def test_a_training_gives_its_newest_config_and_last_checkpoint(work_dir: Path, prefix: str):
    resolved = resolve_model(f'{prefix}{work_dir}')
    assert resolved.name == 'run'
    assert resolved.cfg.test_dataloader.dataset.metainfo.classes == ('up', 'down')
    assert resolved.weights == str(work_dir / 'epoch_10.pth')
    (work_dir / 'last_checkpoint').unlink()
    os.utime(work_dir / 'epoch_2.pth', (2e9, 2e9))
    assert resolve_model(work_dir).weights == str(work_dir / 'epoch_2.pth')
    assert resolve_model(work_dir, work_dir / 'epoch_10.pth').weights == str(work_dir / 'epoch_10.pth')


def test_weights_may_hold_their_config(weights: Path, cfg: Config, tmp_path: Path):
    shutil.copy(weights, tmp_path)
    for model, name in ((weights, 'tiny'), (tmp_path, tmp_path.name)):
        resolved = resolve_model(model)
        assert resolved.cfg.model == cfg.model
        assert resolved.name == name
    assert resolve_model(None, weights).weights == str(weights)
    assert resolve_model(cfg, weights).cfg is cfg


def test_an_inferencer_of_a_folder_knows_its_classes(work_dir: Path):
    inferencer = EmotionInferencer(work_dir, device='cpu', face_cropper=None)
    assert inferencer.names.classes == ('up', 'down')


@pytest.mark.parametrize(
    ('model', 'error', 'message'),
    [
        ('hicmae_base_cremd', ValueError, "did you mean 'hicmae_base_cremad'"),
        ('my_own', ValueError, 'ORGANISATION/NAME'),
        ('local-dir:nowhere', FileNotFoundError, 'no such folder'),
        ('work_dirs/nowhere.pth', FileNotFoundError, 'no such file or folder'),
        ('a/b/c', FileNotFoundError, 'no such file or folder'),
        (3, TypeError, 'must be a name, a path or a config, got int'),
        (None, ValueError, 'give the name of a model'),
    ],
)
def test_what_is_not_there_is_named(model: object, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        resolve_model(model)


def test_a_folder_without_weights(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r'no weights \(\*\.pth, \*\.safetensors\)'):
        resolve_model(tmp_path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("import os\nos.system('true')", 'line 1'),
        ("model = __import__('os').system('true')", 'line 1'),
        ("model = dict(type='subprocess.run', args='true')", "'subprocess.run' is a path"),
        ("model = dict(head=[dict(type='mmengine.load')])", "'mmengine.load' is a path"),
    ],
)
def test_configs_in_weights_run_nothing(text: str, message: str, cfg: Config, tmp_path: Path):
    from safetensors.torch import save_file
    from torch import zeros

    save_file({'a': zeros(1)}, tmp_path / 'evil.safetensors', metadata=dict(config=text))
    with pytest.raises(ValueError, match=message):
        resolve_model(tmp_path)


def hub(monkeypatch: pytest.MonkeyPatch, download) -> None:
    """Stands in for the hub, which tests do not ask."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, 'snapshot_download', download)


def test_a_model_of_the_hub(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.copy(weights, tmp_path)
    asked = []
    hub(monkeypatch, lambda name, allow_patterns: asked.append(name) or str(tmp_path))
    resolved = resolve_model('people/tiny')
    assert (resolved.name, resolved.weights, asked) == (
        'people/tiny',
        str(tmp_path / 'tiny.safetensors'),
        ['people/tiny'],
    )
    (tmp_path / 'tiny.py').write_text('import os\n')
    with pytest.raises(ValueError, match='tiny.py: the config must be'):
        resolve_model('people/tiny')


def test_the_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError('no route')

    hub(monkeypatch, fail)
    with pytest.raises(
        FileNotFoundError, match='hub cannot be reached to look there; offline, name a folder: local-dir:'
    ):
        resolve_model('people/tiny')


def test_the_hub_is_not_imported_unless_it_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
    resolve_model('hicmae_nano_synthetic')
    with pytest.raises(ImportError, match='pip install huggingface_hub'):
        resolve_model('people/tiny')


@pytest.mark.parametrize('prefix', ['', 'local-dir:'])
def test_a_folder_is_read_as_data_unless_it_is_trusted(prefix: str, work_dir: Path, tmp_path: Path):
    witness = tmp_path / 'witness'
    config = max(work_dir.glob('*.py'), key=lambda path: path.stat().st_mtime)
    config.write_text(f'open({str(witness)!r}, "w").close()\n' + config.read_text())
    os.utime(config, (3e9, 3e9))
    with pytest.raises(ValueError, match='line 1 is something else.*--trust-source'):
        resolve_model(f'{prefix}{work_dir}')
    assert not witness.exists()
    assert resolve_model(f'{prefix}{work_dir}', trust_source=True).cfg.model.type == 'AudioVisualRecognizer'
    assert witness.exists()
