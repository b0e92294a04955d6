// Frames that a server tells in numbers (docs/live.md of GaussianTalker, "Coefficients"), and the sound it sends with them.

import { TalkingHeadError } from "./avatar.js";
import { Resampler } from "./resampler.js";
import { halves } from "./tensors.js";

const FPS = 25;
const RATE = 16000;
const POSE = 12;
const SPARE = 0.15; // seconds that frames wait, so that a late one is no gap
const KEPT = 100; // frames that may wait at most

/** What a socket tells, by one clock: the AudioContext's where there is sound. */
export class Following {
  /** Resolves when the server or `close` ended it: whether it was the server. */
  ended;
  #socket;
  #context;
  #bases;
  #resampler;
  #frames = [];
  #shift = null; // from the frames' own time to the clock's
  #sounded = 0; // until when sound is laid out

  /** `bases`: how many coefficients are the head's; `context`: for its sound, running, or null. */
  constructor(url, bases, context = null) {
    this.#bases = bases;
    this.#context = context;
    this.#resampler = context && new Resampler(RATE, context.sampleRate);
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => this.#take(data);
    let opened = false;
    this.#socket.onopen = () => { opened = true; };
    this.ended = new Promise((resolve, reject) => {
      this.#socket.onclose = () => {
        if (opened) resolve(!this.closed);
        else reject(new TalkingHeadError("server", "The server does not tell this avatar's movements."));
      };
    });
  }

  closed = false;

  close() {
    this.closed = true;
    this.#socket.close();
  }

  get #now() {
    return this.#context ? this.#context.currentTime : performance.now() / 1000;
  }

  /** The frame of this moment, `{number, utterance, pose, head, torso}`; null before the first. */
  get frame() {
    const late = this.#context?.outputLatency || 0;
    while (this.#frames.length > 1 && this.#due(this.#frames[1]) <= this.#now - late) this.#frames.shift();
    return this.#frames[0] ?? null;
  }

  #due({ number }) {
    return number / FPS + this.#shift;
  }

  #take(bytes) {
    const view = new DataView(bytes);
    const [number, utterance] = [view.getUint32(0, true), view.getInt32(4, true)];
    const [count, samples] = [view.getUint16(8, true), view.getUint16(10, true)];
    const pose = new Float32Array(bytes.slice(12, 12 + 4 * POSE));
    const start = 12 + 4 * POSE;
    const coefficients = halves(new Uint16Array(bytes.slice(start, start + 2 * count)));
    const [head, torso] = [coefficients.slice(0, this.#bases), coefficients.slice(this.#bases)];
    const frame = { number, utterance, pose, head, torso };
    if (this.#shift === null || this.#due(frame) < this.#now) this.#shift = this.#now + SPARE - number / FPS;
    this.#frames.push(frame);
    if (this.#frames.length > KEPT) this.#frames.shift();
    if (samples && this.#context) this.#sound(new Int16Array(bytes.slice(start + 2 * count)), this.#due(frame));
  }

  /** Lays out a frame's samples behind those before them. */
  #sound(samples, due) {
    const sound = this.#resampler.push(Float32Array.from(samples, (value) => value / 32768));
    if (!sound.length) return;
    const rate = this.#context.sampleRate;
    const buffer = new AudioBuffer({ length: sound.length, sampleRate: rate });
    buffer.copyToChannel(sound, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#context.destination);
    const follows = Math.abs(this.#sounded - due) < SPARE / 2;
    const start = follows ? this.#sounded : Math.round(due * rate) / rate;
    source.start(start);
    this.#sounded = start + sound.length / rate;
  }
}
