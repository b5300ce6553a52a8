// The actions on a study: cancel, retry, continue, grow. The page works without this script.

import { ROOT, call, isSure } from "./token.js";

const message = () => document.getElementById("message");

function say(text, isWrong = false) {
  message().textContent = text;
  message().classList.toggle("wrong", isWrong);
}

const plural = (n, word) => `${n.toLocaleString()} ${word}${n === 1 ? "" : "s"}`;

const RESULTS = {
  cancel: (answer) => `cancelled; stopped ${plural(answer.stopped ?? 0, "shard")} in training`,
  retry: (answer) => `${plural(answer.enqueued ?? 0, "shard")} enqueued again`,
  submit: (answer) => `submitted; ${plural(answer.enqueued ?? 0, "shard")} enqueued`,
};

async function act(study, action, body, question) {
  if (question && !(await isSure(question))) return;
  say("…");
  try {
    const answer = await call("POST", `${ROOT}/api/v1/studies/${encodeURIComponent(study)}/${action}`, body);
    say(answer === null ? "nothing was changed" : RESULTS[action](answer));
  } catch (error) {
    say(error.message, true);
  }
  document.activeElement?.blur?.();
  window.dispatchEvent(new Event("memtail-changed"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  const study = button?.closest("[data-study]")?.dataset.study;
  if (study) act(study, button.dataset.action, button.dataset.action === "submit" ? {} : undefined, button.dataset.confirm);
});

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-action='grow']");
  if (!form) return;
  event.preventDefault();
  act(form.closest("[data-study]").dataset.study, "submit", { trials: Number(form.elements.trials.value) });
});

function show() {
  for (const each of document.querySelectorAll(".actions")) each.hidden = false;
}
document.addEventListener("exchanged", show);
show();
