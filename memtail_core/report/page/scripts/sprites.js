/* Thumbnails, cut from sheets that are decoded when one of their thumbnails comes into view. */

class Sprites {
  constructor(side, sheet) {
    this.side = side;
    this.sheet = sheet;
    this.position = sheet && whole(sheet.position, Int32Array);
    this.loaded = new Map(); // sheet number → a promise, later the image
  }

  /** The picture of an example, drawn now or as soon as its sheet is decoded. */
  picture(i) {
    const { width, height } = this.sheet;
    const small = Math.max(width, height) <= 64;
    const canvas = make("canvas", { class: small ? "picture pixels" : "picture", width, height });
    const cell = this.position[i];
    if (cell < 0) return make("span", { class: "picture none" }, "no picture");
    const perSheet = this.sheet.columns * this.sheet.rows;
    const number = Math.floor(cell / perSheet);
    const image = this.loaded.get(number);
    if (image instanceof Image) this.draw(canvas, image, cell % perSheet);
    else this.load(number).then((found) => this.draw(canvas, found, cell % perSheet));
    return canvas;
  }

  draw(canvas, image, cell) {
    const { width, height, columns } = this.sheet;
    const left = (cell % columns) * width, top = Math.floor(cell / columns) * height;
    canvas.getContext("2d").drawImage(image, left, top, width, height, 0, 0, width, height);
  }

  load(number) {
    if (!this.loaded.has(number)) this.loaded.set(number, this.decode(number));
    return this.loaded.get(number);
  }

  async decode(number) {
    const data = bytes(held(`sheet-${this.side}-${number}`));
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([data], { type: this.sheet.type }));
    await image.decode();
    this.loaded.set(number, image);
    return image;
  }
}
