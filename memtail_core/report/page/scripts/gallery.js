/* A grid with its controls: class, filter, order and search. */

class Gallery {
  /**
   * panel: holds a form of choices, a count and a grid. of: what it shows,
   * {n, noun, choices, orders, labelOf, matches, fill, open, row, columns, note}.
   */
  constructor(panel, classes, of) {
    this.of = of;
    this.form = panel.querySelector(".choices");
    this.count = panel.querySelector(".count");
    this.grid = new Grid(panel.querySelector(".grid"), of.fill, of.open);
    const { label, show, sort, search, download } = this.form.elements;
    this.fillClasses(label, classes);
    this.fillShow(show);
    choose(sort, [...of.orders].map(([key, [name]]) => [key, name]));
    for (const select of [label, show, sort]) select.addEventListener("change", () => this.show());
    search.addEventListener("input", calmly(() => this.show()));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.show();
    });
    download.addEventListener("click", () => this.download());
    this.show();
  }

  fillClasses(select, classes) {
    const counts = new Uint32Array(classes.length);
    for (let i = 0; i < this.of.n; i++) counts[this.of.labelOf(i)]++;
    const there = classes.map((name, c) => [c, name]).filter(([c]) => counts[c]);
    select.closest("label").hidden = classes.length < 2; // examples without labels
    choose(select, [
      ["", "All classes"],
      ...there.map(([c, name]) => [c, `${name} (${count(counts[c])})`]),
    ]);
  }

  /** Offer only choices that some example satisfies. */
  fillShow(select) {
    const { n, choices } = this.of;
    const offered = [];
    for (const [key, [name, satisfies]] of choices) {
      let found = 0;
      for (let i = 0; i < n; i++) if (satisfies(i)) found++;
      if (found || key === "all") offered.push([key, `${name} (${count(found)})`]);
    }
    choose(select, offered);
  }

  show() {
    const { n, noun, choices, orders, labelOf, matches, note } = this.of;
    const { label, show, sort, search } = this.form.elements;
    const [, satisfies] = choices.get(show.value);
    const [, order] = orders.get(sort.value);
    const found = matches(search.value);
    const wanted = label.value === "" ? -1 : Number(label.value);
    this.items = select(
      n, (i) => (wanted < 0 || labelOf(i) === wanted) && satisfies(i) && found(i), order);
    this.grid.show(this.items);
    const all = this.items.length === n ? counted(n, noun) : `${count(this.items.length)} of ${counted(n, noun)}`;
    this.count.textContent = (this.items.length ? all : `Nothing matches: 0 of ${counted(n, noun)}`)
      + (note ? `; ${note}` : "");
  }

  download() {
    save(`${this.of.noun.replace(" ", "-")}s.csv`, "text/csv",
      csv(this.of.columns, Array.from(this.items, this.of.row)));
  }
}

/** That the page holds a sample, if it does. */
function sampled({ n, total }) {
  return n === total ? "" : `a sample of ${count(total)}`;
}

function trainGallery(study, tiles, open) {
  const { train } = study;
  return new Gallery(document.getElementById("panel-train"), study.classes, {
    n: train.n,
    noun: "training example",
    choices: trainChoices(study),
    orders: trainOrders(study),
    labelOf: (i) => train.label[i],
    matches: (typed) => finder(typed, train),
    fill: (cell, i) => tiles.train(cell, i),
    open: (i, cell) => open("train", i, cell),
    columns: ["index", "name", "class", "memorization", "ci_low", "ci_high", "accuracy_in",
      "accuracy_out", "n_out", "category"],
    note: sampled(train),
    row: (i) => [indexOf(train, i), nameOf(study, "train", i), className(study, "train", i), train.memorization[i],
      train.low[i], train.high[i], train.accuracyIn[i], train.accuracyOut[i], train.nOut[i],
      category(study, i)?.key],
  });
}

function testGallery(study, tiles, open) {
  const { test } = study;
  return new Gallery(document.getElementById("panel-test"), study.classes, {
    n: test.n,
    noun: "test example",
    choices: testChoices(study),
    orders: testOrders(study),
    labelOf: (j) => test.label[j],
    matches: (typed) => finder(typed, test),
    note: sampled(test),
    fill: (cell, j) => tiles.test(cell, j),
    open: (j, cell) => open("test", j, cell),
    columns: ["index", "name", "class", "accuracy", "strongest_train_index", "influence"],
    row: (j) => {
      const [first] = partnersOf(test.partners, j);
      return [indexOf(test, j), nameOf(study, "test", j), className(study, "test", j),
        test.accuracy[j], first && indexOf(study.train, first.place), first?.influence];
    },
  });
}
