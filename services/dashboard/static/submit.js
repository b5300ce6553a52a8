// Hands the study that is written in the form to the API, and goes to its page.

import { call } from "./token.js";

const form = document.getElementById("submission");
const said = document.getElementById("said");

function say(text, isWrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", isWrong);
}
