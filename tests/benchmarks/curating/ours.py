"""All exports of a project: python -m tests.benchmarks.curating.ours PROJECT FOLDER."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from pipeline.core import layout
from pipeline.core.store_folder import FolderStore
from pipeline.curation.exports import export, into_project, options_for


def main() -> None:
    """Export into the project as the command does, and print how many rows."""
    store, folder = FolderStore(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir()
    made = export(store, [*layout.TRAINING_FORMATS, "feedback"], options_for(store), folder)
    into_project(store, made)
    files = {name: len(one.files) for name, one in made.record.made.items()}
    print(json.dumps({"rows": made.rows(), "files": files, "cpu_s": round(time.process_time(), 1)}))


if __name__ == "__main__":
    main()
