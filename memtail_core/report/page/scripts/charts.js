/* Makes the charts interactive when they come into view, and offers them as files. */

let drawing = null; // a promise of memtailDraw(element, spec)

/** The charting library; its text is part of the page and runs when the first chart comes into view. */
function library() {
  drawing ??= new Promise((resolve, reject) => {
    const element = make("script", {});
    element.textContent = held("drawing");
    document.head.append(element); // runs now
    if (window.memtailDraw) resolve(window.memtailDraw);
    else reject(new Error("the charting library did not start"));
  });
  return drawing;
}

async function makeInteractive(figure, spec) {
  const place = figure.querySelector(".drawing");
  const interactive = make("div", { class: "interactive" });
  place.before(interactive);
  const draw = await library();
  try {
    await draw(interactive, spec);
    figure.classList.add("is-interactive"); // the still drawing stays, for print
  } catch (error) {
    interactive.remove();
    throw error;
  }
}

function buttons(name, figure, source) {
  const still = figure.querySelector(".drawing > svg");
  const button = (format, run) => {
    const made = make("button",
      { type: "button", class: "plain", "aria-label": `Download ${name} as ${format}` }, format);
    made.addEventListener("click", run);
    return made;
  };
  return make("div", { class: "buttons" },
    button("SVG", () => save(`${name}.svg`, "image/svg+xml", paper(still).text)),
    button("PNG", async () => save(`${name}.png`, "image/png", await png(paper(still)))),
    button("CSV", () => save(`${name}.csv`, "text/csv", source.csv)));
}

function startCharts() {
  const sources = JSON.parse(held("charts"));
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      makeInteractive(target, sources[target.dataset.chart].spec);
    }
  }, { rootMargin: "100px" });
  for (const figure of document.querySelectorAll("[data-chart]")) {
    const name = figure.dataset.chart;
    figure.append(buttons(name, figure, sources[name]));
    seen.observe(figure);
  }
}
