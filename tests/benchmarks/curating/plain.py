"""The same rows as a short script makes them: python -m tests.benchmarks.curating.plain FROM TO.

JSON into dicts, folded and exported with everything in memory; no checks, no splits, no duplicates.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]


def main() -> None:
    """Export, and print how many rows."""
    project, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir()
    events = [
        json.loads(line)
        for path in sorted((project / "feedback").rglob("*.jsonl"))
        for line in path.open(encoding="utf-8")
    ]
    newest: dict[tuple[Any, ...], Row] = {}
    for event in sorted(events, key=lambda event: (event["received_at"], event["event_id"])):
        sides = sorted((event["left_id"] or "", event["right_id"] or ""))
        about = (event["annotator"], event["sample_id"], event["task"], event["completion_id"])
        newest[(*about, *sides)] = event
    thumbs: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    pairs: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    edits: dict[str, list[str]] = defaultdict(list)
    for event in newest.values():
        if event["status"] != "submitted":
            continue
        if event["task"] == "thumbs":
            thumbs[event["completion_id"]][event["label"]] += 1
        elif event["task"] == "edit":
            edits[event["completion_id"]].append(event["text"])
        elif event["task"] == "pairwise":
            left, right = event["left_id"], event["right_id"]
            chosen = {"left": left, "right": right}.get(event["preference"])
            first, second = sorted((left, right))
            place = 2 if chosen is None else int(chosen == second)
            pairs[first, second][place] += 1
    rows = _rows(project, thumbs, pairs, edits)
    rows["feedback"] = events
    for name, found in rows.items():
        if found:
            pq.write_table(pa.Table.from_pylist(found), folder / f"{name}.parquet")
    counts = {name: len(found) for name, found in rows.items()}
    print(json.dumps({"rows": counts, "cpu_s": round(time.process_time(), 1)}))


def _rows(
    project: Path,
    thumbs: dict[str, list[int]],
    pairs: dict[tuple[str, str], list[int]],
    edits: dict[str, list[str]],
) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = {"sft": [], "preference": [], "kto": []}
    for path in sorted((project / "samples").rglob("*.parquet")):
        for sample in pq.read_table(path).to_pylist():
            prompt = [{"role": "user", "content": sample["instruction"]}]
            about = {name: sample[name] for name in ("sample_id", "topic", "perspective")}
            texts = {one["completion_id"]: one["text"] for one in sample["completions"]}
            says = {one: [{"role": "assistant", "content": text}] for one, text in texts.items()}
            for one in texts:
                bad, good = thumbs.get(one, [0, 0])
                for text in edits.get(one, ()):
                    answer = [{"role": "assistant", "content": text}]
                    rows["sft"].append({"prompt": prompt, "completion": answer, **about})
                    rows["preference"].append(
                        {"prompt": prompt, "chosen": answer, "rejected": says[one], **about}
                    )
                if good != bad:
                    row = {"prompt": prompt, "completion": says[one], **about}
                    rows["kto"].append({**row, "label": good > bad})
                    if good > bad and one not in edits:
                        rows["sft"].append(row)
            first, second = sorted(texts)
            counts = pairs.get((first, second), [0, 0, 0])
            if 2 * max(counts[:2]) > sum(counts):
                chosen, rejected = (first, second) if counts[0] > counts[1] else (second, first)
                row = {"prompt": prompt, "chosen": says[chosen], "rejected": says[rejected]}
                rows["preference"].append({**row, **about})
    return rows


if __name__ == "__main__":
    main()
