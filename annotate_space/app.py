"""Starts the Annotate Space; its environment is read here and nowhere else."""

import os

from annotate_space.ui import main
from pipeline.core.settings import Settings

main(Settings.from_env(os.environ))
