// The microphone: opened when first needed, kept for a while between two sentences, then given back.

const KEPT = 60_000; // ms: opening it again takes long enough to swallow a first word
const STARTING = 2000; // ms that the browser's sound may take to start

export class Microphone {
  #context = null;
  #tracks = [];
  #wired = null;
  #letGo = 0;

  /** `onSound(Float32Array, sampleRate)` is called every few milliseconds while `listening` is true. */
  constructor(onSound) {
    this.onSound = onSound;
    this.listening = false;
  }

  get open() {
    return this.#wired !== null;
  }

  /** Asks for the microphone where it is not open yet. Raises a sentence to show. */
  async ready(rate) {
    clearTimeout(this.#letGo);
    if (this.open) return;
    if (!navigator.mediaDevices || !("AudioWorkletNode" in window)) {
      throw new Error("Browsers lend the microphone only to pages from localhost or over HTTPS.");
    }
    const stream = await navigator.mediaDevices
      .getUserMedia({ audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true } })
      .catch((fault) => {
        throw new Error(refusals[fault.name] ?? "The microphone could not be opened.");
      });
    this.#tracks = stream.getTracks();
    const source = this.#source(stream, rate);
    await this.#context.audioWorklet.addModule(new URL("microphone-worklet.js", import.meta.url));
    this.#wired = new AudioWorkletNode(this.#context, "microphone", { numberOfOutputs: 0 });
    this.#wired.port.onmessage = ({ data }) => this.listening && this.onSound(data, this.#context.sampleRate);
    source.connect(this.#wired);
    await Promise.race([this.#context.resume(), new Promise((resolve) => setTimeout(resolve, STARTING))]);
    if (this.#context.state === "running") return;
    this.close();
    throw new Error("The browser’s sound did not start, so it cannot listen either: is there a loudspeaker or headphone?");
  }

  /** Gives the microphone back a minute from now, unless it is asked for again. */
  rest() {
    this.listening = false;
    clearTimeout(this.#letGo);
    this.#letGo = setTimeout(() => this.close(), KEPT);
  }

  close() {
    clearTimeout(this.#letGo);
    this.listening = false;
    this.#tracks.forEach((track) => track.stop());
    this.#context?.close();
    this.#context = this.#wired = null;
  }

  #source(stream, rate) {
    this.#context = new AudioContext({ sampleRate: rate });
    try {
      return this.#context.createMediaStreamSource(stream);
    } catch {
      // Some browsers do not resample a microphone: then its own rate is used, and the server told of it.
      this.#context.close();
      this.#context = new AudioContext();
      return this.#context.createMediaStreamSource(stream);
    }
  }
}

const refusals = {
  NotAllowedError: "The browser was told not to lend the microphone: allow it in the address bar and try again.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "Another program is using the microphone.",
};
