"""Finds modules under import paths that have moved, and warns: those of 0.1 until version 0.3, of 0.2 until 0.4."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

MODULES = {
    'apis.config_text': 'config.plain_text',
    'apis.inputs': 'datasets.clips.inputs',
    'apis.media': 'datasets.clips.media',
    'datasets.preparation.clip': 'datasets.readers.source_clip',
    'engine.hooks.picture': 'visualization.hooks.picture',
    'engine.hooks.prediction_visualization': 'visualization.hooks.prediction_visualization',
    'engine.hooks.reconstruction': 'visualization.hooks.reconstruction',
    'engine.hooks.save_features': 'features.hook',
    'engine.hooks.validation_pictures': 'visualization.hooks.validation_pictures',
    'export.config_text': 'config.plain_text',
    'features.reading': 'datasets.stored_features',
    'utils.benchmark': 'measuring',
    'utils.benchmark.loading': 'measuring.loading',
    'utils.benchmark.model': 'measuring.model',
    'utils.benchmark.published': 'measuring.published',
    'utils.benchmark.timing': 'measuring.timing',
    'utils.checkpoint': 'checkpoints.loading',
    'utils.checkpoint_files': 'checkpoints.files',
    'utils.compat': 'compat',
    'utils.complexity': 'measuring.complexity',
    'utils.config_checks': 'config.checks',
    'utils.config_facts': 'config.facts',
    'utils.config_overrides': 'config.overrides',
    'utils.cross_validation': 'config.folds',
    'utils.distributed': 'engine.distributed',
    'utils.downloads': 'checkpoints.downloads',
    'utils.encoder_init': 'checkpoints.encoder_init',
    'utils.logging': 'engine.logging',
    'utils.media': 'datasets.writers',
    'utils.metafile': 'measuring.metafile',
    'utils.noise_media': 'datasets.synthetic.noise',
    'utils.paths': 'config.paths',
    'utils.preloaded': 'commands.preloaded',
    'utils.published_keys': 'checkpoints.published_keys',
    'utils.random_batch': 'measuring.random_batch',
    'utils.resampling': 'checkpoints.resampling',
    'utils.side_by_side': 'commands.side_by_side',
    'utils.steps': 'commands.steps',
}
MODULES_OF_0_2 = {
    'datasets.audio_readers': 'datasets.readers.audio',
    'datasets.containers': 'datasets.readers.containers',
    'datasets.decord_reader': 'datasets.readers.decord_video',
    'datasets.displayed': 'datasets.readers.displayed',
    'datasets.downmix': 'datasets.readers.downmix',
    'datasets.folders': 'datasets.readers.folders',
    'datasets.frame_cache': 'datasets.readers.frame_cache',
    'datasets.numbering': 'datasets.readers.numbering',
    'datasets.picture_index': 'datasets.readers.picture_index',
    'datasets.picture_size': 'datasets.readers.picture_size',
    'datasets.pyav_audio': 'datasets.readers.pyav_audio',
    'datasets.pyav_reader': 'datasets.readers.pyav_video',
    'datasets.source_clip': 'datasets.readers.source_clip',
    'datasets.spans': 'datasets.readers.spans',
    'datasets.tracks': 'datasets.readers.tracks',
    'datasets.video_readers': 'datasets.readers.video',
    'models.layers.experts': 'models.encoders.experts',
    'models.layers.presence': 'structures.presence',
    'models.layers.region_block': 'models.encoders.region_block',
    'models.utils': 'models.building',
}
MODULES |= MODULES_OF_0_2
NAMES = {
    'engine.hooks': {
        'ConfusionMatrixHook': 'visualization.hooks',
        'PredictionVisualizationHook': 'visualization.hooks',
        'ReconstructionHook': 'visualization.hooks',
        'SaveFeaturesHook': 'features.hook',
        'WorstClipsHook': 'visualization.hooks',
    },
    'models.layers': {
        'ExpertBlock': 'models.encoders.experts',
        'ExpertMixture': 'models.encoders.experts',
        'GatedMlp': 'models.fusion.emt',
        'NoisyTopKRouter': 'models.encoders.experts',
        'Presence': 'structures',
        'RegionBlock': 'models.encoders.region_block',
        'TokenMask': 'structures',
        'as_presence': 'structures',
        'as_token_mask': 'structures',
    },
}
NAMES_OF_0_2 = ('models.layers',)
_PACKAGE = 'hicmae_mm.'


class _MovedModules(MetaPathFinder, Loader):
    """Finds a module under its old path and hands out the one of the new path, so that nothing is registered twice."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 (of the protocol)
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname.startswith(_PACKAGE) and fullname.removeprefix(_PACKAGE) in MODULES:
            return spec_from_loader(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__
        new = _PACKAGE + MODULES[old.removeprefix(_PACKAGE)]
        _warn(old, new, old.removeprefix(_PACKAGE) in MODULES_OF_0_2)
        sys.modules[old] = importlib.import_module(new)


def find_moved_modules() -> None:
    """Lets ``import`` find modules under their old paths. Idempotent."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        # first, because the search in the folder of a moved package would load its modules a second time
        sys.meta_path.insert(0, _MovedModules())


def moved_name(module: str, name: str) -> Any:
    """Serves as ``__getattr__`` of a module whose classes have moved.

    Args:
        module: Path of the old module.
        name: Name that is asked for.

    Raises:
        AttributeError: If the module never had that name.
    """
    new = NAMES[module.removeprefix(_PACKAGE)].get(name)
    if new is None:
        raise AttributeError(f'module {module!r} has no attribute {name!r}')
    _warn(f'{module}.{name}', f'{_PACKAGE}{new}.{name}', module.removeprefix(_PACKAGE) in NAMES_OF_0_2)
    return getattr(importlib.import_module(_PACKAGE + new), name)


def _warn(old: str, new: str, is_of_0_2: bool) -> None:
    removed_in = '0.4' if is_of_0_2 else '0.3'
    message = f'{old} has moved to {new}; the old path is removed in version {removed_in}'
    warnings.warn(message, DeprecationWarning, stacklevel=3)
