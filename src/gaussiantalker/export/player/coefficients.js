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
      const told = { mouth: () => mouth, eye: () => eyes(blink), camera: () => less(pose, of("camera.mean")) }[name]();
      add(hidden, of(`${name}.outer`), product(of(`${name}.inner`), told).map((value) => Math.max(0, value)));
    }
    const again = layer(of("second.weight"), of("second.bias"), hidden.map(silu)).map(silu);
    const found = layer(of("third.weight"), of("third.bias"), again);
    const [low, high] = [of("low"), of("high")];
    return Float32Array.from(found, (value, k) => Math.min(Math.max(value, low[k]), high[k]));
  }

  /** Of the torso, for a pose and the slow part of it, 9 standardised numbers. */
  torso(pose, sway) {
    const of = (name) => this.#of(`torso.${name}`);
    const limit = this.#facts.torso.limit;
    const [mean, scale] = [of("pose_mean"), of("pose_scale")];
    const now = poseNumbers(pose).map((value, i) => (value - mean[i]) / scale[i]);
    const told = Float64Array.from([...now, ...sway], (value) => limit * Math.tanh(value / limit));
    const hidden = layer(of("weights.0.weight"), of("weights.0.bias"), told).map(silu);
    return Float32Array.from(layer(of("weights.2.weight"), of("weights.2.bias"), hidden));
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
const less = (values, mean) => Array.from(values, (value, i) => value - mean[i]);

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
