"""The benchmark that plants wrong labels and near-duplicates, on digits."""

import csv
import json
from pathlib import Path

import numpy as np

from tests import programs

ROOT = Path(__file__).parents[2]


def ask(*arguments: str) -> str:
    done = programs.run(str(ROOT / "benchmarks" / "subgroups.py"), *arguments)
    done.check_returncode()
    return done.stdout


def test_what_is_planted_is_known_and_evaluated(tmp_path: Path) -> None:
    study, planted, groups = (tmp_path / n for n in ("s.toml", "planted.npz", "groups.csv"))
    study.write_text('[dataset]\nsource = "sklearn:digits"\n')
    assert "29 wrong labels and 29 near-duplicates" in ask("plant", str(study), str(planted))
    before = tmp_path / "before.npz"
    ask("plant", str(study), str(before), "--share", "0")
    with np.load(planted) as now, np.load(before) as then:
        relabeled = np.flatnonzero(now["y_train"] != then["y_train"])
        changed = np.flatnonzero((now["x_train"] != then["x_train"]).any(axis=(1, 2, 3)))
    with np.load(tmp_path / "planted.truth.npz") as truth:
        flipped, copies, sources = truth["flipped"], truth["copies"], truth["sources"]
    assert len(flipped) == len(copies) == 29
    assert set(flipped) <= set(relabeled) <= set(flipped) | set(copies)
    assert set(changed) <= set(copies)
    assert len(changed) > 25

    with groups.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["index", "category"])
        rows.writerows([i, "likely-mislabeled"] for i in [*flipped[:20], *copies[:5]])
        rows.writerows([i, "duplicate"] for i in [*copies[5:], *sources])
    found = json.loads(ask("evaluate", str(groups), str(planted), "--json"))
    assert found["likely-mislabeled"] == {"precision": 20 / 25, "recall": 20 / 29}
    assert found["duplicate"]["precision"] == 1
    assert found["duplicate"]["recall"] == (24 + 14) / (29 + 14)
    assert found["planted"]["untouched"][0] == 1438 - 29 - 29 - 14
    assert "recall 0.69" in ask("evaluate", str(groups), str(planted))
