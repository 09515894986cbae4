"""Starts the Seed Space; its environment is read here and nowhere else."""

import os

from pipeline.web.starting import start
from seed_space.ui import main

start(main, os.environ)
