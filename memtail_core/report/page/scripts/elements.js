/* Makes elements without parsing HTML, so that text from the data stays text. */

/** make("p", {class: "soft"}, "text", element, …); attributes that are null or false are left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false || value === undefined) continue;
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** A text as nodes, its runs of code points shaded: two digits each, its level and its length. */
function shaded(text, runs) {
  const letters = Array.from(text), nodes = [];
  let start = 0;
  for (let at = 0; at < runs.length; at += 2) {
    const end = start + parseInt(runs[at + 1], 36);
    const part = letters.slice(start, end).join("");
    nodes.push(runs[at] === "0" ? part : make("span", { class: `likelier-${runs[at]}` }, part));
    start = end;
  }
  return [...nodes, letters.slice(start).join("")];
}

function choose(select, options) {
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
}

/** Call once, a moment after the last event. */
function calmly(call, milliseconds = 150) {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(call, milliseconds);
  };
}
