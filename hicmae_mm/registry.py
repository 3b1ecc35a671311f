"""Child registries of MMEngine's root registries, in the scope ``hicmae_mm``.

A root registry has a child here if this package registers components of its kind, or if a config of this package uses
it, because MMEngine warns about root registries without a child in the scope. Each registry imports its ``locations``
on first use, so the import of this module is fast.
"""

from __future__ import annotations

from mmengine import registry as root

from hicmae_mm.compat import patch_third_party

patch_third_party()


def _child(name: str, parent: root.Registry, *locations: str) -> root.Registry:
    return root.Registry(name, parent=parent, scope='hicmae_mm', locations=[f'hicmae_mm.{path}' for path in locations])


MODELS = _child('model', root.MODELS, 'models')
DATASETS = _child('dataset', root.DATASETS, 'datasets')
DATA_SAMPLERS = _child('data sampler', root.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child('transform', root.TRANSFORMS, 'datasets.transforms')
FACE_CROPPERS = root.Registry('face cropper', scope='hicmae_mm', locations=['hicmae_mm.datasets.faces'])  # no root
FUNCTIONS = _child('function', root.FUNCTIONS, 'datasets')
METRICS = _child('metric', root.METRICS, 'evaluation')
EVALUATOR = _child('evaluator', root.EVALUATOR, 'evaluation')
HOOKS = _child('hook', root.HOOKS, 'engine', 'visualization.hooks', 'features.hook')
LOOPS = _child('loop', root.LOOPS, 'engine')
OPTIMIZERS = _child('optimizer', root.OPTIMIZERS, 'engine')
OPTIM_WRAPPERS = _child('optimizer wrapper', root.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', root.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child('parameter scheduler', root.PARAM_SCHEDULERS, 'engine')
MODEL_WRAPPERS = _child('model wrapper', root.MODEL_WRAPPERS, 'engine')
LOG_PROCESSORS = _child('log processor', root.LOG_PROCESSORS, 'engine')
VISUALIZERS = _child('visualizer', root.VISUALIZERS, 'visualization')
VISBACKENDS = _child('visualization backend', root.VISBACKENDS, 'visualization')
RUNNERS = _child('runner', root.RUNNERS, 'engine')
