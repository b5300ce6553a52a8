/* The dialog of one example: a large picture, all its numbers, and links to related examples.
 *
 * Its address is #train-17 or #test-3; every example in it links to the dialog of that example.
 */

class ExampleDialog {
  /** order(side): the examples as the gallery shows them, for "previous" and "next". */
  constructor(study, tiles, order) {
    Object.assign(this, { study, tiles, order });
    this.dialog = document.getElementById("example");
    this.opener = null;
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close(); // beside it
    });
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.route());
  }

  /** The example that the address names: {side, i}, or null. */
  asked() {
    const found = /^#(train|test)-(\d+)$/.exec(location.hash);
    if (!found) return null;
    const [, side, i] = found;
    const place = this.study[side].placed(Number(i));
    return place >= 0 && place < this.study[side].n ? { side, i: place } : null;
  }

  route() {
    const asked = this.asked();
    if (asked) this.show(asked.side, asked.i);
    else if (this.dialog.open) this.dialog.close();
  }

  open(side, i, opener) {
    this.opener = opener;
    const address = `#${side}-${indexOf(this.study[side], i)}`;
    if (location.hash === address) this.show(side, i);
    else location.hash = address;
  }

  show(side, i) {
    const inside = this.dialog.contains(document.activeElement);
    const kept = inside ? document.activeElement.dataset?.step : null;
    if (!this.dialog.open) this.opener ??= document.activeElement;
    this.at = { side, i };
    this.dialog.replaceChildren(this.head(side, i), this.body(side, i));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.scrollTop = 0;
    const step = kept && this.dialog.querySelector(`[data-step="${kept}"]:not(:disabled)`);
    (step || this.dialog.querySelector("h2")).focus();
  }

  closed() {
    const { opener } = this;
    this.opener = null;
    if (this.asked()) {
      // an address that only differs behind the # may be set, whatever the page is opened from
      history.replaceState(null, "", location.href.replace(/#.*$/, "#"));
    }
    if (opener?.isConnected && opener !== document.body) opener.focus({ preventScroll: true });
    else this.returned?.(this.at);
  }

  /** The example one step away in the gallery, or by index if the gallery does not show this one. */
  beside(step) {
    const { side, i } = this.at;
    const order = this.order(side);
    const at = order.indexOf(i);
    const to = at < 0 ? i + step : order[at + step];
    return to >= 0 && to < this.study[side].n ? to : null;
  }

  step(step) {
    const to = this.beside(step);
    if (to === null) return;
    history.replaceState(null, "", `#${this.at.side}-${indexOf(this.study[this.at.side], to)}`);
    this.show(this.at.side, to);
    this.moved?.(this.at);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.step(step);
  }

  head(side, i) {
    const button = (step, text, label) => {
      const made = make("button", {
        type: "button", class: "plain", "data-step": step, "aria-label": label, title: label,
        disabled: this.beside(step) === null,
      }, text);
      made.addEventListener("click", () => this.step(step));
      return made;
    };
    const close = make("button",
      { type: "button", class: "plain", "aria-label": "Close", title: "Close (Esc)" }, "✕");
    close.addEventListener("click", () => this.dialog.close());
    return make("div", { class: "head" },
      make("h2", { id: "example-title", tabindex: -1 },
        `${KINDS[side]} ${indexOf(this.study[side], i)}`,
        make("span", { class: "visually-hidden" }, `, ${described(this.study, side, i)}`)),
      button(-1, "←", "Previous example"), button(1, "→", "Next example"), close);
  }

  body(side, i) {
    const parts = side === "train" ? this.train(i) : this.test(i);
    return make("div", { class: "example" },
      make("div", { class: "large" }, this.tiles.looks(side, i)), ...parts);
  }

  facts(rows) {
    return make("dl", { class: "facts" }, rows.filter(([, value]) => value !== null)
      .map(([name, value]) => make("div", { class: value.length > 20 ? "wide" : null },
        make("dt", {}, name), make("dd", {}, value))));
  }

  train(i) {
    const { study } = this, of = study.train;
    const known = !Number.isNaN(of.memorization[i]);
    const mark = category(study, i);
    return [
      make("div", { class: "details" },
        this.facts([
          ["class", className(study, "train", i)],
          ["row or file", nameOf(study, "train", i)],
          ["memorization", known ? decimal(of.memorization[i]) : "no score"],
          ["95% interval", known ? `${decimal(of.low[i])} to ${decimal(of.high[i])}` : null],
          [`${study.measure ?? "accuracy"}, trained on`, percent(of.accuracyIn[i])],
          [`${study.measure ?? "accuracy"}, held out`, percent(of.accuracyOut[i])],
          ["held out by", counted(of.nOut[i], "model")],
          ["kind", mark && `${mark.mark} ${mark.name}`],
        ]),
        known ? this.tiles.bar(of.memorization[i], of.low[i], of.high[i]) : null,
        make("p", { class: "why" }, whyTrain(study, i)),
        this.duplicate(i)),
      this.influences("Test examples it influences", "test", partnersOf(of.partners, i), of.text?.[i]),
      this.nearest(i),
    ];
  }

  test(j) {
    const { study } = this, of = study.test;
    const found = partnersOf(of.partners, j);
    return [
      make("div", { class: "details" },
        this.facts([
          ["class", className(study, "test", j)],
          ["row or file", nameOf(study, "test", j)],
          [study.measure ?? "accuracy", percent(of.accuracy[j])],
        ]),
        make("p", { class: "why" }, whyTest(study, j))),
      this.influences("Training examples it rests on", "train", found, of.text?.[j]),
    ];
  }

  duplicate(i) {
    const found = this.study.train.duplicateOf.get(i);
    if (!found) return null;
    const [side, of] = found;
    const name = `${KINDS[side].toLowerCase()} ${of}`;
    const isHere = this.study[side].placed(of) >= 0;
    return make("p", { class: "tag-line" }, "= Near-duplicate of ",
      isHere ? make("a", { href: `#${side}-${of}` }, name) : name, ".");
  }

  influences(title, side, found, beside) {
    const { study } = this;
    const list = found.map(({ place, influence, error, significant }) => {
      const said = [
        make("b", {}, plusMinus(influence, error)),
        make("span", { class: significant ? "sure" : "unsure" },
          significant ? "✓ significant" : "may be chance"),
      ];
      if (place < 0) { // the page holds a sample, without this one
        const index = indexOf(study[side], place);
        return make("li", {}, make("span", { class: "thumbnail" },
          make("span", { class: "said" }, `${KINDS[side]} ${index}, not on this page `, ...said)));
      }
      const label = make("span", { class: "class" }, className(study, side, place));
      return make("li", {}, this.tiles.link(side, place, beside, ...said, label));
    });
    return make("section", {}, make("h3", {}, title),
      list.length ? make("ul", { class: "thumbnails" }, list)
        : make("p", { class: "soft" }, "These models show none."),
      make("p", { class: "soft" }, "Influence ± standard error. Listed: influence of at least 0.05 and "
        + `two standard errors. ✓: significant at a false discovery rate of 5% among all pairs${study.sameClass ? " of one class" : ""}.`));
  }

  nearest(i) {
    const { study } = this;
    const found = neighboursOf(study.train.neighbours, i);
    if (!found.length) return make("section", {});
    const own = study.train.label[i];
    const list = found.map((j) => {
      const differs = study.train.label[j] !== own;
      return make("li", {}, this.tiles.link("train", j, study.train.text?.[i],
        study.isLabelled ? make("span", { class: differs ? "class differs" : "class" },
          `${differs ? "≠ " : ""}${className(study, "train", j)}`) : null,
        make("span", {}, `mem. ${decimal(study.train.memorization[j])}`)));
    });
    return make("section", {}, make("h3", {}, "Nearest training examples"),
      make("ul", { class: "thumbnails" }, list),
      make("p", { class: "soft" }, `Ordered by the distance between ${study.nearBy}.`
        + (study.train.rows ? " Only examples on this page were compared." : "")
        + (study.isLabelled ? " ≠ marks another class." : "")));
  }
}
