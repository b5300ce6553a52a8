"""Validates tasks with Label Studio's own SDK, and says what came of it."""

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface

folder = Path(sys.argv[1])
interface = LabelInterface((folder / "labels.xml").read_text(encoding="utf-8"))
interface.validate()
tasks = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
wrong = [
    task
    for task in tasks
    if not interface.validate_task({"data": task["data"]})  # it calls itself wrongly with both
    or not all(interface.validate_prediction(each) for each in task["predictions"])
]
broken = json.loads(json.dumps(tasks[0]))
broken["predictions"][0]["result"][0]["value"]["choices"] = ["no class"]
print(
    json.dumps(
        {
            "tasks": len(tasks),
            "wrong": len(wrong),
            "broken": bool(interface.validate_prediction(broken["predictions"][0])),
        }
    )
)
