"""Prints what will be trained, the same for this machine and for a cluster."""

from rich.console import Console
from rich.markup import escape

from memtail_core.catalogue import of_same_name
from memtail_core.data import Account
from memtail_core.store import ObjectStore
from memtail_core.study import FINETUNE, ArmsTable, Study


def say_study(
    console: Console,
    store: ObjectStore,
    study: Study,
    account: Account,
    asked: int,
    models: int,
    how_many: str | None = None,
) -> None:
    """Print the study's id, its data and models, and notes on what you might not expect.

    ``account`` says what was read and left out, where the data were read just now.
    ``how_many`` replaces the number of models where it is not known.
    """
    from memtail_core.data import modalities

    say, data = console.print, study.dataset
    of = f"{len(data.classes)} classes" if data.is_labelled else "without labels"
    say(f"[bold]{study.id}[/]")
    say(
        f"  data      {data.source}: {data.n_train:,} training and {data.n_test:,} test "
        f"{modalities.named(data.kind).noun}, {of}",
        markup=False,
    )
    say_account(console, account)
    say(
        f"  models    {how_many or f'{models:,}'} of {_recipe(study)}, {_subsets(study)}",
        markup=False,
    )
    if "first_size" in study.training:
        say(f"  pixels    {_sizes(study)}")
    if other := of_same_name(store, study):
        changed = [d for d in other.differences(study) if not d.startswith("dataset.")]
        if other.dataset.sha256 != study.dataset.sha256:
            changed.insert(0, "other data")
        changes = "; ".join(changed[:4])
        say(f"  note      this is a new study, not {other.id}: {changes}", markup=False)
    if asked < models and how_many is None:
        say(
            f"  note      {asked:,} models are rounded up to {models:,}: shards have "
            f"{study.shard_size} models each"
        )


def say_account(console: Console, account: Account) -> None:
    """Print what was read and left out, and what looks wrong."""
    for line in account.lines:
        console.print(f"  read      {line}", markup=False)
    for warning in account.warnings:
        console.print(f"[yellow]Warning:[/] {escape(warning)}")


def say_kept(console: Console, study: Study, asked: int, goal: int) -> None:
    """Say so if more models were asked for before: the study keeps the larger number."""
    if goal > asked:
        console.print(
            f"  note      {study.id} is to have {goal:,} models, as was asked for before: "
            f"--shrink --trials {asked} lowers the number"
        )


def _subsets(study: Study) -> str:
    if isinstance(study.subsets, ArmsTable):
        return f"{study.subsets.count} arms of up to {study.subset_size:,} examples"
    among = ""
    if study.is_targeted:
        among = f" of {len(study.candidates):,} candidates; all other examples are in each"
    return f"each on {study.subset_size:,} examples ({study.subsets.design} subsets{among})"


def _recipe(study: "Study") -> str:
    """The recipe, and the backbone that its networks begin with, if any."""
    recipe, backbone = (study.training.get(key) for key in ("recipe", "backbone"))
    return f"{recipe} of {backbone}" if recipe == FINETUNE else str(recipe)


def _sizes(study: "Study") -> str:
    """The sizes of images that grow, epoch by epoch."""
    from memtail_core.training.gradient.schedules import growing_sides, in_words

    first, last, epochs = (study.training[key] for key in ("first_size", "resized_crop", "epochs"))
    return in_words(growing_sides(first, last, epochs))
