"""Web page for the inferencer, made with Gradio.

The service, the limits and the views work without Gradio; the page itself and the reception of uploads need it.
"""

from hicmae_mm.apis.web.limits import Limits
from hicmae_mm.apis.web.problems import VisitorError
from hicmae_mm.apis.web.service import EmotionService

__all__ = ['EmotionService', 'Limits', 'VisitorError']
