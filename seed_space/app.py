"""Starts the Seed Space; its environment is read here and nowhere else."""

import os

from pipeline.core.settings import Settings
from seed_space.ui import main

main(Settings.from_env(os.environ))
