/* One example as a tile: its picture or row, its score, its interval and its accuracies. */

class Tiles {
  constructor(study) {
    this.study = study;
    this.sprites = {
      train: new Sprites("train", study.train.sheet),
      test: new Sprites("test", study.test.sheet),
    };
  }

  /** The picture of an image, or words; of texts, those that are also in `beside` are marked. */
  looks(side, i, beside = null) {
    if (this.study.isImages) return this.sprites[side].picture(i);
    const text = this.study[side].text[i];
    if (!this.study.isText) return make("span", { class: "words" }, text);
    this.shared ??= new SharedWords(this.study.train.text);
    const shades = this.study[side].shades?.[i];
    const shown = beside !== null ? this.shared.marked(text, beside)
      : shades ? shaded(text, shades) : [text];
    return make("span", { class: "words", dir: "auto" }, shown);
  }

  /** An interval as a bar on a line from 0 to 1, the threshold marked. */
  bar(at, low, high) {
    const within = (value) => `${100 * Math.min(1, Math.max(0, value))}%`;
    return make("span", {
      class: "bar",
      "aria-hidden": "true",
      "--low": within(low),
      "--high": within(high),
      "--at": within(at),
      "--theta": within(this.study.theta.memorization),
    });
  }

  train(cell, i) {
    const { memorization, low, high, accuracyIn, accuracyOut, standing } = this.study.train;
    const known = !Number.isNaN(memorization[i]);
    const mark = category(this.study, i);
    cell.setAttribute("aria-label", described(this.study, "train", i));
    cell.classList.toggle("memorized", (standing[i] & MEMORIZED) !== 0);
    cell.append(
      this.framed("train", i, mark),
      make("span", { class: "who" },
        make("b", {}, known ? decimal(memorization[i]) : "no score"), " ",
        this.index("train", i),
        make("span", { class: "class" }, className(this.study, "train", i))),
      known ? this.bar(memorization[i], low[i], high[i]) : make("span", { class: "bar empty" }),
      make("span", { class: "interval" }, known ? `${decimal(low[i])}–${decimal(high[i])}` : "–"),
      make("span", { class: "seen" },
        `in ${percent(accuracyIn[i])} · out ${percent(accuracyOut[i])}`));
  }

  test(cell, j) {
    const found = partnersOf(this.study.test.partners, j);
    const sure = found.filter(({ significant }) => significant).length;
    const rests = sure ? `✓ rests on ${sure}` : found.length ? "may rest on one" : "";
    cell.setAttribute("aria-label", described(this.study, "test", j));
    cell.append(
      this.framed("test", j, null),
      make("span", { class: "who" },
        make("b", {}, percent(this.study.test.accuracy[j])), " ",
        this.index("test", j),
        make("span", { class: "class" }, className(this.study, "test", j))),
      make("span", { class: "interval" }, rests),
      make("span", { class: "seen" },
        found.length ? `by ${plusMinus(found[0].influence, found[0].error)}` : ""));
  }

  pair(cell, p) {
    const { train, test, influence, error, q, duplicate } = this.study.pairs;
    const i = train[p], j = test[p], { study } = this;
    const same = study.train.label[i] === study.test.label[j];
    const label = same ? className(study, "train", i) ?? ""
      : `${className(study, "train", i)} → ${className(study, "test", j)}`;
    const [index, tested] = [indexOf(study.train, i), indexOf(study.test, j)];
    cell.setAttribute("aria-label", [
      `Training example ${index} and test example ${tested}`, ...(label ? [`class ${label}`] : []),
      `influence ${decimal(influence[p])}, standard error ${decimal(error[p])}`,
      `q ${qValue(q[p])}`, ...(duplicate[p] ? ["near-duplicates"] : []),
    ].join(", "));
    cell.append(
      make("span", { class: "two" },
        make("span", { class: "frame" }, this.looks("train", i, study.test.text?.[j])),
        make("span", { class: "frame test" }, this.looks("test", j, study.train.text?.[i]))),
      make("span", { class: "who" },
        make("b", {}, plusMinus(influence[p], error[p])), " ",
        make("span", { class: "class" }, label)),
      make("span", { class: "interval" },
        `#${index} → test #${tested} · q ${qValue(q[p])}`,
        duplicate[p] ? make("span", { class: "tag" }, "= near-duplicate") : null));
  }

  framed(side, i, mark) {
    return make("span", { class: `frame ${side}` }, this.looks(side, i),
      mark ? make("span", { class: `mark ${mark.key}`, title: mark.name }, mark.mark) : null);
  }

  index(side, i) {
    const name = nameOf(this.study, side, i);
    const said = [`#${indexOf(this.study[side], i)}`, /^\d*$/.test(name ?? "") ? null : name];
    if (className(this.study, side, i)) said.push(""); // the class follows
    return make("span", { class: "index" }, said.filter((part) => part !== null).join(" · "));
  }

  /** A thumbnail that leads to its example; of texts, with the words marked that `beside` has. */
  link(side, i, beside, ...said) {
    const index = indexOf(this.study[side], i);
    return make("a", { href: `#${side}-${index}`, class: "thumbnail", title: described(this.study, side, i) },
      make("span", { class: `frame ${side}` }, this.looks(side, i, beside)),
      make("span", { class: "said" }, make("span", { class: "visually-hidden" },
        `${KINDS[side]} ${index}: `), ...said));
  }
}
