"""Make a CSV file of film snippets with many human ratings each, from the sdist of vaderSentiment.

    pip download vaderSentiment==3.3.2 --no-binary :all: --no-deps
    python benchmarks/text_data.py vaderSentiment-3.3.2.tar.gz snippets.csv

The snippets are sentences of film reviews on Rotten Tomatoes, from Pang & Lee (ACL 2004). Hutto &
Gilbert ("VADER: a parsimonious rule-based model for sentiment analysis of social media text",
ICWSM 2014) had each rated from −4 to 4 by many raters. The sdist is under the MIT licence. memtail
ships none of it.

Columns: ``text``; ``label``, the sign of the mean rating (snippets with a mean of 0 are left out);
``mean``, ``deviation`` and ``ratings``, those of the raters, which no recipe reads; and, with
``--flip SHARE``, ``flipped``, whether the label was turned around.
"""

import csv
import io
import tarfile
from pathlib import Path

import click
import numpy as np
from pydantic_core import from_json

_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
_TEXTS, _RATINGS = "movieReviewSnippets_GroundTruth.txt", "movieReviewSnippets_anonDataRatings.txt"


@click.command()
@click.argument("sdist", type=click.Path(exists=True, dir_okay=False))
@click.argument("output", type=click.Path(dir_okay=False))
@click.option("--flip", default=0.0, show_default=True, help="Share of labels to turn around.")
@click.option("--seed", default=20261130, show_default=True, help="Of the turned labels.")
def main(sdist: str, output: str, flip: float, seed: int) -> None:
    """Write the film snippets in SDIST and their ratings to OUTPUT.csv."""
    texts, ratings = (_lines(sdist, name) for name in (_TEXTS, _RATINGS))
    rated = {line[0]: np.array(from_json(line[3]), float) for line in ratings}
    rows = [(line[2], rated[line[0]]) for line in texts if rated[line[0]].mean() != 0]
    flipped = np.zeros(len(rows), bool)
    flipped[np.random.default_rng(seed).permutation(len(rows))[: round(flip * len(rows))]] = True
    with Path(output).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "mean", "deviation", "ratings", "flipped"])
        for (text, of), is_flipped in zip(rows, flipped.tolist(), strict=True):
            label = "positive" if (of.mean() > 0) != is_flipped else "negative"
            numbers = f"{of.mean():.4f}", f"{of.std():.4f}", len(of), int(is_flipped)
            writer.writerow([text, label, *numbers])
    counts = [len(of) for _, of in rows]
    print(
        f"{len(rows):,} snippets, {min(counts)} to {max(counts)} ratings each, "
        f"{len(texts) - len(rows):,} with a mean of 0 left out, {flipped.sum():,} labels turned"
    )


def _lines(sdist: str, name: str) -> list[list[str]]:
    """The fields of each line of a file in the archive within the sdist."""
    with tarfile.open(sdist) as outer:
        inner = next(each for each in outer.getnames() if each.endswith(_INNER))
        opened = outer.extractfile(inner)
        assert opened is not None
        with tarfile.open(fileobj=io.BytesIO(opened.read())) as archive:
            member = next(each for each in archive.getnames() if each.endswith(name))
            file = archive.extractfile(member)
            assert file is not None
            content = file.read().decode("utf-8", "replace")
    return [line.split("\t") for line in content.splitlines() if line.strip()]


if __name__ == "__main__":
    main()
