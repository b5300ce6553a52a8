"""Values of training examples by pyDVL, in an interpreter of its own: it needs numpy below 2.

    python benchmarks/peers/pydvl_values.py METHOD DATA.npz VALUES.npy

Reads x_train, y_train, x_test, y_test (features as float), writes values, float64 [n], and prints
the seconds that they took. Settings are those of pyDVL's own examples.
"""

import sys
import time
from typing import Any

import numpy as np

UPDATES = 100  # of every value: subsets that Banzhaf values are estimated from


def knn_shapley(train: Any, test: Any) -> Any:
    """Shapley values of a classifier by 5 nearest neighbours, exact (Jia et al. 2019)."""
    from pydvl.valuation import KNNShapleyValuation
    from sklearn.neighbors import KNeighborsClassifier

    return KNNShapleyValuation(KNeighborsClassifier(n_neighbors=5), test, progress=False)


def data_oob(train: Any, test: Any) -> Any:
    """Out-of-bag accuracy of 300 bagged decision trees (Kwon & Zou 2023)."""
    from pydvl.valuation import DataOOBValuation
    from sklearn.ensemble import BaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    x, y = train.data()
    model = BaggingClassifier(DecisionTreeClassifier(), n_estimators=300, random_state=0)
    return DataOOBValuation(model.fit(x, y))


def banzhaf(train: Any, test: Any) -> Any:
    """Banzhaf values of logistic regression's test accuracy, maximum sample reuse (Wang 2023)."""
    from pydvl.valuation import MaxUpdates, ModelUtility, MSRBanzhafValuation, SupervisedScorer
    from sklearn.linear_model import LogisticRegression

    scorer = SupervisedScorer("accuracy", test, default=0.0)
    utility = ModelUtility(LogisticRegression(max_iter=1000), scorer)
    return MSRBanzhafValuation(utility, is_done=MaxUpdates(UPDATES), seed=0)


METHODS = {"knn-shapley": knn_shapley, "data-oob": data_oob, "banzhaf": banzhaf}


def main(method: str, data: str, output: str) -> None:
    """Value the training examples of one file."""
    from pydvl.valuation import Dataset

    with np.load(data) as arrays:
        train = Dataset(arrays["x_train"], arrays["y_train"])
        test = Dataset(arrays["x_test"], arrays["y_test"])
    start = time.perf_counter()
    result = METHODS[method](train, test).fit(train).result
    seconds = time.perf_counter() - start
    values = np.full(len(train), np.nan)
    values[result.indices] = result.values
    np.save(output, values)
    print(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
