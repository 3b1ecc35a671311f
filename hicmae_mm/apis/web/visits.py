"""Answer the requests of visitors, and clean up when they leave."""

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
    """Answers requests of the page, and of programs that use ``gradio_client``.

    Attributes:
        service: Service that analyses uploads.
        uploads: Stores and deletes uploads.
        analyses: Knows the running analyses.
    """

    service: EmotionService
    uploads: Uploads
    analyses: Analyses = field(default_factory=Analyses)

    def view(self, file: dict[str, Any] | None, request: gr.Request) -> list[Any]:
        """Analyses a file for the page.

        Args:
            file: Description of the upload by Gradio. None means that nothing was uploaded.
            request: The request, which has the session of the visitor.

        Returns:
            The values that the page shows, followed by None for each input, which empties it.
        """
        return self._shown(file, '', request)

    def view_with_words(self, file: dict[str, Any] | None, words: str | None, request: gr.Request) -> list[Any]:
        """Analyses a file and what is said in it for the page.

        Args:
            file: See :meth:`view`.
            words: Text that is spoken.
            request: See :meth:`view`.

        Returns:
            See :meth:`view`.
        """
        return [*self._shown(file, words or '', request), '']

    def _shown(self, file: dict[str, Any] | None, words: str, request: gr.Request) -> list[Any]:
        session = str(request.session_hash)
        try:
            shown = self._result(file, session, words)
        except VisitorError as problem:
            shown = problem_view(problem)
        finally:
            self.uploads.leave(session)
        # the mark makes each value unique, so that the page shows a repeated problem again
        return [shown | dict(mark=secrets.token_hex(4)), *[None] * len(source_names(self.service))]

    def analyse(self, file: gr.FileData, request: gr.Request) -> dict[str, Any]:
        """Returns the emotion in a video or sound file: the dictionary of EmotionInferencer."""
        return self.analyse_with_words(file, '', request)

    def analyse_with_words(self, file: gr.FileData, words: str, request: gr.Request) -> dict[str, Any]:
        """Returns the emotion in a video or sound file and in what is said: the dictionary of EmotionInferencer."""
        try:
            shown = self._result(dict(file), str(request.session_hash), words)
        except VisitorError as problem:
            raise gr.Error(str(problem), print_exception=False) from None
        content: dict[str, Any] = json.loads(shown['files']['json'])
        return content

    def _result(self, file: dict[str, Any] | None, session: str, words: str) -> dict[str, Any]:
        if file is None:
            return self.service.analyse(None)
        try:
            claimed = self.uploads.claim(str(file['path']), session)
        except ValueError:
            raise upload_lost() from None
        try:
            with self.analyses.of(session, self.service.limits.max_analysis_seconds) as stop:
                return self.service.analyse(claimed, stop, words)
        finally:
            self.uploads.remove(claimed)

    def keep(self, file: dict[str, Any] | None) -> None:
        """Does nothing, because the gate registers the owner of the file when the page sends this request."""

    def forget(self, request: gr.Request) -> None:
        """Deletes the files of a visitor, and stops the analyses of the visitor.

        Args:
            request: The request, which has the session of the visitor.
        """
        self.leave(str(request.session_hash))

    def leave(self, session: str) -> None:
        """Does the same as :meth:`forget` for a session.

        Args:
            session: Session of the visitor.
        """
        self.analyses.stop(session)
        self.uploads.leave(session)


def source_names(service: EmotionService) -> tuple[str, ...]:
    """Lists the kinds of input that suit a model.

    Args:
        service: Service with the model.

    Returns:
        Some of ``'file'``, ``'camera'`` and ``'microphone'``.
    """
    camera = ('camera',) if 'video' in service.media else ()
    return ('file', *camera, *(('microphone',) if service.takes_sound_alone else ()))
