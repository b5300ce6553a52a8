/* Pairs of a training example and a test example that rests on it, side by side. */

function pairGallery(study, tiles, open) {
  const { pairs, train, test } = study;
  const panel = document.getElementById("panel-pairs");
  if (!panel) return null;
  const notes = [];
  if (pairs.total > pairs.shown) {
    notes.push(`the strongest of ${count(pairs.total)}; pairs.parquet lists all`);
  }
  if (!study.knowsDuplicates) notes.push("near-duplicates are unknown (memtail subgroups finds them)");
  return new Gallery(panel, study.classes, {
    n: pairs.shown,
    noun: "pair",
    note: notes.join("; "),
    choices: pairChoices(pairs),
    orders: pairOrders(pairs),
    labelOf: (p) => train.label[pairs.train[p]],
    matches: (typed) => {
      const found = finder(typed, train, test);
      return (p) => found(pairs.train[p], pairs.test[p]);
    },
    fill: (cell, p) => tiles.pair(cell, p),
    open: (p, cell) => open("train", pairs.train[p], cell),
    columns: ["train_index", "test_index", "influence", "standard_error", "ci_low", "ci_high",
      "q_value", "train_class", "test_class", "near_duplicate"],
    row: (p) => [indexOf(train, pairs.train[p]), indexOf(test, pairs.test[p]), pairs.influence[p], pairs.error[p], pairs.low[p],
      pairs.high[p], pairs.q[p], className(study, "train", pairs.train[p]),
      className(study, "test", pairs.test[p]), pairs.duplicate[p]],
  });
}
