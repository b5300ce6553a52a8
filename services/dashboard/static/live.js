// Keeps a page up to date. When the server reports a change, this script fetches the page again and
// replaces the parts marked data-live. The page works without this script.

const LEAST = 1000; // milliseconds between two updates
const connection = document.getElementById("connection");
let source = null;
let wait = LEAST;
let timer = null;
let lastUpdate = 0;
let isBusy = false;
let isStale = false;
let isLeft = false;

function say(kind, text) {
  connection.className = `connection ${kind}`;
  if (connection.textContent !== text) connection.textContent = text;
}

function clock(date) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function lengthOfTime(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

function tick() {
  const now = Date.now() / 1000;
  for (const each of document.querySelectorAll("time[data-since]")) {
    const length = lengthOfTime(now - Number(each.dataset.since));
    const text = each.dataset.words === "ago" ? `${length} ago` : `for ${length}`;
    if (each.textContent !== text) each.textContent = text;
  }
}

function replacePart(mine, theirs) {
  if (mine.innerHTML === theirs.innerHTML) return;
  const opened = new Set([...mine.querySelectorAll("details[open]")].map((e) => e.dataset.key));
  for (const each of theirs.querySelectorAll("details[data-key]")) {
    if (opened.has(each.dataset.key)) each.open = true;
  }
  mine.replaceChildren(...document.importNode(theirs, true).childNodes);
  mine.dispatchEvent(new CustomEvent("exchanged", { bubbles: true }));
}

function isInUse(part) {
  const selection = getSelection();
  const isSelected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return isSelected || part.contains(document.activeElement);
}

async function refresh() {
  if (isBusy) {
    isStale = true;
    return;
  }
  isBusy = true;
  isStale = false;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const theirs of fresh.querySelectorAll("[data-live]")) {
      const mine = document.querySelector(`[data-live="${CSS.escape(theirs.dataset.live)}"]`);
      if (mine && isInUse(mine)) isLeft = true; // until the focus leaves it
      else if (mine) replacePart(mine, theirs);
    }
    lastUpdate = Date.now();
    tick();
  } catch {
    isStale = true; // the stream reports when the server is back
  } finally {
    isBusy = false;
  }
}

function soon() {
  if (timer !== null) return;
  timer = setTimeout(async () => {
    timer = null;
    await refresh();
    if (isStale && source?.readyState === EventSource.OPEN) soon();
  }, Math.max(0, lastUpdate + LEAST - Date.now()));
}

function listen() {
  source?.close();
  source = new EventSource(document.body.dataset.events);
  source.onopen = () => {
    wait = LEAST;
    delete connection.dataset.lost;
    say("live", "live");
    soon();
  };
  for (const kind of ["study", "overview", "gone"]) source.addEventListener(kind, soon);
  source.onerror = () => {
    connection.dataset.lost ??= clock(new Date());
    say("lost", `connection lost at ${connection.dataset.lost}, reconnecting`);
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(listen, wait); // refused: the browser would not try again
      wait = Math.min(2 * wait, 30_000);
    }
  };
}

// A browser has few connections to one server: a hidden page closes its own.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (source === null) {
    listen();
  }
});
document.addEventListener("focusout", () => {
  if (isLeft) soon();
  isLeft = false;
});
window.addEventListener("memtail-changed", soon);
setInterval(tick, 1000);
// Some changes send no event: for example when the server cannot reach the store.
setInterval(() => source?.readyState === EventSource.OPEN && soon(), 30_000);
if (!document.hidden) listen();
