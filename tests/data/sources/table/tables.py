"""Small tables and how to look at what was read."""

LABELS = [0, 1, 1, 0, 1, 0, 0, 1]


def rows(values, labels=None):
    """Lines of a CSV file with the columns x and y; labels alternate by default."""
    labels = [i % 2 for i in range(len(values))] if labels is None else labels
    return ["x,y", *(f"{x},{y}" for x, y in zip(values, labels, strict=True))]


def quoted(values):
    """Fields in double quotes."""
    return rows([f'"{value}"' for value in values])


def column(dataset, index=0):
    """One feature of all examples, in the order of the table."""
    names = [*dataset.train_names, *dataset.test_names]
    values = [*dataset.train.whole()[:, index], *dataset.test.whole()[:, index]]
    return [float(v) for _, v in sorted(zip(map(int, names), values, strict=True))]


def labels(dataset):
    """The class names of all examples, in the order of the table."""
    names = [*dataset.train_names, *dataset.test_names]
    indices = [*dataset.y_train, *dataset.y_test]
    return [dataset.classes[i] for _, i in sorted(zip(map(int, names), indices, strict=True))]
