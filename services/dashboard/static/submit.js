// Submits the study in the form to the API, and opens its page.

import { ROOT, call } from "./token.js";

const form = document.getElementById("submission");
const message = document.getElementById("message");

function say(text, isWrong = false) {
  message.textContent = text;
  message.classList.toggle("wrong", isWrong);
}

// Let the server read the study file: returns a sentence about it, and the body for the API.
async function read() {
  const { text, trials, device, dataset } = form.elements;
  return call("POST", `${ROOT}/submit/read`, {
    text: text.value,
    trials: trials.value ? Number(trials.value) : null,
    device: device.value || null,
    dataset: dataset.value || null,
  });
}

// Wait until the dashboard lists the study: it reads the store every few seconds.
async function listed(id) {
  for (let tries = 0; tries < 40; tries += 1) {
    const studies = await (await fetch(`${ROOT}/api/v1/studies`)).json();
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
    const study = await read();
    if (study === null) {
      say("nothing was submitted");
    } else if (isCheck) {
      say(study.summary);
    } else {
      say("preparing the data and sending them to the store");
      const answer = await call("POST", `${ROOT}/api/v1/studies`, study.body);
      if (answer === null) {
        say("nothing was submitted");
      } else {
        say(`submitted: ${answer.id}`);
        await listed(answer.id);
        location.assign(`${ROOT}/studies/${encodeURIComponent(answer.id)}`);
      }
    }
  } catch (error) {
    say(error.message, true);
  } finally {
    for (const each of buttons) each.disabled = false;
  }
});
