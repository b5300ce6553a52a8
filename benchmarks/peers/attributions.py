"""Attribution by other projects, on the networks that memtail recorded.

Each function takes the same networks and examples and returns scores, float32 [n, n_test], higher
for training examples that raise the margin log p_y − log(1 − p_y) of a test example. Settings are
those of the project's own examples of image classification. Influence functions and EK-FAC read one
network, so their scores are averaged over networks.
"""

import tempfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

Scores = NDArray[np.float32]
_BATCH = 64
_DIMENSIONS = 2048


@dataclass(frozen=True)
class Networks:
    """What is attributed: networks after some epochs of each training, and the examples.

    Attributes:
        trained: the network at the end of each training.
        snapshots: the networks of all trainings after a few epochs, and at the end.
        train, test: inputs as the networks take them, and labels.
    """

    trained: list[nn.Module]
    snapshots: list[nn.Module]
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    @property
    def loaders(self) -> tuple[Any, Any]:
        """The training and the test examples in batches, in order."""
        return _loader(self.train), _loader(self.test)


def _loader(of: tuple[Tensor, Tensor]) -> Any:
    return DataLoader(TensorDataset(*of), batch_size=_BATCH, shuffle=False)


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """Return log p_y − log(1 − p_y) of each example, [B]."""
    own = logits.gather(1, y[:, None])[:, 0]
    others = logits.scatter(1, y[:, None], -torch.inf).logsumexp(1)
    return own - others


def _states(networks: list[nn.Module]) -> list[dict[str, Tensor]]:
    return [network.state_dict() for network in networks]


def _of_one(model: nn.Module, sign: float) -> Callable[..., Tensor]:
    """The margin, times ``sign``, of one example, as dattri calls it."""

    def f(params: dict[str, Tensor], pair: tuple[Tensor, Tensor]) -> Tensor:
        x, y = pair
        logits = torch.func.functional_call(model, params, (x.unsqueeze(0),))
        return sign * margin(logits, y.reshape(1))[0]

    return f


def _loss_of_one(model: nn.Module) -> Callable[..., Tensor]:
    def f(params: dict[str, Tensor], pair: tuple[Tensor, Tensor]) -> Tensor:
        x, y = pair
        logits = torch.func.functional_call(model, params, (x.reshape(-1, *x.shape[-3:]),))
        return functional.cross_entropy(logits, y.reshape(-1))

    return f


def dattri_trak(networks: Networks) -> Scores:
    """TRAK of dattri, over all networks."""
    from dattri.algorithm.trak import TRAKAttributor
    from dattri.task import AttributionTask

    model = deepcopy(networks.trained[0])

    def probability(params: dict[str, Tensor], pair: tuple[Tensor, Tensor]) -> Tensor:
        return torch.sigmoid(_of_one(model, 1.0)(params, pair))

    task = AttributionTask(
        loss_func=_of_one(model, 1.0), model=model, checkpoints=_states(networks.trained)
    )
    attributor = TRAKAttributor(
        task,
        probability,
        projector_kwargs={"proj_dim": _DIMENSIONS},
        regularization=1e-3,
    )
    train, test = networks.loaders
    attributor.cache(train)
    return _array(attributor.attribute(test))


def dattri_influence(networks: Networks) -> Scores:
    """Influence functions of dattri, by conjugate gradients (Koh & Liang 2017)."""
    from dattri.algorithm.influence_function import IFAttributorCG
    from dattri.task import AttributionTask

    def of(network: nn.Module) -> Scores:
        model = deepcopy(network)
        task = AttributionTask(
            loss_func=_loss_of_one(model),
            model=model,
            checkpoints=[network.state_dict()],
            target_func=_of_one(model, -1.0),
        )
        attributor = IFAttributorCG(task, max_iter=10, regularization=1e-2)
        train, test = networks.loaders
        attributor.cache(_whole(networks.train))
        return _array(attributor.attribute(train, test))

    return _averaged(networks, of)


def _whole(of: tuple[Tensor, Tensor]) -> Any:
    return DataLoader(TensorDataset(*of), batch_size=len(of[1]), shuffle=False)


def dattri_tracin(networks: Networks) -> Scores:
    """TracIn of dattri, over all snapshots."""
    from dattri.algorithm.tracin import TracInAttributor
    from dattri.task import AttributionTask

    model = deepcopy(networks.trained[0])
    task = AttributionTask(
        loss_func=_loss_of_one(model),
        model=model,
        checkpoints=_states(networks.snapshots),
        target_func=_of_one(model, -1.0),
    )
    weights = torch.ones(len(networks.snapshots))
    attributor = TracInAttributor(
        task, weights, normalized_grad=False, projector_kwargs={"proj_dim": _DIMENSIONS}
    )
    return _array(attributor.attribute(*networks.loaders))


def captum_tracin(networks: Networks) -> Scores:
    """TracInCP of captum, over all snapshots."""
    from captum.influence import TracInCP

    def load(model: nn.Module, state: Any) -> float:
        model.load_state_dict(state)
        return 1.0

    tracin = TracInCP(
        deepcopy(networks.trained[0]),
        TensorDataset(*networks.train),
        _states(networks.snapshots),
        checkpoints_load_func=load,
        loss_fn=nn.CrossEntropyLoss(reduction="sum"),
        batch_size=_BATCH,
        sample_wise_grads_per_batch=True,
    )
    return _array(tracin.influence(networks.test).T)


def kronfluence_ekfac(networks: Networks) -> Scores:
    """EK-FAC influence of kronfluence (Grosse et al. 2023)."""
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Classification(Task):  # type: ignore[misc]
        """Trained by cross-entropy, measured by the margin."""

        def compute_train_loss(
            self, batch: tuple[Tensor, Tensor], model: nn.Module, sample: bool = False
        ) -> Tensor:
            logits, y = model(batch[0]), batch[1]
            if sample:
                y = torch.multinomial(logits.detach().softmax(1), 1)[:, 0]
            return functional.cross_entropy(logits, y, reduction="sum")

        def compute_measurement(self, batch: tuple[Tensor, Tensor], model: nn.Module) -> Tensor:
            return -margin(model(batch[0]), batch[1]).sum()

    def of(network: nn.Module) -> Scores:
        task = Classification()
        model = prepare_model(deepcopy(network), task)
        train, test = TensorDataset(*networks.train), TensorDataset(*networks.test)
        with tempfile.TemporaryDirectory() as folder:
            analyzer = Analyzer(
                "judged",
                model,
                task,
                cpu=True,
                output_dir=folder,
                disable_tqdm=True,
                disable_model_save=True,
            )
            analyzer.fit_all_factors("f", train, 256, factor_args=FactorArguments("ekfac"))
            analyzer.compute_pairwise_scores(
                "s",
                "f",
                query_dataset=test,
                train_dataset=train,
                per_device_query_batch_size=256,
                per_device_train_batch_size=256,
                score_args=ScoreArguments(),
            )
            found = analyzer.load_pairwise_scores("s")["all_modules"]
        return _array(found.T)

    return _averaged(networks, of)


def traker_trak(networks: Networks) -> Scores:
    """TRAK by its authors, over all networks."""
    from trak import TRAKer
    from trak.projectors import BasicProjector, ProjectionType

    model = deepcopy(networks.trained[0])
    size = sum(p.numel() for p in model.parameters())
    train, test = networks.loaders
    with tempfile.TemporaryDirectory() as folder:
        projector = BasicProjector(
            size, _DIMENSIONS, 0, ProjectionType.rademacher, "cpu", block_size=256
        )
        traker = TRAKer(
            model,
            "image_classification",
            len(networks.train[1]),
            save_dir=folder,
            device="cpu",
            projector=projector,
            proj_dim=_DIMENSIONS,
            use_half_precision=False,
            lambda_reg=1e-3,  # with more dimensions than examples there is no inverse without
            logging_level=30,
        )
        for number, state in enumerate(_states(networks.trained)):
            traker.load_checkpoint(state, model_id=number)
            for batch in train:
                traker.featurize(batch, num_samples=len(batch[1]))
        traker.finalize_features()
        for number, state in enumerate(_states(networks.trained)):
            traker.start_scoring_checkpoint("judged", state, number, len(networks.test[1]))
            for batch in test:
                traker.score(batch, num_samples=len(batch[1]))
        return np.array(traker.finalize_scores("judged"), np.float32)


def _averaged(networks: Networks, of: Callable[[nn.Module], Scores]) -> Scores:
    total = sum(of(network).astype(np.float64) for network in networks.trained)
    return np.asarray(total / len(networks.trained), dtype=np.float32)


def _array(scores: Tensor) -> Scores:
    return scores.detach().cpu().numpy().astype(np.float32)


PEERS: dict[str, tuple[str, Callable[[Networks], Scores]]] = {
    "TRAK (dattri)": ("dattri", dattri_trak),
    "influence functions (dattri)": ("dattri", dattri_influence),
    "TracIn (dattri)": ("dattri", dattri_tracin),
    "TracIn (captum)": ("captum", captum_tracin),
    "EK-FAC (kronfluence)": ("kronfluence", kronfluence_ekfac),
    "TRAK (traker)": ("trak", traker_trak),
}
"""The package that each needs, and the function."""
