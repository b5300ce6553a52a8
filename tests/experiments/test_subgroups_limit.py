"""The check of ``memtail subgroups --fail-if``: what it says, and what it refuses."""

import pytest

from memtail_core.errors import StudyError
from memtail_core.experiments.subgroups.limit import Limit
from memtail_core.experiments.subgroups.result import CATEGORIES, Subgroups


def result(mislabeled: int, examples: int = 300) -> Subgroups:
    counts = dict.fromkeys(CATEGORIES, 0) | {"likely-mislabeled": mislabeled}
    return Subgroups(
        study="digits",
        trials=40,
        examples=examples,
        counts=counts | {"typical": examples - mislabeled},
        carried=0,
        theta_mem=0.25,
        theta_infl=0.15,
        fdr=0.05,
        doubted=0.5,
        noise=0.0,
        has_margins=True,
        members=[],
        clusters=[],
        n_clusters=0,
    )


@pytest.mark.parametrize(
    ("text", "mislabeled", "fails"),
    [
        ("likely-mislabeled > 1%", 3, False),  # 3 of 300 are 1%, and not more
        ("likely-mislabeled > 1%", 4, True),
        ("likely-mislabeled >= 1%", 3, True),
        ("likely-mislabeled>=1%", 2, False),
        (" likely-mislabeled  >  2 ", 3, True),
        ("likely-mislabeled > 3", 3, False),
        ("likely-mislabeled > 0", 0, False),
        ("likely-mislabeled >= 0%", 0, True),
        ("typical > 98.9%", 3, True),
        ("duplicate > 0", 3, False),
    ],
)
def test_a_limit_is_exceeded_or_not(text: str, mislabeled: int, fails: bool) -> None:
    said = Limit.parse(text).exceeded(result(mislabeled))
    assert (said is not None) == fails
    if said is not None:
        assert "\n" not in said and " of 300 examples" in said


@pytest.mark.parametrize(
    "text",
    ["", "likely-mislabeled", "likely-mislabeled < 1%", "wrong > 1%", "duplicate > -1",
     "duplicate > 1e3", "duplicate > 1% or typical > 2", "__import__('os') > 1", "duplicate > nan"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(StudyError, match="--fail-if"):
        Limit.parse(text)
