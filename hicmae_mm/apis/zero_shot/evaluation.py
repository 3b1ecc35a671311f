"""Asks about all clips in batches, and about parts of a batch where an answer cannot be read."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hicmae_mm.apis.zero_shot.answers import AnswerStore, is_refusal, read_answer
from hicmae_mm.apis.zero_shot.clips import ShownClip
from hicmae_mm.apis.zero_shot.endpoint import ChatEndpoint, Reply
from hicmae_mm.apis.zero_shot.questions import Question
from hicmae_mm.datasets.errors import MediaError

STATES = ('answered', 'refused', 'unreadable', 'broken')


@dataclass(frozen=True)
class Outcome:
    """Stores what is known of a clip in the end.

    Attributes:
        index: Index of the clip in the data set.
        state: ``'answered'``; ``'refused'``: the model declines; ``'unreadable'``: its answers name no class;
            ``'broken'``: the media of the clip cannot be read, so that the model was not asked.
        words: Classes from the best to the worst, or words of an open vocabulary; empty unless answered.
        answer: The last answer as it was written, or why the media cannot be read.
    """

    index: int
    state: str
    words: tuple[str, ...]
    answer: str


class ZeroShotEvaluation:
    """Asks a language model about clips of a data set.

    A batch whose answer cannot be read is asked again, then divided into halves, down to single clips. One that is too
    large for the endpoint is divided at once. So one clip that the model refuses costs no other clip its answer.

    Args:
        endpoint: The model.
        read: Returns what is shown of the clip with an index.
        classes: Names of the classes; None leaves the vocabulary open.
        store: Keeps the answers.
        batch_size: Number of clips in a question.
        tries: Number of times that the same question is asked before it is divided.
        parallel: Number of questions at the same time.
    """

    def __init__(
        self,
        endpoint: ChatEndpoint,
        read: Callable[[int], ShownClip],
        classes: Sequence[str] | None,
        store: AnswerStore,
        batch_size: int = 8,
        tries: int = 2,
        parallel: int = 4,
    ) -> None:
        self.endpoint, self.read, self.classes, self.store = endpoint, read, classes, store
        self.batch_size, self.tries, self.parallel = batch_size, tries, parallel
        self.usage: Counter[str] = Counter()  # requests, their tokens, and answers that were stored before
        self._lock = threading.Lock()

    def run(self, indices: Sequence[int], progress: Callable[[int], object] = int) -> list[Outcome]:
        """Asks about clips.

        Args:
            indices: Clips, in the order in which they are asked.
            progress: Is called with the number of clips of each finished batch.

        Returns:
            What is known of each clip, sorted by index.

        Raises:
            ConnectionError: If the endpoint does not answer. All answers so far are stored; a rerun goes on.
            ValueError: If the endpoint refuses a request.
        """
        batches: queue.SimpleQueue[Sequence[int]] = queue.SimpleQueue()
        for start in range(0, len(indices), self.batch_size):
            batches.put(indices[start : start + self.batch_size])
        finished: queue.SimpleQueue[list[Outcome] | Exception] = queue.SimpleQueue()
        for _ in range(min(self.parallel, batches.qsize())):
            # daemons, so that Ctrl-C need not wait for a slow server
            threading.Thread(target=self._work, args=(batches, finished), daemon=True).start()
        outcomes: list[Outcome] = []
        while len(outcomes) < len(indices):
            result = finished.get()
            if isinstance(result, Exception):
                raise result
            outcomes += result
            progress(len(result))
        return sorted(outcomes, key=lambda outcome: outcome.index)

    def _work(
        self, batches: queue.SimpleQueue[Sequence[int]], finished: queue.SimpleQueue[list[Outcome] | Exception]
    ) -> None:
        """Asks about batches until there is none, or one fails."""
        try:
            while True:
                finished.put(self._ask_batch(batches.get_nowait()))
        except queue.Empty:
            return
        except Exception as error:  # goes to the thread that waits
            finished.put(error)

    def _ask_batch(self, batch: Sequence[int]) -> list[Outcome]:
        shown: dict[int, ShownClip] = {}
        broken = []
        for index in batch:
            try:
                shown[index] = self.read(index)
            except (MediaError, FileNotFoundError) as error:
                broken.append(Outcome(index, 'broken', (), str(error)))
        return broken + (self._ask(list(shown), list(shown.values())) if shown else [])

    def _ask(self, batch: Sequence[int], clips: Sequence[ShownClip]) -> list[Outcome]:
        question = Question(clips, self.classes)
        for attempt in range(self.tries):
            reply = self._reply(question, attempt)
            is_answer = not (reply.is_refusal or reply.is_too_large)
            reading = read_answer(reply.text, len(batch), self.classes) if is_answer else None
            if reading is not None:
                return [Outcome(index, 'answered', tuple(words), reply.text) for index, words in zip(batch, reading)]
            if reply.is_too_large:
                break  # fewer clips can help, the same question cannot
        if len(batch) == 1:
            state = 'refused' if reply.is_refusal or is_refusal(reply.text) else 'unreadable'
            return [Outcome(batch[0], state, (), reply.text)]
        half = (len(batch) + 1) // 2
        return self._ask(batch[:half], clips[:half]) + self._ask(batch[half:], clips[half:])

    def _reply(self, question: Question, attempt: int) -> Reply:
        content = question.content()
        key = self.store.key_of(self.endpoint.body(content), attempt)
        reply = self.store.get(key)
        if reply is None:
            reply = self.endpoint.ask(content)
            self.store.add(key, reply)
            self._count(requests=1, input_tokens=reply.input_tokens or 0, output_tokens=reply.output_tokens or 0)
        else:
            self._count(from_store=1)
        return reply

    def _count(self, **numbers: int) -> None:
        with self._lock:
            self.usage.update(numbers)
