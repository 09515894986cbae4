"""The button to sign in speaks the reader's language."""

from __future__ import annotations

import gradio as gr
import pytest
from fastapi import Request

from pipeline.web.signing import _told


def asked_for(language: str) -> gr.Request:
    scope = {"type": "http", "headers": [(b"accept-language", language.encode())]}
    return gr.Request(Request(scope))


@pytest.mark.parametrize(
    ("language", "signs_in", "signs_out"),
    [
        ("en-GB", "Sign in with Hugging Face", "Sign out (ana)"),
        ("de", "Mit Hugging Face anmelden", "Abmelden (ana)"),
        ("pt-BR,en", "Iniciar sessão com o Hugging Face", "Terminar sessão (ana)"),
    ],
)
def test_it_says_what_pressing_it_does(language: str, signs_in: str, signs_out: str) -> None:
    request = asked_for(language)
    assert _told(request, None)["value"] == signs_in
    ana = gr.OAuthProfile(
        {"name": "Ana", "preferred_username": "ana", "profile": "", "picture": ""}
    )
    told = _told(request, ana)
    assert told["value"] == signs_out
    assert told["elem_classes"] == ["signed-in"], "its script goes by that"
