// The first layers of Whisper's encoder (Radford et al. 2022) on blocks of the mel spectrogram, in WebAssembly.

import { ROWS, products } from "./products.js";

const BANDS = 80;
const RANGE = 8; // Whisper keeps the eight decades below the loudest band
const EPSILON = 1e-5;

/** Blocks in, hidden rows out. Only what the kept rows of the last layer depend on is computed. */
export class Whisper {
  #linear;
  #memory;
  #at = {}; // address of each weight
  #tensors;
  #plan; // { left, hop, right, layers, heads } of the encoder's blocks
  #room = {}; // addresses of what is computed

  /** `tensors` and `plan`: those of hearing.safetensors. */
  static async open(tensors, plan) {
    return new Whisper(await products(), tensors, plan);
  }

  constructor({ linear, memory }, tensors, plan) {
    this.#linear = linear;
    this.#memory = memory;
    this.#tensors = tensors;
    this.#plan = plan;
    this.rows = plan.left + plan.hop + plan.right;
    this.width = tensors["conv1.bias"].length;
    this.channels = plan.layers.length * this.width;
    this.#lay();
  }

  /** Finds every weight and every result its place in the memory of the module. */
  #lay() {
    const [tall, wide] = [this.rows + ROWS, this.width]; // a last tile may be half empty
    const weights = Object.entries(this.#tensors).filter(([name]) => /conv|linear/.test(name));
    const sizes = {
      mel: (2 * tall + 2) * BANDS,
      early: (2 * tall + 2) * wide,
      normed: tall * wide,
      query: tall * wide,
      pairs: tall * 2 * wide, // keys and values
      mixed: tall * wide,
      wider: tall * 4 * wide,
      result: tall * wide,
    };
    let end = 0;
    const place = (length) => (end += 4 * length) - 4 * length;
    for (const [name, length] of Object.entries(sizes)) this.#room[name] = place(length);
    for (const [name, values] of weights) this.#at[name] = place(values.length);
    this.#memory.grow(Math.ceil(end / 65536));
    for (const [name, values] of weights) {
      new Float32Array(this.#memory.buffer, this.#at[name], values.length).set(values);
      delete this.#tensors[name];
    }
  }

  /** The numbers of a result, from row `first` of this width on. */
  #view(name, first = 0, width = this.width) {
    return new Float32Array(this.#memory.buffer, this.#room[name] + 4 * first * width);
  }

  /** Rows of `from` through a linear layer into `to`; rows of `from` are `step` numbers apart. */
  #product(from, to, name, rows, inner, outer, step = inner, first = 0, column = 0) {
    const x = this.#room[from] + 4 * first * step;
    const w = this.#at[`${name}.weight`] + 4 * column * inner;
    const b = this.#at[`${name}.bias`] + 4 * column;
    this.#linear(x, 4 * step, w, b, this.#room[to], ROWS * Math.ceil(rows / ROWS), inner, outer);
  }

  /** The hidden rows that a block is for: `hop` Float32Arrays, the wanted layers side by side. `frames`: its mel frames. */
  encode(frames) {
    const { left, hop, layers } = this.#plan;
    const out = Array.from({ length: hop }, () => new Float32Array(this.channels));
    const last = Math.max(...layers);
    let states = this.#start(frames);
    for (let layer = 0; layer <= last; layer++) {
      if (layer) states = this.#layer(states, `layers.${layer - 1}`, layer === last ? left : 0, layer === last ? hop : this.rows);
      const place = layers.indexOf(layer);
      const kept = layer === last && layer ? states : states.slice(left, left + hop);
      if (place >= 0) kept.forEach((row, k) => out[k].set(row, place * this.width));
    }
    return out;
  }

  /** The convolutions: hidden rows before the first layer. */
  #start(frames) {
    const { rows, width } = this;
    let loudest = -Infinity;
    for (const frame of frames) for (const value of frame) loudest = Math.max(loudest, value);
    const mel = this.#view("mel");
    mel.fill(0, 0, (frames.length + 2) * BANDS); // a frame of zeros before and after
    frames.forEach((frame, t) => {
      for (let i = 0; i < BANDS; i++) mel[(t + 1) * BANDS + i] = (Math.max(frame[i], loudest - RANGE) + 4) / 4;
    });
    const early = this.#view("early");
    early.fill(0, 0, width);
    this.#room.inside = this.#room.early + 4 * width;
    this.#product("mel", "inside", "conv1", 2 * rows, 3 * BANDS, width, BANDS);
    gelu(early.subarray(width, (2 * rows + 1) * width));
    early.fill(0, (2 * rows + 1) * width, (2 * rows + 2) * width);
    this.#product("early", "result", "conv2", rows, 3 * width, width, 2 * width);
    const result = this.#view("result").slice(0, rows * width);
    gelu(result);
    const positions = this.#tensors.positions;
    for (let i = 0; i < result.length; i++) result[i] += positions[i];
    return Array.from({ length: rows }, (_, t) => result.subarray(t * width, (t + 1) * width));
  }

  /** A layer of the transformer: the states [first, first + count) after it, from all before it. */
  #layer(states, name, first, count) {
    const { width } = this;
    const attention = `${name}.self_attention`;
    this.#norm(states, `${attention}.layer_norm`);
    this.#product("normed", "query", `${attention}.linear_0`, count, width, width, width, first);
    this.#product("normed", "pairs", `${attention}.linear_0`, states.length, width, 2 * width, width, 0, width);
    this.#attend(states.length, count);
    this.#product("mixed", "result", `${attention}.linear_1`, count, width, width);
    const between = added(states.slice(first, first + count), this.#view("result"), width);
    this.#norm(between, `${name}.ffn.layer_norm`);
    this.#product("normed", "wider", `${name}.ffn.linear_0`, count, width, 4 * width);
    gelu(this.#view("wider").subarray(0, count * 4 * width));
    this.#product("wider", "result", `${name}.ffn.linear_1`, count, 4 * width, width);
    return added(between, this.#view("result"), width);
  }

  #norm(states, name) {
    const [gain, shift] = [this.#tensors[`${name}.weight`], this.#tensors[`${name}.bias`]];
    const normed = this.#view("normed");
    states.forEach((row, t) => {
      let [mean, square] = [0, 0];
      for (const value of row) mean += value;
      mean /= row.length;
      for (const value of row) square += (value - mean) ** 2;
      const scale = 1 / Math.sqrt(square / row.length + EPSILON);
      for (let i = 0; i < row.length; i++) normed[t * row.length + i] = (row[i] - mean) * scale * gain[i] + shift[i];
    });
  }

  /** What `count` queries find among the keys and values of all rows. */
  #attend(rows, count) {
    const { width } = this;
    const size = width / this.#plan.heads;
    const [query, pairs, mixed] = [this.#view("query"), this.#view("pairs"), this.#view("mixed")];
    const weights = new Float64Array(rows);
    mixed.fill(0, 0, count * width);
    for (let t = 0; t < count; t++) {
      for (let from = t * width; from < (t + 1) * width; from += size) {
        const head = from - t * width;
        let [largest, total] = [-Infinity, 0];
        for (let s = 0; s < rows; s++) {
          let product = 0;
          for (let i = 0, key = 2 * s * width + head; i < size; i++) product += query[from + i] * pairs[key + i];
          weights[s] = product / Math.sqrt(size);
          largest = Math.max(largest, weights[s]);
        }
        for (let s = 0; s < rows; s++) total += weights[s] = Math.exp(weights[s] - largest);
        for (let s = 0; s < rows; s++) {
          const weight = weights[s] / total;
          for (let i = 0, value = (2 * s + 1) * width + head; i < size; i++) mixed[from + i] += weight * pairs[value + i];
        }
      }
    }
  }
}

function added(states, more, width) {
  return states.map((row, t) => row.map((value, i) => value + more[t * width + i]));
}

/** x Φ(x) in place, Φ by the rational approximation 7.1.26 of Abramowitz and Stegun: within 1e-7 of it. */
function gelu(values) {
  for (let i = 0; i < values.length; i++) {
    const x = values[i];
    const far = Math.abs(x) * Math.SQRT1_2;
    const t = 1 / (1 + 0.3275911 * far);
    const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    const tail = 0.5 * sum * Math.exp(-far * far);
    values[i] = x * (x > 0 ? 1 - tail : tail);
  }
}
