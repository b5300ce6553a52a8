/* Starts everything when the page opens. */

function startTabs() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const activate = (chosen) => {
    for (const tab of tabs) {
      const is = tab === chosen;
      tab.setAttribute("aria-selected", is);
      tab.tabIndex = is ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !is;
    }
  };
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => activate(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const next = tabs[(at + step + tabs.length) % tabs.length];
      activate(next);
      next.focus();
      event.preventDefault();
    });
  });
}

/** Mark the section in view in the table of contents. */
function startContents() {
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => {
    return [document.getElementById(link.hash.slice(1)), link];
  }));
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target).setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  for (const part of links.keys()) if (part) seen.observe(part);
}

function startExplorer() {
  const found = decoded(JSON.parse(held("data")));
  const tiles = new Tiles(found);
  const galleries = {};
  const dialog = new ExampleDialog(found, tiles, (side) => galleries[side].items);
  const open = (side, i, opener) => dialog.open(side, i, opener);
  galleries.train = trainGallery(found, tiles, open);
  galleries.test = testGallery(found, tiles, open);
  pairGallery(found, tiles, open);
  // a step in the dialog is a step in the gallery that opened it
  dialog.moved = ({ side, i }) => {
    const { grid, items } = galleries[side];
    if (!dialog.opener || !grid.element.contains(dialog.opener)) return;
    grid.move(items.indexOf(i));
    dialog.opener = grid.cell(grid.position) ?? dialog.opener;
  };
  dialog.returned = ({ side, i }) => {
    const { grid, items } = galleries[side];
    document.getElementById(`tab-${side}`).click();
    grid.measure();
    grid.focus(Math.max(0, items.indexOf(i)));
  };
  for (const picture of document.querySelectorAll("img[data-example]")) {
    picture.addEventListener("click", () => {
      dialog.opener = null;
      location.hash = picture.dataset.example;
    });
  }
  const legend = found.categories.map((key) => CATEGORIES[key] ?? { mark: "•", name: key });
  document.querySelector(".legend").textContent =
    [found.isImages ? "Framed: memorized" : "Orange edge: memorized", ...legend.map(({ mark, name }) => `${mark} ${name}`)].join(" · ");
  dialog.route();
}

try {
  startContents();
  startCharts();
  if (document.getElementById("data")) {
    startTabs();
    startExplorer();
  }
} catch (error) {
  document.documentElement.classList.remove("scripted"); // show what works without a script
  throw error;
}
