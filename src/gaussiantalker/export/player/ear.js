// An avatar's ear: sound in pieces to mouth codes, the same codes however it is divided, as talker/listener.py gives them.

import { Gate } from "./gate.js";
import { MelStream } from "./mel.js";
import { MouthReader } from "./reader.js";
import { KINDS, halves, readTensors } from "./tensors.js";
import { Whisper } from "./whisper.js";

const SAMPLES = 640; // of a frame
const ROWS = 2; // of speech in a frame

/** What can be heard with: opened once, it hears one utterance after another. */
export class Ear {
  /** `file`: the bytes of hearing.safetensors; `mouth`: what the avatar's file says of the reader, `weights`, `heard`,
   * `shown` and `silent_row` as Float32Arrays, how many `codes` it reads, and `future`, rows that it looks ahead. */
  static async open(file, mouth) {
    const { tensors: stored, metadata } = readTensors(file);
    const tensors = {};
    for (const [name, { data }] of Object.entries(stored)) tensors[name] = data instanceof KINDS.F16 ? halves(data) : data;
    const rules = JSON.parse(metadata.rules);
    return new Ear(await Whisper.open(tensors, rules), tensors, rules, mouth);
  }

  constructor(whisper, tensors, rules, mouth) {
    const { early, shortest } = rules.gate;
    this.whisper = whisper;
    this.filters = tensors.filters;
    this.bands = tensors.bands;
    this.reader = new MouthReader(mouth);
    this.silence = mouth.silent_row;
    this.future = mouth.future;
    this.rules = rules;
    this.late = 1 + Math.max(early + shortest, Math.ceil((rules.hop + rules.right) / ROWS)); // frames, at most
    if (this.silence.length !== whisper.channels) throw new Error("The avatar hears with another model: export it again.");
  }

  listen() {
    return new Utterance(this);
  }
}

/** One run of sound: `push` pieces of any size, then `finish`. Codes are Float32Arrays, one for every started frame. */
class Utterance {
  #ear;
  #mel;
  #gate;
  #items; // mel frames that wait for their block
  #block = null; // the rows of the first block in them, once they are wanted
  #marks = []; // that wait for their block
  #rows; // rows for the reader, null in frames without speech
  #samples = 0;
  #frames = 0; // whose rows the reader has got

  constructor(ear) {
    const { before, left, past } = ear.rules;
    this.#ear = ear;
    this.#mel = new MelStream(ear.filters);
    this.#gate = new Gate(ear.rules.gate, ear.bands);
    this.#items = Array.from({ length: 2 * left }, () => new Float32Array(80).fill(before));
    this.#rows = Array(past).fill(null); // silence is before the sound
  }

  push(samples) {
    this.#samples += samples.length;
    this.#hear(samples);
    this.#join(Infinity);
    return this.#read();
  }

  finish() {
    const { future, late } = this.#ear;
    const frames = Math.ceil(this.#samples / SAMPLES);
    this.#hear(new Float32Array((frames + late) * SAMPLES - this.#samples));
    this.#join(frames);
    this.#rows.push(...Array(future + 1 - ROWS).fill(null));
    return this.#read();
  }

  #hear(samples) {
    const frames = this.#mel.push(samples);
    this.#marks.push(...this.#gate.push(frames));
    this.#items.push(...frames);
  }

  /** Rows of frames whose mark and block are there, up to so many frames in all: counted from silence, and none where
   * no speech is. So a block without speech is never encoded. */
  #join(most) {
    const { whisper, rules, silence } = this.#ear;
    while (this.#marks.length && this.#items.length >= 2 * whisper.rows && this.#frames < most) {
      const within = (this.#frames * ROWS) % rules.hop;
      if (this.#marks.shift()) {
        this.#block ??= whisper.encode(this.#items.slice(0, 2 * whisper.rows));
        for (const row of this.#block.slice(within, within + ROWS)) {
          this.#rows.push(row.map((value, i) => value - silence[i]));
        }
      } else {
        this.#rows.push(...Array(ROWS).fill(null));
      }
      this.#frames += 1;
      if (within + ROWS < rules.hop) continue;
      this.#items.splice(0, 2 * rules.hop);
      this.#block = null;
    }
  }

  #read() {
    const length = this.#ear.rules.past + 1 + this.#ear.future;
    const codes = [];
    while (this.#rows.length >= length) {
      codes.push(this.#ear.reader.read(this.#rows.slice(0, length)));
      this.#rows.splice(0, ROWS);
    }
    return codes;
  }
}
