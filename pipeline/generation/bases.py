"""distilabel's base classes, without the warnings that importing and subclassing them prints.

The warnings concern distilabel's own field declarations and its own old imports; they are silenced
by category and text, while a class is made and at no other time. Importing distilabel also makes
every traceback print the local variables, tokens among them; that is undone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic.warnings import UnsupportedFieldAttributeWarning


@contextmanager
def _quiet() -> Iterator[None]:
    excepthook = sys.excepthook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
        warnings.filterwarnings("ignore", "Importing from 'distilabel", DeprecationWarning)
        yield
    sys.excepthook = excepthook


with _quiet():
    from distilabel.models.llms.base import AsyncLLM as _AsyncLLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import Step as _Step
    from distilabel.steps import StepInput, StepResources
    from distilabel.steps.tasks import Task as _Task


class _QuietMeta(type(_Task)):  # type: ignore[misc]
    """Makes classes as pydantic does, quietly; each subclass repeats the warnings of its base."""

    def __new__(mcs, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        with _quiet():
            return super().__new__(mcs, *args, **kwargs)


class AsyncLLM(_AsyncLLM, metaclass=_QuietMeta):  # type: ignore[misc]
    """Base of what answers chat messages."""


class Task(_Task, metaclass=_QuietMeta):  # type: ignore[misc]
    """Base of a prompt with the parsing of its answer."""


class Step(_Step, metaclass=_QuietMeta):  # type: ignore[misc]
    """Base of a part of a pipeline."""


__all__ = ["AsyncLLM", "Pipeline", "Step", "StepInput", "StepResources", "Task"]
