// Hearing in the page: sound in, what the avatar hears of it out, frame by frame, as the listener in Python gives it.

const PIECE = 2560; // samples, four frames: what is worked on at once, so that `reset` need not wait for long
const SAMPLES = 640; // of a frame
const RATE = 16000;
const ROW_MS = 20;

/** An avatar's ear. It works in a worker of its own, on what lies in the avatar's folder and nothing else.
 *
 * `onframe` is called with `{time, audio}` for each 40 ms: `time` in seconds from the start of the utterance, as the
 * frame times of Python; `audio` Float32Array, what the talker's audio condition takes for one frame (with the default
 * method `mouth-code` the code, calibrated, at rest in silence, for an articulation of 1). A frame comes once its
 * look-ahead is there, or after `flush`. */
export class Hearing {
  onframe = (frame) => {};

  /** Called when it fails in the middle: nothing more comes. */
  onerror = (fault) => {};

  #worker;
  #waiting = []; // what the worker has not been given: { kind, pcm, done }
  #working = false;
  #answered; // of the one thing that the worker is at
  #run = 0; // of sound, counted by resets
  #frames = 0; // given of this utterance

  /** `baseUrl`: the folder that `write_hearing` wrote into. `avatar`: its `facts` and `tensors`, as `fetchAvatar` gives
   * them. Rejects with a sentence when a file is missing, or when the browser has no WebAssembly with vectors. */
  static async open(baseUrl, { facts, tensors }) {
    const names = ["weights", "heard", "shown", "silent_row"];
    const mouth = Object.fromEntries(names.map((name) => [name, tensors[`listener.${name}`].data]));
    mouth.codes = facts.speech.channels;
    mouth.future = facts.speech.lookahead_ms / ROW_MS - 1;
    const hearing = new Hearing();
    try {
      await hearing.#ask({ kind: "open", base: new URL(baseUrl, location.href).href, mouth });
    } catch (error) {
      hearing.close();
      throw error;
    }
    return hearing;
  }

  constructor() {
    this.#worker = started(new URL("hearing-worker.js", import.meta.url));
    this.#worker.onmessage = ({ data: { codes, error } }) =>
      error === undefined ? this.#answered.resolve(codes) : this.#answered.reject(new Error(error));
    this.#worker.onerror = () => this.#answered.reject(new Error("The worker that hears could not be started."));
  }

  /** Sound of the utterance that goes on: Float32Array of 16 kHz mono, of any length. */
  push(pcm) {
    for (let start = 0; start < pcm.length; start += PIECE) {
      this.#enqueue({ kind: "push", pcm: pcm.slice(start, start + PIECE) });
    }
  }

  /** The utterance is whole: gives its remaining frames, then begins another. Resolves when they were given. */
  async flush() {
    await new Promise((done) => this.#enqueue({ kind: "finish", done }));
  }

  /** Forgets the utterance and all that waits; the next sound begins another. */
  reset() {
    this.#run += 1;
    for (const { done } of this.#waiting.splice(0)) done?.();
    this.#enqueue({ kind: "reset" });
  }

  close() {
    this.#run += 1;
    this.#worker.terminate();
    for (const { done } of this.#waiting.splice(0)) done?.();
  }

  #enqueue(message) {
    this.#waiting.push(message);
    if (!this.#working) this.#work().catch((fault) => this.onerror(fault));
  }

  /** Gives the worker one thing after another, and their frames to who listens. */
  async #work() {
    this.#working = true;
    while (this.#waiting.length) {
      const { kind, pcm, done } = this.#waiting.shift();
      const run = this.#run;
      if (kind === "reset") this.#frames = 0;
      const codes = await this.#ask({ kind, pcm });
      for (const audio of codes) {
        if (run !== this.#run) break;
        this.onframe({ time: (this.#frames++ * SAMPLES) / RATE, audio });
      }
      if (kind === "finish") this.#waiting.unshift({ kind: "reset" });
      done?.();
    }
    this.#working = false;
  }

  #ask(message) {
    this.#worker.postMessage(message, message.pcm ? [message.pcm.buffer] : []);
    return new Promise((resolve, reject) => (this.#answered = { resolve, reject }));
  }
}

/** A worker from this address, which may be another server's than the page's: then it is imported by one of the page's. */
function started(address) {
  if (address.origin === location.origin) return new Worker(address, { type: "module" });
  const source = URL.createObjectURL(new Blob([`import ${JSON.stringify(address.href)};`], { type: "text/javascript" }));
  return new Worker(source, { type: "module" });
}
