"""What a user gets by installing: the version, a quick import, and configs and tools inside the wheel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import hicmae_mm

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ('torch', 'torchvision', 'torchaudio', 'mmengine', 'mmcv', 'mmaction', 'cv2', 'timm', 'sklearn', 'matplotlib')


def test_version_is_the_same_everywhere() -> None:
    assert re.fullmatch(r'\d+\.\d+\.\d+', hicmae_mm.__version__)
    assert f'version: {hicmae_mm.__version__}\n' in (ROOT / 'CITATION.cff').read_text()
    assert f'## {hicmae_mm.__version__}' in (ROOT / 'CHANGELOG.md').read_text()


def _modules_after(statement: str) -> set[str]:
    script = f'import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))'
    done = subprocess.run([sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = _modules_after('import hicmae_mm')
    assert 'hicmae_mm' in loaded
    assert loaded.isdisjoint(HEAVY)


def test_importing_the_registries_loads_no_component_and_no_mmaction() -> None:
    loaded = _modules_after('import hicmae_mm.registry')
    assert loaded.isdisjoint({'mmaction', 'timm', 'torchaudio', 'hicmae_mm.models', 'hicmae_mm.datasets'})


def test_constraints_pin_every_requirement_exactly() -> None:
    def names(file: str) -> set[str]:
        lines = (ROOT / 'requirements' / file).read_text().splitlines()
        found = (re.match(r'[A-Za-z0-9_.-]+', line) for line in lines if not line.startswith(('#', '-')))
        return {re.sub(r'[-_.]+', '-', match.group()).lower() for match in found if match}

    pinned = [line for line in (ROOT / 'requirements' / 'constraints.txt').read_text().splitlines() if line[0] != '#']
    assert all('==' in line for line in pinned)
    files = ('runtime.txt', 'features.txt', 'text.txt', 'hf.txt', 'export.txt', 'web.txt', 'docs.txt', 'dev.txt')
    assert set().union(*map(names, files)) <= names('constraints.txt')


@pytest.fixture(scope='module')
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from what git tracks or would track, unpacked as an installer does."""
    folder = tmp_path_factory.mktemp('wheel')
    checkout = folder / 'checkout'
    files = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, files.stdout.split('\0')):
        if (ROOT / name).is_file() and not name.startswith('tests/'):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-w', str(folder), '.']
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob('hicmae_mm-*.whl')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / 'site')
    return folder / 'site'


@pytest.mark.slow
def test_wheel_carries_every_config_tool_and_the_type_marker(unpacked_wheel: Path) -> None:
    def files(folder: Path) -> set[str]:
        found = (path for path in folder.rglob('*') if path.is_file() and '__pycache__' not in path.parts)
        return {path.relative_to(folder).as_posix() for path in found}

    mim = unpacked_wheel / 'hicmae_mm' / '.mim'
    assert files(mim / 'configs') == files(ROOT / 'configs')
    left_out = files(ROOT / 'tools') - files(mim / 'tools')
    assert {'setup_env.sh', 'quickstart.sh', 'run_tests.sh'} <= left_out
    assert all('tools/setup_env.sh' in (ROOT / 'tools' / name).read_text() for name in left_out)
    assert {'train.py', 'launch.sh', 'dist_train.sh', 'slurm_train.sh'} <= files(mim / 'tools') <= files(ROOT / 'tools')
    assert (unpacked_wheel / 'hicmae_mm' / 'py.typed').is_file()
    assets = Path('hicmae_mm', 'apis', 'web', 'assets')
    assert files(unpacked_wheel / assets) == files(ROOT / assets) != set()
    assert {path.name.partition('-')[0] for path in unpacked_wheel.iterdir()} == {'hicmae_mm'}


@pytest.mark.slow
def test_wheel_carries_the_index_that_mim_searches(unpacked_wheel: Path) -> None:
    mim = unpacked_wheel / 'hicmae_mm' / '.mim'
    imported = yaml.safe_load((mim / 'model-index.yml').read_text())['Import']
    assert imported
    for name in imported:
        models = yaml.safe_load((mim / name).read_text())['Models']
        assert models
        assert all((mim / model['Config']).is_file() for model in models)


@pytest.mark.slow
def test_installed_copy_finds_its_own_configs(unpacked_wheel: Path) -> None:
    script = (
        'from hicmae_mm.config.paths import configs_root, tools_root\n'
        'print(configs_root() / "hicmae_base_cremad.py", tools_root() / "train.py")'
    )
    command = [sys.executable, '-c', script]  # started with -c, Python imports from the working directory first
    done = subprocess.run(command, cwd=unpacked_wheel, check=True, capture_output=True, text=True)
    for path in map(Path, done.stdout.split()):
        assert path.is_relative_to(unpacked_wheel)
        assert path.is_file()
