/* Which examples a gallery shows, and in which order. */

const DESCENDING = (values) => (a, b) => missingLast(values[b] - values[a], values, a, b);
const ASCENDING = (values) => (a, b) => missingLast(values[a] - values[b], values, a, b);

function missingLast(difference, values, a, b) {
  if (!Number.isNaN(difference)) return difference || a - b;
  return Number.isNaN(values[a]) - Number.isNaN(values[b]) || a - b;
}

/** Each way to choose training examples: value → [label, whether it chooses an example]. */
function trainChoices(study) {
  const { n, memorization, standing, partners, duplicateOf } = study.train;
  const inPairs = new Uint8Array(n);
  for (const i of study.pairs.train) inPairs[i] = 1;
  const choices = new Map([
    ["all", ["All", () => true]],
    ["memorized", [`Memorized (≥ ${study.theta.memorization})`, (i) => standing[i] & MEMORIZED]],
    ["surely", ["Surely memorized", (i) => standing[i] & SURELY]],
    ["possibly", ["Possibly memorized", (i) => standing[i] & POSSIBLY]],
    ["pair", ["In a listed pair", (i) => inPairs[i]]],
    ["supports", ["With influence on a test example", (i) => partners.index[i * partners.k] !== -1]],
  ]);
  study.categories.forEach((key, c) => {
    const { mark, name } = CATEGORIES[key] ?? { mark: "•", name: key };
    const title = `${mark} ${name[0].toUpperCase()}${name.slice(1)}`;
    choices.set(key, [title, (i) => study.train.category[i] === c]);
  });
  if (duplicateOf.size && !choices.has("duplicate")) {
    choices.set("duplicate", ["= Near-duplicate", (i) => duplicateOf.has(i)]);
  }
  if (memorization.some(Number.isNaN)) {
    choices.set("unscored", ["Without a score", (i) => Number.isNaN(memorization[i])]);
  }
  return choices;
}

function testChoices(study) {
  const { n, accuracy, partners } = study.test;
  const inPairs = new Uint8Array(n);
  for (const j of study.pairs.test) inPairs[j] = 1;
  return new Map([
    ["all", ["All", () => true]],
    ["pair", ["In a listed pair", (j) => inPairs[j]]],
    ["rests", ["Resting on a training example", (j) => partners.index[j * partners.k] !== -1]],
    ["surely", ["Resting on one significantly", (j) => partners.significant[j * partners.k]]],
    ["wrong", ["Mostly wrong (< 50%)", (j) => accuracy[j] < 0.5]],
  ]);
}

function trainOrders(study) {
  const { memorization, accuracyOut, partners } = study.train;
  return new Map([
    ["memorization", ["Most memorized", DESCENDING(memorization)]],
    ["typical", ["Least memorized", ASCENDING(memorization)]],
    ["held-out", ["Lowest held-out accuracy", ASCENDING(accuracyOut)]],
    ["influence", ["Strongest influence", DESCENDING(strongest(partners))]],
    ["index", ["Index", (a, b) => a - b]],
  ]);
}

function testOrders(study) {
  const { accuracy, partners } = study.test;
  return new Map([
    ["influence", ["Strongest support", DESCENDING(strongest(partners))]],
    ["accuracy", ["Lowest accuracy", ASCENDING(accuracy)]],
    ["index", ["Index", (a, b) => a - b]],
  ]);
}

function strongest({ k, index, influence }) {
  const n = k ? index.length / k : 0;
  return Float64Array.from({ length: n }, (_, i) => (index[i * k] === -1 ? NaN : influence[i * k]));
}

function pairChoices({ duplicate }) {
  return new Map([
    ["all", ["All pairs", () => true]],
    ["different", ["Without near-duplicates", (p) => !duplicate[p]]],
    ["duplicate", ["= Near-duplicates only", (p) => duplicate[p]]],
  ]);
}

function pairOrders({ influence, low, q }) {
  return new Map([
    ["influence", ["Influence", DESCENDING(influence)]],
    ["q", ["Significance (q)", ASCENDING(q)]],
    ["low", ["Lower end of the interval", DESCENDING(low)]],
  ]);
}

/** Whether the typed text is the index of an example (#17: only that), or is in its name or row.
 *  A text is found by its words, in any order. */
function finder(typed, ...sides) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return () => true;
  const [, hash, digits] = /^(#?)(\d+)$/.exec(wanted) ?? [];
  const index = digits === undefined ? -1 : Number(digits);
  const number = new RegExp(`(^|\\D)0*${index}(\\D|$)`); // 17 is in 00017.png, not in 170
  const parts = wanted.split(/\s+/);
  const within = index < 0 ? (text) => text.toLowerCase().includes(wanted)
    : hash ? () => false : (text) => number.test(text);
  return (...indices) => sides.some((of, s) => {
    const i = indices[s];
    return indexOf(of, i) === index || (of.names !== null && within(of.names[i]))
      || (index < 0 && of.text !== null && (of.byWord ? holdsAll(of.text[i], parts) : within(of.text[i])));
  });
}

/** Whether a text holds each of some words, in any order. */
function holdsAll(text, words) {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

/** The numbers below n that satisfy, in order. */
function select(n, satisfies, order) {
  const found = [];
  for (let i = 0; i < n; i++) if (satisfies(i)) found.push(i);
  return Int32Array.from(found).sort(order);
}
