// Calls of the API that change something. They carry the token, which the page asks for once and
// keeps in sessionStorage: for this tab, until it is closed.

const KEY = "memtail-token";

export const ROOT = document.documentElement.dataset.root; // the path below which a proxy serves the pages

function opened(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
    dialog.showModal();
  });
}

async function askForToken() {
  const dialog = document.getElementById("ask-token");
  const input = dialog.querySelector("input");
  input.value = "";
  const isGiven = await opened(dialog);
  const token = input.value.trim();
  input.value = "";
  return isGiven && token ? token : null;
}

export async function isSure(what) {
  const dialog = document.getElementById("ask-sure");
  dialog.querySelector(".what").textContent = what;
  return opened(dialog);
}

// Returns the answer of the API, or null if no token was given; throws an Error with its message.
// The body is sent as JSON; a string is JSON already.
export async function call(method, path, body) {
  const token = sessionStorage.getItem(KEY) ?? (await askForToken());
  if (token === null) return null;
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  } catch {
    throw new Error("the dashboard cannot be reached: check that it is running");
  }
  const content = await answer.json().catch(() => null);
  if (answer.status === 401) {
    sessionStorage.removeItem(KEY);
    throw new Error("wrong token: it is MEMTAIL_DASHBOARD_TOKEN of this dashboard");
  }
  sessionStorage.setItem(KEY, token);
  if (!answer.ok) throw new Error(content?.detail ?? `the dashboard answered ${answer.status}`);
  return content;
}
