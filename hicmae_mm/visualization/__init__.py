"""Figures: confusion matrix, training curves, reconstructions, predictions, embeddings, attention and layer mixes.

A function is imported when it is first used, because matplotlib takes most of a second, and every training imports the
hooks of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hicmae_mm.visualization.confusion import draw_confusion_matrix
    from hicmae_mm.visualization.contact_sheet import draw_contact_sheet
    from hicmae_mm.visualization.curves import Curve, draw_curves, smooth
    from hicmae_mm.visualization.prediction import draw_prediction
    from hicmae_mm.visualization.reconstruction import draw_reconstruction, unnormalise_video
    from hicmae_mm.visualization.style import save_figure

__all__ = [
    'Curve',
    'draw_confusion_matrix',
    'draw_contact_sheet',
    'draw_curves',
    'draw_prediction',
    'draw_reconstruction',
    'save_figure',
    'smooth',
    'unnormalise_video',
]
_MODULES = {
    'confusion': ('draw_confusion_matrix',),
    'contact_sheet': ('draw_contact_sheet',),
    'curves': ('Curve', 'draw_curves', 'smooth'),
    'prediction': ('draw_prediction',),
    'reconstruction': ('draw_reconstruction', 'unnormalise_video'),
    'style': ('save_figure',),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f'{__name__}.{module}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
