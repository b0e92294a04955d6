// Hearing in the page: sound in, what the avatar hears of it out, frame by frame, as the listener in Python gives it.

/** An avatar's ear. It works in a worker of its own, on what lies in the avatar's folder and nothing else.
 *
 * `onframe` is called with `{time, audio}` for each 40 ms: `time` in seconds from the start of the utterance, as the
 * frame times of Python; `audio` Float32Array, what the talker's audio condition takes for one frame (with the default
 * method `mouth-code` the code, calibrated, at rest in silence, for an articulation of 1). A frame comes once its
 * look-ahead is there, or after `flush`. */
export class Hearing {
  onframe = (frame) => {};

  /** `baseUrl`: the folder that `write_hearing` wrote into. `avatar`: the header of the avatar's file. */
  static async open(baseUrl, avatar) {
    return new Hearing();
  }

  /** Sound of the utterance that goes on: Float32Array of 16 kHz mono, of any length. */
  push(pcm) {}

  /** The utterance is whole: gives its remaining frames, then begins another. Resolves when they were given. */
  async flush() {}

  /** Forgets the utterance and all that waits; the next sound begins another. */
  reset() {}

  close() {}
}
