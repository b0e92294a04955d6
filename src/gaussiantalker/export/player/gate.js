// Which frames hold speech: an energy gate on two bands, as gaussiantalker/speech/silence.py says and explains it.

const FPS = 25;
const MEL_FRAMES = 4; // in a frame of 40 ms

/** Marks of frames, one for every four mel frames, that come some frames late. */
export class Gate {
  #rules; // the numbers of silence.py, in decibels and frames
  #bands; // of each band, the weights of the 80 mel bands' powers
  #spectra = [];
  #levels = [];
  #loudest;
  #ahead = [];
  #open = false;
  #silent = false;
  #since;

  /** `bands`: Float32Array of [2, 80]. */
  constructor(rules, bands) {
    this.#rules = rules;
    this.#bands = [bands.subarray(0, 80), bands.subarray(80)];
    this.#loudest = this.#bands.map(() => rules.quietest);
    this.#since = rules.hold;
  }

  /** The marks, true for speech, that these mel frames complete. */
  push(frames) {
    const marks = [];
    for (const frame of frames) {
      this.#spectra.push(this.#bands.map((weights) => power(frame, weights)));
      if (this.#spectra.length < MEL_FRAMES) continue;
      const level = this.#bands.map((_, band) => {
        const mean = this.#spectra.reduce((sum, powers) => sum + powers[band], 0) / MEL_FRAMES;
        return 10 * Math.log10(mean + 1e-12);
      });
      this.#spectra = [];
      this.#hear(level);
      if (this.#ahead.length === this.#rules.early + this.#rules.shortest) marks.push(this.#mark());
    }
    return marks;
  }

  /** Takes the levels of a frame's bands. */
  #hear(level) {
    const rules = this.#rules;
    this.#loudest = this.#loudest.map((loudest, band) => Math.max(level[band], loudest - rules.forget / FPS));
    this.#levels.push(level);
    if (this.#levels.length > rules.memory) this.#levels.shift();
    const margin = this.#open ? rules.stay : rules.open;
    this.#open = level.some((own, band) => {
      const lowest = this.#levels.map((levels) => levels[band]).sort((a, b) => a - b);
      let floor = lowest[Math.min(rules.dropouts, lowest.length) - 1];
      const loudest = this.#loudest[band];
      if (this.#levels.length < rules.memory)
        floor = Math.min(floor, Math.max(rules.first_floor, loudest - rules.first_reach));
      return own > floor + margin && own > Math.max(loudest - rules.reach, rules.quietest);
    });
    this.#ahead.push(this.#open);
    if (this.#ahead.length > rules.early + rules.shortest) this.#ahead.shift();
  }

  /** The mark of the oldest frame that is looked ahead from. */
  #mark() {
    const rules = this.#rules;
    this.#since = this.#ahead[0] ? 0 : this.#since + 1;
    const coming = this.#silent ? this.#ahead.slice(0, rules.early + 1) : this.#ahead;
    this.#silent = this.#since > rules.hold && !coming.some((open) => open);
    return !this.#silent;
  }
}

function power(frame, weights) {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i] * Math.max(10 ** frame[i] - 1e-10, 0);
  return sum;
}
