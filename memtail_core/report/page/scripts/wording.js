/* Numbers and examples in words: for people who look, and for those who listen. */

const KINDS = { train: "Training example", test: "Test example" };
const CATEGORIES = {
  "likely-mislabeled": { mark: "?", name: "likely mislabeled" },
  "atypical-useful": { mark: "★", name: "atypical but useful" },
  duplicate: { mark: "=", name: "near-duplicate" },
};

function decimal(value, digits = 2) {
  if (Number.isNaN(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

function percent(value) {
  return Number.isNaN(value) ? "–" : `${Math.round(100 * value)}%`;
}

function count(n) {
  return n.toLocaleString("en");
}

function counted(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** The error of a value, as people write it. */
function plusMinus(value, error) {
  return `${decimal(value)} ± ${decimal(error)}`;
}

function qValue(q) {
  return q < 0.001 ? "< 0.001" : decimal(q, 3);
}

function category(study, i) {
  const found = study.train.category[i];
  if (found === NO_CATEGORY) return null;
  const key = study.categories[found];
  return { key, ...(CATEGORIES[key] ?? { mark: "•", name: key }) };
}

function className(study, side, i) {
  return study.classes[study[side].label[i]];
}

function nameOf(study, side, i) {
  return study[side].names?.[i] ?? null;
}

/** "Training example 17, class sneaker, memorization 0.83, interval 0.74 to 0.89". */
function described(study, side, i) {
  const of = study[side];
  const said = [`${KINDS[side]} ${i}`, `class ${className(study, side, i)}`];
  if (side === "test") said.push(`right in ${percent(of.accuracy[i])} of models`);
  else if (Number.isNaN(of.memorization[i])) said.push("no score");
  else {
    said.push(`memorization ${decimal(of.memorization[i])}`);
    said.push(`interval ${decimal(of.low[i])} to ${decimal(of.high[i])}`);
    if (category(study, i)) said.push(category(study, i).name);
  }
  if (of.text) said.push(of.text[i]);
  return said.join(", ");
}

/** Why a training example has its score, in plain sentences. */
function whyTrain(study, i) {
  const { memorization, accuracyIn, accuracyOut, standing } = study.train;
  if (Number.isNaN(memorization[i])) {
    return "It has no score: no model held it out, or none trained on it.";
  }
  const seen = `Models that trained on it get it right in ${percent(accuracyIn[i])} of cases, `;
  const unseen = `models that held it out in ${percent(accuracyOut[i])}`;
  const said = [];
  if (standing[i] & SURELY) said.push(`${seen}${unseen}: they know it only from having seen it.`);
  else if (standing[i] & MEMORIZED) {
    said.push(`${seen}${unseen}: they seem to know it only from having seen it, but with so few `
      + "models the difference is uncertain.");
  } else if (accuracyIn[i] < 0.5) {
    said.push(`${seen}${unseen}: even having seen it does not help them much.`);
  } else if (standing[i] & POSSIBLY) {
    said.push(`${seen}${unseen}: a small difference, that more models might show to be larger.`);
  } else said.push(`${seen}${unseen}: they know it anyway.`);
  const reason = {
    "likely-mislabeled": "Its label is doubted, and hardly any test example rests on it: check it.",
    "atypical-useful": "It is rare, and its label plausible: keep it.",
    duplicate: "It nearly equals another example of the same label.",
  }[category(study, i)?.key];
  if (reason) said.push(reason);
  return said.join(" ");
}

function whyTest(study, j) {
  const right = `${percent(study.test.accuracy[j])} of models get it right.`;
  const found = partnersOf(study.test.partners, j);
  if (!found.length) {
    return `${right} It rests on no single training example that these models could tell.`;
  }
  const sure = found.filter(({ significant }) => significant);
  const first = sure[0] ?? found[0];
  const how = sure.length ? "It rests on" : "It may rest, or seem to by chance, on";
  const more = sure.length > 1 ? ` So it does, less, on ${counted(sure.length - 1, "other")}.` : "";
  return `${right} ${how} training example ${first.index}: without that, models get it right `
    + `${Math.round(100 * first.influence)} percentage points less often.${more}`;
}
