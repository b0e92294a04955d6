// The log-mel spectrogram of Whisper, of sound that arrives in pieces; as gaussiantalker/speech/mel.py computes it.

const WINDOW = 400; // samples, 25 ms
const HOP = 160; // samples, 10 ms
const BINS = WINDOW / 2 + 1;
const BANDS = 80;
const LEAST = 1e-10; // power told apart from none

const COSINES = Float64Array.from({ length: WINDOW }, (_, n) => Math.cos((2 * Math.PI * n) / WINDOW));
const SINES = Float64Array.from({ length: WINDOW }, (_, n) => Math.sin((2 * Math.PI * n) / WINDOW));
const HANN = Float32Array.from(COSINES, (cosine) => 0.5 - 0.5 * cosine);

/** Frame j is centred on sample 160 j and needs the 200 samples after it; silence comes first. */
export class MelStream {
  #pending = new Float32Array(WINDOW / 2);
  #filters; // per band: the first bin and the weights from there

  /** `filters`: the filterbank, Float32Array of [80, 201]. */
  constructor(filters) {
    this.#filters = Array.from({ length: BANDS }, (_, band) => {
      const row = filters.subarray(band * BINS, (band + 1) * BINS);
      const first = row.findIndex((weight) => weight > 0);
      return { first, weights: row.subarray(first, row.findLastIndex((weight) => weight > 0) + 1) };
    });
  }

  /** The frames that these samples complete, Float32Array of 80 bands each: log10 of the power. */
  push(samples) {
    const sound = new Float32Array(this.#pending.length + samples.length);
    sound.set(this.#pending);
    sound.set(samples, this.#pending.length);
    const frames = [];
    let start = 0;
    for (; start + WINDOW <= sound.length; start += HOP) frames.push(this.#frame(sound.subarray(start, start + WINDOW)));
    this.#pending = sound.slice(start);
    return frames;
  }

  #frame(samples) {
    const power = powers(samples);
    return Float32Array.from(this.#filters, ({ first, weights }) => {
      let sum = 0;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * power[first + i];
      return Math.log10(Math.max(sum, LEAST));
    });
  }
}

/** The power of a window in its 201 bins. Samples n and 400 - n go with the same cosine and opposite sines. */
function powers(samples) {
  const half = WINDOW / 2;
  const even = new Float64Array(half);
  const odd = new Float64Array(half);
  for (let n = 1; n < half; n++) {
    const before = Math.fround(HANN[n] * samples[n]);
    const after = Math.fround(HANN[n] * samples[WINDOW - n]);
    even[n] = before + after;
    odd[n] = before - after;
  }
  const middle = HANN[half] * samples[half];
  const out = new Float64Array(BINS);
  for (let bin = 0; bin < BINS; bin++) {
    let real = bin % 2 ? -middle : middle;
    let imaginary = 0;
    for (let n = 1, angle = bin; n < half; n++) {
      real += even[n] * COSINES[angle];
      imaginary += odd[n] * SINES[angle];
      angle += bin;
      if (angle >= WINDOW) angle -= WINDOW;
    }
    out[bin] = real * real + imaginary * imaginary;
  }
  return out;
}
