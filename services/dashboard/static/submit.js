// Hands the study that is written in the form to the API, and goes to its page.

import { call } from "./token.js";

const form = document.getElementById("submission");
const said = document.getElementById("said");

function say(text, isWrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", isWrong);
}

// What the file says, as the server understands it: a sentence, and the body that the API takes.
async function read() {
  const { text, trials, device, dataset } = form.elements;
  const answer = await fetch("/submit/read", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      text: text.value,
      trials: trials.value ? Number(trials.value) : null,
      device: device.value || null,
      dataset: dataset.value || null,
    }),
  });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail);
  return content;
}

// Wait until the dashboard has seen the study: it looks every few seconds.
async function seen(id) {
  for (let tries = 0; tries < 40; tries += 1) {
    const studies = await (await fetch("/api/v1/studies")).json();
    if (studies.some((each) => each.id === id)) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const isCheck = event.submitter?.value === "check";
  const buttons = form.querySelectorAll("button");
  for (const each of buttons) each.disabled = true;
  say("…");
  try {
    const found = await read();
    if (isCheck) {
      say(found.said);
    } else {
      say("the data are read and sent to the store");
      const answer = await call("POST", "/api/v1/studies", found.body);
      if (answer === null) {
        say("nothing was done");
      } else {
        say(`submitted: ${answer.id}`);
        await seen(answer.id);
        location.assign(`/studies/${encodeURIComponent(answer.id)}`);
      }
    }
  } catch (error) {
    say(error.message, true);
  } finally {
    for (const each of buttons) each.disabled = false;
  }
});
