// From speech to the mouth code: one person's regression, as gaussiantalker/talker/mouth_reader.py computes it.

/** A linear map from windows of speech rows to a code, and the curves that give it the person's range. */
export class MouthReader {
  #weights; // [numbers of a window, codes]
  #curves; // of each code: what is heard, rising, and what is shown for it

  /** As `Ear.open` takes them. */
  constructor({ weights, heard, shown, codes }) {
    this.#weights = weights;
    this.codes = codes;
    const column = (values, code) => values.filter((_, i) => i % codes === code);
    this.#curves = Array.from({ length: this.codes }, (_, code) => [column(heard, code), column(shown, code)]);
  }

  /** The code of a window of rows, of which those without speech are `null`. */
  read(rows) {
    const guess = new Float64Array(this.codes);
    let spoken = 0;
    rows.forEach((row, r) => {
      if (!row) return;
      spoken += 1 / rows.length;
      for (let i = 0, w = r * row.length * this.codes; i < row.length; i++) {
        for (let code = 0; code < this.codes; code++) guess[code] += row[i] * this.#weights[w++];
      }
    });
    const drawn = Math.min(2 * spoken, 1); // towards the mouth at rest where there is little speech
    return Float32Array.from(guess, (value, code) => drawn * interpolated(value, ...this.#curves[code]));
  }
}

/** Between the points of a curve; its ends stay beyond them. */
function interpolated(value, from, to) {
  if (value < from[0]) return to[0];
  if (value >= from.at(-1)) return to.at(-1);
  const k = from.findIndex((_, i) => from[i + 1] > value);
  return to[k] + ((value - from[k]) / (from[k + 1] - from[k])) * (to[k + 1] - to[k]);
}
