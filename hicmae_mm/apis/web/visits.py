"""What visitors ask for, whose file is whose, and what ends with them."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from hicmae_mm.apis.web.problems import VisitorError, upload_lost
from hicmae_mm.apis.web.service import EmotionService
from hicmae_mm.apis.web.stops import Analyses
from hicmae_mm.apis.web.uploads import Uploads
from hicmae_mm.apis.web.view import problem_view


@dataclass
class Visits:
    """What visitors ask for: the page, and programs by ``gradio_client``.

    Attributes:
        service: Analyses uploads.
        uploads: Deletes them.
        analyses: Those that run.
    """

    service: EmotionService
    uploads: Uploads
    analyses: Analyses = field(default_factory=Analyses)

    def view(self, file: dict[str, Any] | None, request: gr.Request) -> list[Any]:
        """What the page shows, and empty forms."""
        session = str(request.session_hash)
        try:
            shown = self._result(file, session)
        except VisitorError as problem:
            shown = problem_view(problem.title, problem.advice)
        finally:
            self.uploads.leave(session)
        # the mark makes a problem that comes twice a new value, which is shown again
        return [shown | dict(mark=secrets.token_hex(4)), *[None] * len(source_names(self.service))]

    def analyse(self, file: gr.FileData, request: gr.Request) -> dict:
        """Emotion in a video or sound file: the dictionary of EmotionInferencer."""
        try:
            shown = self._result(dict(file), str(request.session_hash))
        except VisitorError as problem:
            raise gr.Error(str(problem), print_exception=False) from None
        return json.loads(shown['files']['json'])

    def _result(self, file: dict[str, Any] | None, session: str) -> dict[str, Any]:
        if file is None:
            return self.service.analyse(None)
        try:
            claimed = self.uploads.claim(str(file['path']), session)
        except ValueError:
            raise upload_lost() from None
        try:
            with self.analyses.of(session, self.service.limits.max_analysis_seconds) as stop:
                return self.service.analyse(claimed, stop)
        finally:
            self.uploads.remove(claimed)

    def keep(self, file: dict[str, Any] | None) -> None:
        """Does nothing itself: the gate notes whose file it is when the page calls this."""

    def forget(self, request: gr.Request) -> None:
        """Deletes files of a visitor, and ends what runs for him."""
        self.leave(str(request.session_hash))

    def leave(self, session: str) -> None:
        """The same by the visitor's mark."""
        self.analyses.stop(session)
        self.uploads.leave(session)


def source_names(service: EmotionService) -> tuple[str, ...]:
    """Ways in that suit a model."""
    camera = ('camera',) if 'video' in service.streams else ()
    return ('file', *camera, *(('microphone',) if service.takes_sound_alone else ()))
