"""What goes wrong, told in the language of whoever annotates or leads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipeline.web.messages import Messages

FILE: Final = Path(__file__).with_name("messages.json")
told: Final = Messages(FILE).told
