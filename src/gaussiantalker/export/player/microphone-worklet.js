// Collects samples in the audio thread and hands them over every 20 ms, with the time of the first.

class Collector extends AudioWorkletProcessor {
  #piece = new Float32Array(Math.round(sampleRate / 50));
  #filled = 0;

  process([channels]) {
    for (let i = 0; i < (channels[0]?.length ?? 0); i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.#piece[this.#filled++] = sum / channels.length;
      if (this.#filled === this.#piece.length) {
        this.port.postMessage({ samples: this.#piece.slice(), until: currentTime + (i + 1) / sampleRate });
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("microphone", Collector);
