"""Tickets: what was handed to whom, signed, so that no server has to remember it.

An answer comes with the ticket of its question. Only what this project's Space served to this
person carries a valid one, also after a restart with an empty disk.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Final

from annotate_space.board import Question
from pipeline.core.errors import InvalidInput
from pipeline.core.schema import TASKS

_SIGNATURE_BYTES: Final = 16
_LONGEST: Final = 4_000


class Tickets:
    """Issues and checks tickets.

    Args:
        secret: Whoever knows it can make tickets.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"seedbed ticket v1", hashlib.sha256)

    def issue(self, annotator: str, question: Question) -> str:
        """A ticket that lets ``annotator``, and nobody else, answer ``question``."""
        # A place to write an instruction is no sample: what it is about travels along.
        about = [question.topic, question.perspective] if question.task == "instruction" else []
        fields = [
            question.task,
            question.sample_id,
            question.completion_ids,
            question.repeat,
            *about,
        ]
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(annotator, body) + body).rstrip(b"=").decode()

    def open(self, annotator: str, ticket: object) -> Question:
        """The question that ``ticket`` was issued for.

        Raises:
            InvalidInput: It was not issued here to ``annotator``.
        """
        body = self._body(annotator, ticket)
        if body is None:
            raise InvalidInput(
                "This answer does not belong to a question that was handed to you here.",
                "Reload the page and answer the question that it shows.",
            )
        task, sample_id, completion_ids, repeat, *about = json.loads(body)
        topic, perspective = about or ("", "")
        return Question(
            task=TASKS[TASKS.index(task)],
            sample_id=sample_id,
            completion_ids=tuple(completion_ids),
            repeat=repeat,
            topic=topic,
            perspective=perspective,
        )

    def _body(self, annotator: str, ticket: object) -> bytes | None:
        if not isinstance(ticket, str) or not ticket.isascii() or len(ticket) > _LONGEST:
            return None
        try:
            signed = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
        except binascii.Error:
            return None
        signature, body = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        return body if hmac.compare_digest(signature, self._sign(annotator, body)) else None

    def _sign(self, annotator: str, body: bytes) -> bytes:
        message = annotator.encode() + b"\0" + body
        return hmac.digest(self._key, message, hashlib.sha256)[:_SIGNATURE_BYTES]
