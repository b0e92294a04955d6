// What the avatar says: sound that is played, what is heard of it, and the one clock that both follow.

import { TalkingHeadError } from "./avatar.js";
import { Resampler } from "./resampler.js";

const RATE = 16000;
const FPS = 25;
const PIECE = 1; // seconds that are heard at once
const AHEAD = 0.6; // seconds that must have been heard before the sound begins
const STOCK = 8; // seconds that are heard before they are played, at most
const PATIENCE = 1500; // ms for the browser's sound to start
const MARGIN = 0.2; // seconds beyond the look-ahead by which live sound is delayed, so that hearing keeps up
const RELEASE = 0.5;
const REST = 0.05; // of a mouth that comes to rest: each frame so much is left, until there is less than this

/** One voice, one utterance at a time. `hearing` as in hearing.js; `silence` what is heard in silence. */
export class Voice extends EventTarget {
  #hearing;
  #lookahead;
  #silence;
  #context = null;
  #utterance = null;
  #shown;
  #deaf = false; // then the avatar speaks with a still mouth

  constructor(hearing, { channels, lookahead }) {
    super();
    this.#hearing = hearing;
    this.#lookahead = lookahead;
    this.#silence = new Float32Array(channels);
    this.#shown = this.#silence;
    hearing.onerror = ({ message }) => {
      this.#deaf = true;
      this.dispatchEvent(new CustomEvent("deaf", { detail: message }));
    };
    hearing.onframe = ({ time, audio }) => this.#utterance?.heard.set(Math.floor(time * FPS + 1e-6), audio);
  }

  /** The sound's clock: made when first asked for, running or not. */
  get context() {
    this.#context ??= new AudioContext();
    return this.#context;
  }

  /** The frame of the utterance that is heard now; null where none is. */
  get frame() {
    const { start = null } = this.#utterance ?? {};
    if (start === null) return null;
    const late = this.context.outputLatency || this.context.baseLatency || 0;
    const seconds = this.context.currentTime - start - late;
    return seconds < 0 ? null : Math.floor(seconds * FPS + 1e-6);
  }

  /** What is heard in a frame of the utterance, or how the mouth comes to rest where nothing is. */
  audio(frame) {
    const { heard } = this.#utterance ?? {};
    const found = frame === null ? undefined : heard?.get(frame);
    if (heard && frame !== null) for (const old of heard.keys()) if (old < frame) heard.delete(old);
    this.#shown = found ?? fading(this.#shown);
    return this.#shown;
  }

  /** Starts the clock. Raises where the browser lets no page sound before it was touched. */
  async wake() {
    const { context } = this;
    await Promise.race([context.resume(), new Promise((resolve) => { setTimeout(resolve, PATIENCE); })]);
    if (context.state !== "running") {
      throw new TalkingHeadError("autoplay", "The browser plays no sound yet: click on the page, then let it speak.");
    }
  }

  /** Says an AudioBuffer; resolves when it is said (true) or was interrupted (false). */
  async speak(buffer) {
    this.interrupt();
    const utterance = this.#begin();
    const resampler = new Resampler(buffer.sampleRate, RATE);
    let pushed = 0;
    const total = buffer.length;
    const size = PIECE * buffer.sampleRate;
    const pump = () => {
      const now = utterance.start === null ? 0 : this.context.currentTime - utterance.start;
      for (; pushed < total && pushed < (now + STOCK) * buffer.sampleRate; pushed += size) {
        this.#hearing.push(resampler.push(mono(buffer, pushed, Math.min(pushed + size, total))));
        if (pushed + size >= total) {
          this.#hearing.push(resampler.push(new Float32Array(Math.ceil(0.01 * buffer.sampleRate))));
          this.#hearing.flush();
        }
      }
    };
    pump();
    utterance.timer = setInterval(pump, 250);
    const enough = Math.floor(Math.min(AHEAD, buffer.duration) * FPS);
    while (utterance === this.#utterance && utterance.heard.size < enough && !this.#deaf) await tick();
    if (utterance !== this.#utterance) return false;

    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    utterance.sources.push(source);
    utterance.start = this.context.currentTime + 0.02;
    source.start(utterance.start);
    this.#announce(utterance);
    return new Promise((resolve) => {
      utterance.done = resolve;
      source.onended = () => this.#end(utterance, true);
    });
  }

  /** Says what a MediaStream brings, a moment later; resolves when it ends (true) or was interrupted (false). `play`:
   * whether the page sounds it, too. */
  async listen(stream, play = true) {
    this.interrupt();
    const { context } = this;
    const utterance = this.#begin();
    const delay = this.#lookahead + MARGIN;
    await context.audioWorklet.addModule(new URL("microphone-worklet.js", import.meta.url));
    if (utterance !== this.#utterance) return false;
    const source = context.createMediaStreamSource(stream);
    const collector = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
    source.connect(collector);
    utterance.sources.push(source, collector);
    if (play) {
      const later = new DelayNode(context, { delayTime: delay, maxDelayTime: delay + 0.1 });
      source.connect(later).connect(context.destination);
      utterance.sources.push(later);
    }
    const resampler = new Resampler(context.sampleRate, RATE);
    collector.port.onmessage = ({ data: { samples, until } }) => {
      if (utterance !== this.#utterance) return;
      if (utterance.start === null) {
        utterance.start = until - samples.length / context.sampleRate + delay;
        this.#announce(utterance);
      }
      this.#hearing.push(resampler.push(samples));
    };
    return new Promise((resolve) => {
      utterance.done = resolve;
      for (const track of stream.getAudioTracks()) track.addEventListener("ended", () => this.#end(utterance, true));
    });
  }

  /** Falls silent at once. */
  interrupt() {
    if (this.#utterance) this.#end(this.#utterance, false);
  }

  close() {
    this.interrupt();
    this.#hearing.close();
    this.#context?.close();
    this.#context = null;
  }

  #begin() {
    this.#hearing.reset();
    this.#utterance = { heard: new Map(), start: null, sources: [], timer: 0, told: false, done: () => {} };
    return this.#utterance;
  }

  #announce(utterance) {
    utterance.told = true;
    this.dispatchEvent(new Event("speech-start"));
  }

  #end(utterance, whole) {
    if (utterance !== this.#utterance) return;
    this.#utterance = null;
    clearInterval(utterance.timer);
    for (const node of utterance.sources) {
      node.onended = null;
      node.disconnect();
      node.stop?.();
    }
    this.#hearing.reset();
    if (utterance.told) this.dispatchEvent(new Event("speech-end"));
    utterance.done(whole);
  }
}

const tick = () => new Promise((resolve) => { setTimeout(resolve, 20); });

function fading(heard) {
  const after = heard.map((value) => RELEASE * value);
  return after.some((value) => Math.abs(value) > REST) ? after : after.fill(0);
}

/** A stretch of a buffer, its channels averaged. */
function mono(buffer, from, to) {
  const out = new Float32Array(to - from);
  for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < out.length; i += 1) out[i] += samples[from + i] / buffer.numberOfChannels;
  }
  return out;
}
