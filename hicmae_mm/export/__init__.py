"""Export recognizers as ONNX graphs or ``torch.export`` programs, and run them in sessions."""

from hicmae_mm.export.exporting import export_model
from hicmae_mm.export.manifest import Manifest, read_manifest
from hicmae_mm.export.session import ExportedSession, OnnxSession, ProgramSession, open_session

__all__ = [
    'ExportedSession',
    'Manifest',
    'OnnxSession',
    'ProgramSession',
    'export_model',
    'open_session',
    'read_manifest',
]
