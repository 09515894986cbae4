"""Tickets: what was handed to whom, sealed, so that no server has to remember it.

An answer comes with the ticket of its question. Only what this project's Space served to this
person carries a valid one, also after a restart with an empty disk. It is encrypted as well: who
wrote an answer, or that a question is asked a second time, must not be read off it.

The seal is a synthetic initialization vector (Rogaway and Shrimpton, Eurocrypt 2006) over
HMAC-SHA256: a keyed digest of person and content starts the key stream and proves both.
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

_SEAL_BYTES: Final = 16
_LONGEST: Final = 4_000


class Tickets:
    """Issues and checks tickets.

    Args:
        secret: Whoever knows it can make tickets.
    """

    def __init__(self, secret: bytes) -> None:
        self._sealing, self._covering, self._undoing = (
            hmac.digest(secret, b"seedbed ticket v1 " + use, hashlib.sha256)
            for use in (b"seal", b"cover", b"undo")
        )

    def issue(self, annotator: str, question: Question) -> str:
        """A ticket that lets ``annotator``, and nobody else, answer ``question``.

        The same question has the same ticket for the same person.
        """
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
        seal = self._seal(annotator, body)
        return base64.urlsafe_b64encode(seal + self._cover(seal, body)).rstrip(b"=").decode()

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
            sealed = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
        except binascii.Error:
            return None
        seal = sealed[:_SEAL_BYTES]
        body = self._cover(seal, sealed[_SEAL_BYTES:])
        return body if hmac.compare_digest(seal, self._seal(annotator, body)) else None

    def undo_id(self, event_id: str) -> str:
        """The id of the event that takes another back, which nobody can use before."""
        return hmac.new(self._undoing, event_id.encode(), hashlib.sha256).hexdigest()[:32]

    def _seal(self, annotator: str, body: bytes) -> bytes:
        message = annotator.encode() + b"\0" + body
        return hmac.digest(self._sealing, message, hashlib.sha256)[:_SEAL_BYTES]

    def _cover(self, seal: bytes, text: bytes) -> bytes:
        """Encrypt or, applied again, decrypt."""
        blocks = range(-(-len(text) // hashlib.sha256().digest_size))
        stream = b"".join(
            hmac.digest(self._covering, seal + block.to_bytes(4), hashlib.sha256)
            for block in blocks
        )
        return bytes(a ^ b for a, b in zip(text, stream, strict=False))
