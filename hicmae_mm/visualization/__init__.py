"""Figures: confusion matrix, training curves, reconstructions, predictions, embeddings, attention and layer mixes."""

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
