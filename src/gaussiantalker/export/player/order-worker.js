// In which order Gaussians are drawn, far ones first: worked out beside the page, for coefficients and a pose.

import { placesOf } from "./avatar.js";
import { halves } from "./tensors.js";

const KEYS = 1 << 16;
const counts = new Uint32Array(KEYS + 1);
let head = null;

/** First `{means, bases, reach, moved}`, once; then `{coefficients, pose}`, each answered by `{order, milliseconds}`. */
self.onmessage = ({ data }) => {
  if (data.means) {
    head = prepare(data);
    return;
  }
  const begun = performance.now();
  const order = sort(depths(data.coefficients, data.pose));
  self.postMessage({ order, milliseconds: performance.now() - begun }, [order.buffer]);
};

/** Of the bases only what moves places: Int8Array [K, 3 M]. */
function prepare({ means, bases: { data, shape: [count, moving, columns] }, reach, moved }) {
  const across = [0, 1, 2].map((place) => placesOf(moved).indexOf(place));
  const far = halves(reach);
  const bases = new Int8Array(across[0] < 0 ? 0 : 3 * count * moving);
  const units = Float32Array.from({ length: 3 * moving }, (_, i) => far[Math.floor(i / 3) * columns + across[i % 3]] / 127);
  for (let i = 0; i < bases.length; i += 1) bases[i] = data[Math.floor(i / 3) * columns + across[i % 3]];
  return { means, bases, units, moves: new Float32Array(3 * moving), found: new Float32Array(means.length / 3) };
}

function depths(coefficients, pose) {
  const { means, bases, units, moves, found } = head;
  const size = moves.length;
  moves.fill(0);
  for (let k = 0, at = 0; at < bases.length; k += 1) {
    const much = coefficients[k];
    for (let i = 0; i < size; i += 1) moves[i] += much * bases[at++];
  }
  const [x, y, z, far] = pose.subarray(8, 12);
  for (let g = 0, i = 0; g < found.length; g += 1, i += 3) {
    found[g] = x * means[i] + y * means[i + 1] + z * means[i + 2] + far;
    if (i < size) found[g] += x * moves[i] * units[i] + y * moves[i + 1] * units[i + 1] + z * moves[i + 2] * units[i + 2];
  }
  return found;
}

/** Numbers from the largest to the smallest, by counting; of equals, the first is nearest. */
function sort(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = (KEYS - 1) / Math.max(high - low, 1e-9);
  const keys = Uint16Array.from(values, (value) => (high - value) * scale);
  counts.fill(0);
  for (const key of keys) counts[key + 1] += 1;
  for (let key = 0; key < KEYS; key += 1) counts[key + 1] += counts[key];
  const order = new Uint32Array(values.length);
  for (let g = values.length - 1; g >= 0; g -= 1) order[counts[keys[g]]++] = g;
  return order;
}
