"""The one look of both Spaces."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import gradio as gr

BASE_CSS: Final = Path(__file__).with_name("base.css")

_FONTS: Final = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
_MONO: Final = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

_GREEN: Final = gr.themes.Color(
    name="seedbed",
    c50="#f1f7f1",
    c100="#dfeee0",
    c200="#c0dcc3",
    c300="#97c59d",
    c400="#6fae79",
    c500="#47874f",
    c600="#2f6f3a",
    c700="#28602f",
    c800="#1f4b26",
    c900="#183a1e",
    c950="#0f2714",
)


def theme() -> gr.themes.Base:
    """Neutral ground, one green accent, system fonts, no shadows."""
    return gr.themes.Base(
        primary_hue=_GREEN,
        secondary_hue=_GREEN,
        neutral_hue=gr.themes.colors.stone,
        font=_FONTS,
        font_mono=_MONO,
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
    ).set(
        body_background_fill="#faf9f6",
        body_background_fill_dark="#161815",
        background_fill_secondary="#f3f1ec",
        background_fill_secondary_dark="#1d201c",
        block_shadow="none",
        block_shadow_dark="none",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1d201c",
        block_border_color="#dedad2",
        block_border_color_dark="#383c36",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_info_text_color="#57534e",
        block_info_text_color_dark="#b5b1aa",
        body_text_color_subdued="#57534e",
        body_text_color_subdued_dark="#b5b1aa",
        input_background_fill="#ffffff",
        input_background_fill_dark="#161815",
        input_border_color="#a8a29e",
        input_border_color_dark="#57534e",
        input_shadow="none",
        input_shadow_focus="none",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="#ffffff",
        link_text_color="*primary_600",
        link_text_color_dark="*primary_300",
        button_transition="none",
    )
