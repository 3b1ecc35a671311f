"""Installs hicmae_mm; wheels carry configs/, tools/ and model-index.yml inside the package as ``.mim`` data."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_FOLDERS, MIM_FILES = ('configs', 'tools'), ('model-index.yml',)
CHECKOUT_ONLY = 'tools/setup_env.sh'  # a script that needs this one, or is it, cannot run in an installed copy
EXTRAS = ('features', 'text', 'hf', 'export', 'web', 'docs')  # requirements/{name}.txt, all of them in dev


def runs_installed(path: Path) -> bool:
    """Tells whether a file is useful outside of a checkout."""
    return path.suffix != '.sh' or CHECKOUT_ONLY not in path.read_text(encoding='utf-8')


class BuildPyWithMimData(build_py):
    """Copies the checkout's configs and tools to ``hicmae_mm/.mim``; an editable install reads the checkout itself."""

    def _mim_files(self) -> dict[Path, Path]:
        target = Path(self.build_lib) / 'hicmae_mm' / '.mim'
        found = [path for folder in MIM_FOLDERS for path in sorted((ROOT / folder).rglob('*'))]
        sources = [
            path for path in found if path.is_file() and '__pycache__' not in path.parts and runs_installed(path)
        ]
        return {
            source: target / source.relative_to(ROOT) for source in [*sources, *(ROOT / name for name in MIM_FILES)]
        }

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in self._mim_files().items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else outputs + [str(path) for path in self._mim_files().values()]


def requirements(*names: str) -> list[str]:
    """Requirement lines of ``requirements/{name}.txt`` without comments and includes."""
    texts = [(ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8') for name in names]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(('#', '-r'))]


def version() -> str:
    scope: dict[str, str] = {}
    exec((ROOT / 'hicmae_mm' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


setup(
    name='hicmae_mm',
    version=version(),
    description='Audio-visual emotion recognition on MMEngine registries: HiCMAE pre-training and fine-tuning',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    author='The hicmae_mm contributors',
    keywords=['emotion recognition', 'audio-visual', 'self-supervised learning', 'masked autoencoder', 'OpenMMLab'],
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Typing :: Typed',
    ],
    # CI runs on 3.11; 3.10 and 3.12 are installed and tested by hand from the same constraints file, 3.13 is not
    python_requires='>=3.10,<3.14',
    packages=find_packages(include=['hicmae_mm', 'hicmae_mm.*']),
    package_data={'hicmae_mm': ['py.typed', 'apis/web/assets/*']},
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in EXTRAS} | {'dev': requirements('dev', *EXTRAS)},
    cmdclass={'build_py': BuildPyWithMimData},
    zip_safe=False,
)
