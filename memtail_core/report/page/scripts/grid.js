/* A grid of many items of one size; rows are made as they come into view, arrow keys move. */

const OVERSCAN = 2; // rows made beyond those in view

class Grid {
  /**
   * element: the role="grid" that scrolls. The style sheet gives the least size of an item by that
   * of a probe beside it (no width: one item a row) and, as --grow, by how much an item is higher
   * for each pixel that it is wider. fill(cell, item) puts an item into its cell and names the
   * cell; open(item, cell) is called on click and Enter.
   */
  constructor(element, fill, open) {
    Object.assign(this, { element, fill, open });
    this.items = new Int32Array(0);
    this.position = 0; // of the item that Tab leads to
    this.columns = 0;
    this.rows = new Map(); // number → element
    this.probe = make("div", { class: "probe", "aria-hidden": "true" });
    this.body = make("div", { class: "rows", role: "rowgroup" });
    element.replaceChildren(this.body);
    element.after(this.probe);
    element.addEventListener("scroll", () => this.soon(), { passive: true });
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.measure()).observe(element);
  }

  show(items) {
    this.items = items;
    this.position = 0;
    this.element.scrollTop = 0;
    this.element.hidden = items.length === 0;
    this.columns = 0;
    this.measure();
  }

  /** Compute how many items fit in a row; make all rows again if that changed. */
  measure() {
    const least = this.probe.getBoundingClientRect();
    const width = this.body.clientWidth;
    if (!width || !least.height) return; // not visible
    const columns = Math.max(1, Math.floor(width / (least.width || width)));
    const grow = Number(getComputedStyle(this.element).getPropertyValue("--grow"));
    const height = Math.ceil(least.height + grow * (width / columns - least.width));
    if (columns !== this.columns || height !== this.height) {
      const first = this.columns ? Math.floor(this.element.scrollTop / this.height) : 0;
      const kept = first * this.columns;
      this.height = height;
      this.columns = columns;
      const focused = this.element.contains(document.activeElement);
      this.clear();
      this.element.style.setProperty("--columns", columns);
      this.element.style.setProperty("--row-height", `${height}px`);
      this.element.setAttribute("aria-rowcount", this.rowCount);
      this.element.setAttribute("aria-colcount", columns);
      this.body.style.height = `${this.rowCount * height}px`;
      this.element.style.setProperty("--content", `calc(${this.rowCount * height}px + 1.25rem)`);
      this.element.scrollTop = Math.floor(kept / columns) * height;
      this.render();
      if (focused) this.focus(this.position);
    } else this.render();
  }

  get rowCount() {
    return Math.ceil(this.items.length / this.columns);
  }

  clear() {
    this.body.replaceChildren();
    this.rows.clear();
  }

  soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.render();
    });
  }

  render() {
    if (!this.columns) return;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - OVERSCAN);
    const last = Math.min(
      this.rowCount, Math.ceil((scrollTop + clientHeight) / this.height) + OVERSCAN);
    const wanted = new Set();
    for (let row = first; row < last; row++) wanted.add(row);
    // the item that has, or would get, the focus stays
    if (this.items.length) wanted.add(Math.floor(this.position / this.columns));
    for (const [row, element] of this.rows) {
      if (!wanted.has(row)) {
        element.remove();
        this.rows.delete(row);
      }
    }
    for (const row of wanted) if (!this.rows.has(row)) this.insert(row);
  }

  insert(row) {
    const element = make("div", { role: "row", class: "items", "aria-rowindex": row + 1 });
    element.style.top = `${row * this.height}px`;
    const end = Math.min(this.items.length, (row + 1) * this.columns);
    for (let at = row * this.columns; at < end; at++) {
      const cell = make("div", {
        role: "gridcell",
        class: "item",
        "aria-colindex": (at % this.columns) + 1,
        tabindex: at === this.position ? 0 : -1,
      });
      cell.position = at;
      this.fill(cell, this.items[at]);
      element.append(cell);
    }
    const after = [...this.body.children].find((other) => other.row > row);
    element.row = row;
    this.body.insertBefore(element, after ?? null);
    this.rows.set(row, element);
  }

  cell(position) {
    const row = this.rows.get(Math.floor(position / this.columns));
    return row?.children[position % this.columns];
  }

  /** Make an item the one that Tab leads to, and bring it into view. */
  move(position) {
    this.cell(this.position)?.setAttribute("tabindex", -1);
    this.position = Math.max(0, Math.min(this.items.length - 1, position));
    if (!this.columns) return;
    const top = Math.floor(this.position / this.columns) * this.height;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) {
      this.element.scrollTop = top + this.height - clientHeight;
    }
    this.render();
    this.cell(this.position)?.setAttribute("tabindex", 0);
  }

  focus(position) {
    this.move(position);
    this.cell(this.position)?.focus({ preventScroll: true });
  }

  key(event) {
    const at = event.target.position;
    if (at === undefined || event.altKey || event.metaKey) return;
    const { columns } = this, last = this.items.length - 1;
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height)) * columns;
    const start = at - (at % columns);
    const to = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at + columns > last ? at : at + columns,
      ArrowUp: at - columns < 0 ? at : at - columns,
      Home: event.ctrlKey ? 0 : start,
      End: event.ctrlKey ? last : start + columns - 1,
      PageDown: at + page,
      PageUp: at - page,
    }[event.key];
    if (to !== undefined) this.focus(to);
    else if (event.key === "Enter" || event.key === " ") this.open(this.items[at], event.target);
    else return;
    event.preventDefault();
  }

  click(event) {
    const cell = event.target.closest("[role=gridcell]");
    if (!cell || event.target.closest("a")) return;
    this.move(cell.position);
    this.open(this.items[cell.position], cell);
  }
}
