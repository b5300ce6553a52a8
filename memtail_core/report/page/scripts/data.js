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

function partners(found) {
  return {
    k: found.k,
    index: whole(found.index, Int32Array),
    influence: fixed(found.influence),
    error: fixed(found.error),
    significant: bytes(found.significant),
  };
}

function decoded(json) {
  const { train, test, pairs } = json;
  return {
    isImages: json.kind === "images",
    isText: json.kind === "text",
    classes: json.classes,
    theta: json.theta,
    sameClass: json.same_class && json.classes.length > 1,
    isLabelled: json.classes.length > 1,
    measure: json.measure ?? null, // null: how often models get it right
    trials: json.trials,
    categories: json.categories,
    knowsDuplicates: json.duplicates !== "unknown",
    train: {
      side: "train",
      n: train.n,
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
      byWord: json.kind === "text",
      partners: partners(train.partners),
      neighbours: { k: train.neighbours.k, index: whole(train.neighbours.index, Int32Array) },
      duplicateOf: new Map(Object.entries(train.duplicate_of).map(([i, of]) => [Number(i), of])),
      sheet: json.sheets.train,
    },
    test: {
      side: "test",
      n: test.n,
      label: whole(test.label, Uint16Array),
      accuracy: fixed(test.accuracy),
      names: test.names,
      text: test.text,
      byWord: json.kind === "text",
      partners: partners(test.partners),
      sheet: json.sheets.test,
    },
    pairs: {
      shown: pairs.shown,
      total: pairs.total,
      train: whole(pairs.train, Int32Array),
      test: whole(pairs.test, Int32Array),
      influence: fixed(pairs.influence),
      error: fixed(pairs.error),
      low: fixed(pairs.low),
      high: fixed(pairs.high),
      q: whole(pairs.q, Float32Array),
      duplicate: bytes(pairs.duplicate),
    },
  };
}

/** An example's partners: [{index, influence, error, significant}], the strongest first. */
function partnersOf({ k, index, influence, error, significant }, i) {
  const found = [];
  for (let at = i * k; at < (i + 1) * k; at++) {
    if (index[at] < 0) break;
    found.push({
      index: index[at],
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
