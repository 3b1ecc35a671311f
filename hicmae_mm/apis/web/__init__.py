"""The web page: a Gradio app on the inferencer. Only :mod:`hicmae_mm.apis.web.app` needs Gradio."""

from hicmae_mm.apis.web.limits import Limits
from hicmae_mm.apis.web.problems import VisitorError
from hicmae_mm.apis.web.service import EmotionService

__all__ = ['EmotionService', 'Limits', 'VisitorError']
