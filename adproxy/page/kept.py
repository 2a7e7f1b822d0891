"""Answers that are kept because sites ask the same again: bounded in number, never for long questions.

What a cache of the standard library asks for each answer takes as long as most answers do, where both are compiled.
"""

from __future__ import annotations

from typing import Final, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST: Final = 8_192
"""Answers of one kind."""
LONGEST: Final = 400
"""Characters of a question: answers to longer ones are worked out each time, or a few pages could fill the memory."""


def keep(answers: dict[Question, Answer], question: Question, answer: Answer) -> None:
    """Keep one more. Where there are too many all others go, which is seldom, and costs less than an order of age."""
    if len(answers) >= MOST:
        answers.clear()
    answers[question] = answer
