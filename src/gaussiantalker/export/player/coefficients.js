// From what a frame is told (mouth, eyes, pose) to what its blendshapes are multiplied with.

const EYE_HARMONICS = 3;

/** The networks of an avatar: small, and so run where they are asked. */
export class Coefficients {
  #of;
  #facts;

  constructor({ facts, tensors }) {
    this.#facts = facts;
    this.#of = (name) => tensors[name].data;
  }

  /** Of the head, Float32Array [K]: for a mouth code, a blink from 0 open to 1 shut, and 12 numbers of a pose [3, 4]. */
  head(mouth, blink, pose) {
    const of = (name) => this.#of(`tokens.${name}`);
    const hidden = Float64Array.from(of("bias"));
    for (const name of this.#facts.conditions) {
      const told = { mouth: () => mouth, eye: () => eyes(blink), camera: () => off(pose, of("camera.mean")) }[name]();
      add(hidden, of(`${name}.outer`), product(of(`${name}.inner`), told).map((value) => Math.max(0, value)));
    }
    const again = layer(of("second.weight"), of("second.bias"), hidden.map(silu)).map(silu);
    const found = layer(of("third.weight"), of("third.bias"), again);
    const [low, high] = [of("low"), of("high")];
    return Float32Array.from(found, (value, k) => Math.min(Math.max(value, low[k]), high[k]));
  }

  /** Of the torso, Float32Array: what it does in a frame, `body`, and further what turning a head from its pose `held`
   * to `pose` usually does; `sway` is the slow part of it, 9 standardised numbers. */
  torso({ body, pose, held, sway }) {
    const told = this.#habit(pose, sway);
    const less = this.#habit(held, sway);
    const habits = this.#of("torso.habits");
    const out = Float32Array.from(body);
    told.forEach((value, row) => {
      const further = value - less[row];
      if (further) out.forEach((_, k) => { out[k] += further * habits[(row + 1) * out.length + k]; });
    });
    return out;
  }

  #habit(pose, sway) {
    const [mean, scale] = [this.#of("torso.pose_mean"), this.#of("torso.pose_scale")];
    const { limit } = this.#facts.torso;
    const now = poseNumbers(pose).map((value, i) => (value - mean[i]) / scale[i]);
    return [...now, ...sway].map((value) => limit * Math.tanh(value / limit));
  }
}

/** Two columns of the rotation and the translation, of a pose [3, 4]. */
export function poseNumbers(p) {
  return [p[0], p[4], p[8], p[1], p[5], p[9], p[3], p[7], p[11]];
}

/** A quarter period and its harmonics, counted from the open eye. */
function eyes(blink) {
  const angles = Array.from({ length: EYE_HARMONICS }, (_, k) => ((blink * Math.PI) / 2) * (k + 1));
  return [...angles.map(Math.sin), ...angles.map((angle) => Math.cos(angle) - 1)];
}

const silu = (x) => x / (1 + Math.exp(-x));
const off = (values, mean) => Array.from(values, (value, i) => value - mean[i]);

function product(weights, values) {
  const out = new Float64Array(weights.length / values.length);
  add(out, weights, values);
  return out;
}

function layer(weights, bias, values) {
  const out = Float64Array.from(bias);
  add(out, weights, values);
  return out;
}

/** Adds weights [out, in] times values [in]. */
function add(out, weights, values) {
  const width = values.length;
  if (weights.length !== out.length * width) throw new RangeError(`${weights.length} weights for ${width} values`);
  for (let row = 0, at = 0; row < out.length; row += 1) {
    let sum = 0;
    for (let i = 0; i < width; i += 1) sum += weights[at++] * values[i];
    out[row] += sum;
  }
}
