// Numbers that are alive: the latest, and a line of the last minute.

const KEPT = 60;

export class Gauge {
  #values = [];

  /** `isPoor(value)` says when the number deserves attention; `top` is the least value at the line's upper edge. */
  constructor(element, { digits = 0, top, isPoor = () => false }) {
    Object.assign(this, { element, digits, top, isPoor });
    this.number = element.querySelector("b");
    this.line = element.querySelector("polyline");
  }

  /** Anything but a finite number is shown as a dash, and leaves the line as it is. */
  show(value) {
    const known = Number.isFinite(value);
    this.number.textContent = known ? this.#written(value) : "–";
    this.element.classList.toggle("poor", known && this.isPoor(value));
    if (!known) return;
    this.#values = [...this.#values, value].slice(-KEPT);
    const highest = Math.max(this.top, ...this.#values.map(Math.abs));
    const start = KEPT - this.#values.length;
    const points = this.#values.map((y, i) => `${start + i},${(19 - (18 * Math.abs(y)) / highest).toFixed(1)}`);
    this.line.setAttribute("points", points.join(" "));
  }

  #written(value) {
    const digits = Math.abs(value).toFixed(this.digits);
    return value < 0 && Number(digits) ? `−${digits}` : digits;
  }
}

/** Counts the pictures that a video element shows, per second since the last call. */
export class PictureCounter {
  #pictures = 0;
  #since = performance.now();

  constructor(video) {
    const count = () => {
      this.#pictures++;
      video.requestVideoFrameCallback(count);
    };
    this.canCount = "requestVideoFrameCallback" in video;
    if (this.canCount) video.requestVideoFrameCallback(count);
  }

  /** NaN where the browser cannot tell. */
  rate() {
    const [pictures, since] = [this.#pictures, this.#since];
    this.#pictures = 0;
    this.#since = performance.now();
    return this.canCount && !document.hidden ? (1000 * pictures) / (this.#since - since) : NaN;
  }
}
