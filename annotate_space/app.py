"""Starts the Annotate Space; its environment is read here and nowhere else."""

import os

from annotate_space.ui import main
from pipeline.web.starting import start

start(main, os.environ)
