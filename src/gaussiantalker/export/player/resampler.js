// Sound of any rate at another one, as it comes.

const LOBES = 16; // of the windowed sinc, to either side
const STEPS = 512; // of its table, for each lobe

/** `push` takes pieces of mono sound and gives what they are at the other rate, half a millisecond or two later. */
export class Resampler {
  #ratio;
  #reach;
  #table;
  #kept;
  #at;

  constructor(from, to) {
    this.#ratio = from / to;
    const stretch = Math.max(this.#ratio, 1);
    this.#reach = Math.ceil(LOBES * stretch);
    this.#table = Float32Array.from({ length: this.#reach * STEPS + 2 }, (_, i) => kernel(i / STEPS / stretch) / stretch);
    this.#kept = new Float32Array(this.#reach); // silence is before the sound
    this.#at = this.#reach;
  }

  push(samples) {
    const all = new Float32Array(this.#kept.length + samples.length);
    all.set(this.#kept);
    all.set(samples, this.#kept.length);
    const out = [];
    for (; this.#at + this.#reach + 1 < all.length; this.#at += this.#ratio) out.push(this.#sample(all, this.#at));
    const done = Math.max(Math.floor(this.#at) - this.#reach, 0);
    this.#kept = all.slice(done);
    this.#at -= done;
    return Float32Array.from(out);
  }

  #sample(all, at) {
    let sum = 0;
    for (let i = Math.ceil(at) - this.#reach; i <= at + this.#reach; i += 1) {
      const place = Math.abs(at - i) * STEPS;
      const step = Math.floor(place);
      sum += all[i] * (this.#table[step] + (place - step) * (this.#table[step + 1] - this.#table[step]));
    }
    return sum;
  }
}

/** A sinc under a Hann window, 1 in the middle. */
function kernel(x) {
  if (x >= LOBES) return 0;
  const window = 0.5 + 0.5 * Math.cos((Math.PI * x) / LOBES);
  return x < 1e-9 ? 1 : (window * Math.sin(Math.PI * x)) / (Math.PI * x);
}
