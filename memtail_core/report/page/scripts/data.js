/* Decodes the data in the page: columns of numbers come as little-endian arrays in base64. */

const MEMORIZED = 1, SURELY = 2, POSSIBLY = 4; // bits of a training example's standing
const NO_CATEGORY = 255;

function held(id) {
  return document.getElementById(id).textContent;
}

function bytes(base64) {
  const text = atob(base64);
  const found = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) found[i] = text.charCodeAt(i);
  return found;
}

function whole(base64, Type) {
  return new Type(bytes(base64).buffer);
}

/** Numbers × 10,000 in 16 bits; −32768 is a missing one. */
function fixed(base64) {
  return Float64Array.from(whole(base64, Int16Array), (v) => (v === -32768 ? NaN : v / 10000));
}

/* Examples are numbered by their places on the page. Where it holds only some of the data set, `rows`
 * says which; partners that it does not hold are −2 − their index, and −1 is no partner. */

/** From indices of the data set to places. */
function placing(side) {
  if (!side.rows) return (index) => index;
  const places = new Map(Array.from(whole(side.rows, Int32Array), (row, place) => [row, place]));
  return (index) => (index < 0 ? index : places.get(index) ?? -2 - index);
}

/** The index in the data set of an example at a place, on the page or not. */
function indexOf({ rows }, place) {
  return place < 0 ? -2 - place : rows === null ? place : rows[place];
}

function partners(found, placed) {
  return {
    k: found.k,
    index: whole(found.index, Int32Array).map(placed),
    influence: fixed(found.influence),
    error: fixed(found.error),
    significant: bytes(found.significant),
  };
}

function decoded(json) {
  const { train, test, pairs } = json;
  const ofTrain = placing(train), ofTest = placing(test);
  return {
    isImages: json.kind === "images",
    isText: json.kind === "text",
    classes: json.classes,
    theta: json.theta,
    sameClass: json.same_class && json.classes.length > 1,
    isLabelled: json.classes.length > 1,
    nearBy: json.by_backbone ? "the backbone's features of inputs" : "inputs",
    measure: json.measure ?? null, // null: how often models get it right
    trials: json.trials,
    categories: json.categories,
    knowsDuplicates: json.duplicates !== "unknown",
    train: {
      side: "train",
      n: train.n,
      rows: train.rows ? whole(train.rows, Int32Array) : null,
      total: train.total ?? train.n,
      placed: ofTrain,
      label: whole(train.label, Uint16Array),
      memorization: fixed(train.memorization),
      low: fixed(train.low),
      high: fixed(train.high),
      accuracyIn: fixed(train.accuracy_in),
      accuracyOut: fixed(train.accuracy_out),
      nOut: whole(train.n_out, Uint16Array),
      standing: bytes(train.standing),
      category: bytes(train.category),
      names: train.names,
      text: train.text,
      shades: train.shades ?? null, // of documents, by the losses of their tokens
      byWord: json.kind === "text",
      partners: partners(train.partners, ofTest),
      neighbours: {
        k: train.neighbours.k,
        index: whole(train.neighbours.index, Int32Array).map(ofTrain),
      },
      duplicateOf: new Map(
        Object.entries(train.duplicate_of).map(([i, of]) => [ofTrain(Number(i)), of])),
      sheet: json.sheets.train,
    },
    test: {
      side: "test",
      n: test.n,
      rows: test.rows ? whole(test.rows, Int32Array) : null,
      total: test.total ?? test.n,
      placed: ofTest,
      label: whole(test.label, Uint16Array),
      accuracy: fixed(test.accuracy),
      names: test.names,
      text: test.text,
      byWord: json.kind === "text",
      partners: partners(test.partners, ofTrain),
      sheet: json.sheets.test,
    },
    pairs: {
      shown: pairs.shown,
      total: pairs.total,
      train: whole(pairs.train, Int32Array).map(ofTrain),
      test: whole(pairs.test, Int32Array).map(ofTest),
      influence: fixed(pairs.influence),
      error: fixed(pairs.error),
      low: fixed(pairs.low),
      high: fixed(pairs.high),
      q: whole(pairs.q, Float32Array),
      duplicate: bytes(pairs.duplicate),
    },
  };
}

/** An example's partners: [{place, influence, error, significant}], the strongest first. */
function partnersOf({ k, index, influence, error, significant }, i) {
  const found = [];
  for (let at = i * k; at < (i + 1) * k; at++) {
    if (index[at] === -1) break;
    found.push({
      place: index[at],
      influence: influence[at],
      error: error[at],
      significant: significant[at] === 1,
    });
  }
  return found;
}

function neighboursOf({ k, index }, i) {
  return Array.from(index.subarray(i * k, (i + 1) * k)).filter((j) => j >= 0);
}
