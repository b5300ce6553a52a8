"""The options that all studies with a pretrained backbone share."""

from typing import Annotated, Any, Self

from pydantic import Field

from memtail_core.data import Dataset
from memtail_core.data.user_code import function, source_digest
from memtail_core.data.weights import PREFIX, keep
from memtail_core.errors import StudyError
from memtail_core.study import FINETUNE
from memtail_core.training.backbones.extractor import Extractor
from memtail_core.training.backbones.families import family_of
from memtail_core.training.recipe import Recipe

Numbers = Annotated[tuple[float, ...], Field(strict=False, min_length=1)]


class BackboneOptions(Recipe):
    """A network that begins with pretrained weights.

    Attributes:
        backbone: the architecture, ``torchvision:resnet18``.
        weights: what the user names, a file or ``"DEFAULT"``; in a study ``sha256:`` and the digest
            of the body's state.
        size: pixels a side that images are resized to; None: they stay as they are.
        mean, deviation: by which channels are scaled; in a study never None.
    """

    recipe: str = FINETUNE
    backbone: str
    weights: str | None = None
    size: Annotated[int, Field(ge=8, le=4096)] | None = None
    mean: Numbers | None = None
    deviation: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False)] | None = (
        None
    )

    @property
    def as_frozen(self) -> Extractor:
        """The backbone as it is pretrained; of a recipe whose weights and scaling are filled in."""
        return Extractor(
            self.backbone,
            self.weights or "",
            self.size,
            self.mean or (0.0,),
            self.deviation or (1.0,),
            self._source_sha256,
        )

    def suited(self, dataset: Dataset) -> Self:
        """Read the weights, keep them, and name them by digest; fill in how pixels are scaled."""
        self._check_images(dataset)
        if self.weights is not None and self.weights.startswith(PREFIX):  # of another study
            return super().suited(dataset)
        family, name = family_of(self.backbone)
        found = family.pretrained(name, self.weights)
        prefix = self.backbone.partition(":")[0]
        made = self.model_copy(
            update={
                "backbone": f"{prefix}:{found.name}",
                "weights": keep(found.weights),
                "mean": self.mean or found.mean,
                "deviation": self.deviation or found.deviation,
            }
        )
        return super(BackboneOptions, made).suited(dataset)

    def check(self, dataset: Dataset) -> None:
        """The data must be images that the backbone takes."""
        self._check_images(dataset)
        self.as_frozen.width(dataset.feed)
        super().check(dataset)

    def described(self) -> dict[str, Any]:
        """The options, and of a backbone of the user's code the digest of its file."""
        described = super().described()
        source = self._source_sha256
        return described if source is None else {**described, "source_sha256": source}

    @property
    def _source_sha256(self) -> str | None:
        is_code = self.backbone.startswith("python:")
        return source_digest(function(self.backbone)) if is_code else None

    def _check_images(self, dataset: Dataset) -> None:
        if not dataset.feed.is_map:
            raise StudyError(
                f"[training] recipe = '{self.recipe}' is for images; these data are "
                f"{dataset.modality.name}: use '{dataset.modality.default_recipe}'"
            )
        takes = family_of(self.backbone)[0].channels
        if takes is not None and dataset.feed.shape[0] not in (1, takes):
            raise StudyError(
                f"[training] backbone = '{self.backbone}' takes images of 1 or {takes} channels; "
                f"these have {dataset.feed.shape[0]}"
            )
        n_channels = takes or dataset.feed.shape[0]
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if values is not None and len(values) not in (1, n_channels):
                raise StudyError(
                    f"[training] {name} has {len(values)} numbers: give one of each channel, or one"
                )
