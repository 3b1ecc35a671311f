"""Zero-shot evaluation of language models that see pictures and read words, behind an OpenAI-compatible endpoint."""

from hicmae_mm.apis.zero_shot.answers import AnswerStore, Reading, read_answer
from hicmae_mm.apis.zero_shot.clips import ClipReader, ShownClip
from hicmae_mm.apis.zero_shot.endpoint import ChatEndpoint, Reply
from hicmae_mm.apis.zero_shot.evaluation import Outcome, ZeroShotEvaluation
from hicmae_mm.apis.zero_shot.keys import KeyRing, read_keys
from hicmae_mm.apis.zero_shot.questions import Question, estimate_tokens
from hicmae_mm.apis.zero_shot.scores import as_predictions, summary

__all__ = [
    'AnswerStore',
    'ChatEndpoint',
    'ClipReader',
    'KeyRing',
    'Outcome',
    'Question',
    'Reading',
    'Reply',
    'ShownClip',
    'ZeroShotEvaluation',
    'as_predictions',
    'estimate_tokens',
    'read_answer',
    'read_keys',
    'summary',
]
