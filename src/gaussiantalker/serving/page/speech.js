// Sound on its way to the avatar: recordings, decoded here and sent a little ahead of their time, and live samples.

const LEAD = 1.5; // s of sound that the server holds in advance: more would only make interrupting wasteful
const PIECE = 0.1; // s sent at once
const PERIOD = 40; // ms between looks at how much is still there
const LARGEST = 300e6; // bytes of a file: beyond it browsers run out of memory while decoding

/** The file's sound as mono samples at this rate; the browser decodes and resamples. Raises a sentence to show. */
export async function decode(file, rate) {
  if (file.size > LARGEST) throw new Error(`“${file.name}” is larger than ${LARGEST / 1e6} MB: please cut it into parts.`);
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error(`This browser finds no sound in “${file.name}”. WAV, MP3, M4A, OGG and FLAC files work.`);
  }
  const mono = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    const samples = sound.getChannelData(channel);
    for (let i = 0; i < mono.length; i++) mono[i] += samples[i] / sound.numberOfChannels;
  }
  return mono;
}

/** Seconds of sound that the server still holds: what it last reported, less what it has played since. */
export class Level {
  #seconds = 0;
  #at = 0;

  get seconds() {
    return Math.max(0, this.#seconds - (performance.now() - this.#at) / 1000);
  }

  set(seconds) {
    this.#seconds = seconds;
    this.#at = performance.now();
  }

  add(seconds) {
    this.set(this.seconds + seconds);
  }
}

/** Gives one recording at a time to the session, paced by what the server has left to play. */
export class Reader {
  #samples = new Float32Array();
  #rate = 1;
  #next = 0;
  #timer = 0;

  constructor(session, level) {
    this.session = session;
    this.level = level;
  }

  /** Whether something is still to be sent or to be said. */
  get busy() {
    return this.#timer !== 0 || this.level.seconds > 0;
  }

  /** Seconds of the recording that have been said. */
  get said() {
    return Math.max(0, this.#next / this.#rate - this.level.seconds);
  }

  say(samples, rate) {
    this.stop();
    this.#samples = samples;
    this.#rate = rate;
    this.#next = 0;
    this.#timer = setInterval(() => this.#feed(), PERIOD);
    this.#feed();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  /** Sends no more, and forgets what was sent and will not be said. */
  breakOff() {
    this.stop();
    this.#next = Math.round(this.said * this.#rate);
  }

  #feed() {
    while (this.#timer && this.level.seconds < LEAD) {
      const piece = this.#samples.subarray(this.#next, this.#next + PIECE * this.#rate);
      this.session.sound(piece, this.#rate);
      this.level.add(piece.length / this.#rate);
      this.#next += piece.length;
      if (this.#next >= this.#samples.length) {
        this.session.send({ type: "segment.end" });
        this.stop();
      }
    }
  }
}

/** Draws the recording as bars, those that have been said in colour. `peaks` are in [0, 1]. */
export function drawWave(canvas, peaks, part) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * scale;
  canvas.height = height * scale;
  const paint = canvas.getContext("2d");
  const colours = getComputedStyle(canvas);
  const step = width / peaks.length;
  paint.scale(scale, scale);
  peaks.forEach((peak, i) => {
    const tall = Math.max(2, peak * height);
    paint.fillStyle = colours.getPropertyValue(i / peaks.length < part ? "--speech" : "--bar");
    paint.beginPath();
    paint.roundRect(i * step, (height - tall) / 2, Math.max(1, step - 2), tall, 2);
    paint.fill();
  });
}

/** The loudest sample in each of `count` equal parts, the loudest of all being 1. */
export function peaksOf(samples, count) {
  const part = Math.max(1, samples.length / count);
  const peaks = Array.from({ length: count }, (_, k) => {
    let peak = 0;
    for (let i = Math.floor(k * part); i < Math.min((k + 1) * part, samples.length); i++) {
      peak = Math.max(peak, Math.abs(samples[i]));
    }
    return peak;
  });
  const loudest = Math.max(...peaks, 1e-4);
  return peaks.map((peak) => peak / loudest);
}
