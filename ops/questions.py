"""Ask AWS several questions at the same time, each for a limited time, and show which are not answered yet."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 20.0  # for the answers to all questions that are asked together
SHOW_SECONDS = 3.0  # after which the open questions are shown, and then as often

Question = Callable[[], Any]


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    value: what the question returned.
    error: what it raised.
    late: whether it had not answered in time; then there is neither a value nor an error.
    """

    value: Any = None
    error: Exception | None = None
    late: bool = False


def ask(
    questions: Mapping[str, Question],
    progress: Callable[[str], None] = lambda text: None,
    seconds: float = SECONDS,
) -> dict[str, Answer]:
    """Return the answer to each question, by name, at the latest after `seconds`.

    The threads of late questions end with the process, which does not wait for them.
    """
    answers: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
    for name, question in questions.items():
        threading.Thread(target=_answer, args=(name, question, answers), daemon=True).start()
    found: dict[str, Answer] = {}
    began = time.monotonic()
    while len(found) < len(questions):
        passed = time.monotonic() - began
        if passed >= seconds:
            break
        try:
            name, answer = answers.get(timeout=min(SHOW_SECONDS, seconds - passed))
        except queue.Empty:
            missing = ", ".join(name for name in questions if name not in found)
            progress(f"waiting for {missing} ({time.monotonic() - began:.0f} s of at most {seconds:.0f} s)")
        else:
            found[name] = answer
    return {name: found.get(name, Answer(late=True)) for name in questions}


def _answer(name: str, question: Question, answers: queue.SimpleQueue[tuple[str, Answer]]) -> None:
    try:
        answers.put((name, Answer(question())))
    except Exception as error:
        answers.put((name, Answer(error=error)))
