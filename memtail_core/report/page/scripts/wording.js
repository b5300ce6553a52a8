/* Numbers and examples as text, on the screen and for screen readers. */

const KINDS = { train: "Training example", test: "Test example" };
const CATEGORIES = {
  "likely-mislabeled": { mark: "?", name: "likely mislabeled" },
  "atypical-useful": { mark: "★", name: "atypical but useful" },
  duplicate: { mark: "=", name: "near-duplicate" },
  "only-of-class": { mark: "1", name: "only example of its class" },
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

/** A value with its standard error. */
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

/** The class of an example; null where examples have no labels. */
function className(study, side, i) {
  return study.isLabelled ? study.classes[study[side].label[i]] : null;
}

function nameOf(study, side, i) {
  return study[side].names?.[i] ?? null;
}

/** "Training example 17, class sneaker, memorization 0.83, interval 0.74 to 0.89". */
function described(study, side, i) {
  const of = study[side];
  const parts = [`${KINDS[side]} ${indexOf(of, i)}`];
  if (study.isLabelled) parts.push(`class ${className(study, side, i)}`);
  if (side === "test") {
    const mean = percent(of.accuracy[i]);
    parts.push(study.measure ? `mean ${study.measure} ${mean}` : `right in ${mean} of models`);
  }
  else if (Number.isNaN(of.memorization[i])) parts.push("no score");
  else {
    parts.push(`memorization ${decimal(of.memorization[i])}`);
    parts.push(`interval ${decimal(of.low[i])} to ${decimal(of.high[i])}`);
    if (category(study, i)) parts.push(category(study, i).name);
  }
  if (of.text) parts.push(of.text[i]);
  return parts.join(", ");
}

/** Why a training example has its score, in plain sentences. */
function whyTrain(study, i) {
  const { memorization, accuracyIn, accuracyOut, standing } = study.train;
  if (Number.isNaN(memorization[i])) {
    return "It has no score: no model held it out, or none trained on it.";
  }
  if (study.measure) {
    const sure = standing[i] & SURELY ? " Models memorize it."
      : standing[i] & MEMORIZED ? " Models seem to memorize it, but with so few that is not certain." : "";
    return `Its mean ${study.measure} is ${percent(accuracyIn[i])} with models trained on it, and `
      + `${percent(accuracyOut[i])} with models that held it out.${sure}`;
  }
  const sentences = [
    `Of the models trained on it, ${percent(accuracyIn[i])} get it right; `
      + `of the models that held it out, ${percent(accuracyOut[i])}.`,
  ];
  if (standing[i] & SURELY) sentences.push("Models get it right only by memorizing it.");
  else if (standing[i] & MEMORIZED) {
    sentences.push("Models seem to memorize it, but with so few models that is not certain.");
  } else if (accuracyIn[i] < 0.5) sentences.push("Even training on it does not help much.");
  else if (standing[i] & POSSIBLY) {
    sentences.push("The difference is small, but more models might show a larger one.");
  } else sentences.push("Models get it right without training on it.");
  const reason = {
    "likely-mislabeled": "Its label is doubtful and hardly any test example rests on it: check the label.",
    "atypical-useful": "It is rare and its label is plausible: keep it.",
    duplicate: "It is a near-duplicate of another example with the same label.",
    "only-of-class": "It is the only example of its class, so no model can judge its label.",
  }[category(study, i)?.key];
  if (reason) sentences.push(reason);
  return sentences.join(" ");
}

function whyTest(study, j) {
  const mean = percent(study.test.accuracy[j]);
  const right = study.measure ? `Its mean ${study.measure} is ${mean}.` : `${mean} of models get it right.`;
  const found = partnersOf(study.test.partners, j);
  if (!found.length) {
    return `${right} These models show no single training example that it rests on.`;
  }
  const sure = found.filter(({ significant }) => significant);
  const first = sure[0] ?? found[0];
  const how = sure.length ? "It rests on" : "It may rest on";
  const more = sure.length > 1 ? ` It also rests on ${counted(sure.length - 1, "other")}, less strongly.`
    : sure.length ? "" : " This may be chance.";
  const points = `${Math.round(100 * first.influence)} percentage points`;
  const less = study.measure ? `models trained without that one have ${points} less of it`
    : `models trained without that one get it right ${points} less often`;
  return `${right} ${how} training example ${indexOf(study.train, first.place)}: ${less}.${more}`;
}
