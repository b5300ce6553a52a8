/* Files to download: tables as CSV, charts as SVG and PNG. */

const PNG_SCALE = 3; // pixels of the file for one of the page
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/; // what a spreadsheet would run, as in spreadsheet.py
const NUMBER = /^[+-](\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

function save(name, type, content) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = make("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function csv(columns, rows) {
  const field = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    const runs = typeof value === "string" && FORMULA.test(value) && !NUMBER.test(value);
    const text = runs ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return `${[columns, ...rows].map((row) => row.map(field).join(",")).join("\n")}\n`;
}

/** A chart for a paper: dark ink on white, its size in pixels. */
function paper(svg) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.setAttribute("style", "color: #1c1c1c; background: white");
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

async function png({ text, width, height }) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = make("canvas", { width: PNG_SCALE * width, height: PNG_SCALE * height });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
