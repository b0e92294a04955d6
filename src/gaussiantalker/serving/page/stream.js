// The fallback without UDP: the server's endless MP4, fed to the video element piece by piece so that it stays live.

const RESERVE = 0.2; // s of what has arrived that shall still be unseen when more arrives
const BEHIND = 1.0; // s of such reserve from which the picture jumps forward
const WINDOW = 2000; // ms over which the smallest reserve counts: pieces arrive in bursts
const KEPT = 10; // s of the past that are kept, so that memory stays bounded

/** Shows the session's MP4 stream in the video element until the signal; resolves when it has begun to come.
 * To what measures the offset: nothing does, and one element plays both by one clock. */
export async function stream(session, video, signal, onLost) {
  const Source = window.ManagedMediaSource ?? window.MediaSource;
  if (!Source) throw new Error("this browser shows no live MP4");
  const answer = await session.server.ask(session.info.stream, { signal });
  const reader = answer.body.getReader();
  const { start, type } = await beginning(reader);
  const source = new Source();
  video.disableRemotePlayback = true; // Without it a managed source does not open.
  video.src = URL.createObjectURL(source);
  const address = video.src;
  signal.addEventListener("abort", () => {
    URL.revokeObjectURL(address);
    if (video.src !== address) return;
    video.playbackRate = 1;
    video.removeAttribute("src");
    video.load();
  });
  await new Promise((resolve) => source.addEventListener("sourceopen", resolve, { once: true }));
  feed(video, source.addSourceBuffer(type), start, reader)
    .catch(() => {})
    .then(() => signal.aborted || onLost("The server's stream ended."));
  return async () => NaN;
}

async function feed(video, buffer, start, reader) {
  const pace = new Pace(video, buffer);
  for (let piece = start; piece; piece = (await reader.read()).value) {
    pace.keep();
    await done(buffer, () => buffer.appendBuffer(piece));
    const past = video.currentTime - KEPT;
    if (buffer.buffered.length && past - buffer.buffered.start(0) > KEPT) await done(buffer, () => buffer.remove(0, past));
  }
}

/** What comes up to and with the description of the codecs, and the type that it describes. */
async function beginning(reader) {
  let start = new Uint8Array();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the server's stream has no picture in it");
    start = joined(start, value);
    const found = indexOf(start, "avcC");
    if (found < 0 || found + 8 > start.length) continue;
    const profile = [...start.slice(found + 5, found + 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return { start, type: `video/mp4; codecs="avc1.${profile},mp4a.40.2"` };
  }
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function indexOf(bytes, name) {
  const letters = [...name].map((letter) => letter.charCodeAt(0));
  return bytes.findIndex((_, i) => letters.every((letter, k) => bytes[i + k] === letter));
}

function done(buffer, change) {
  return new Promise((resolve) => {
    buffer.addEventListener("updateend", resolve, { once: true });
    change();
  });
}

/** Keeps a small reserve between the picture and the newest that has arrived, by playing slower, faster, or jumping. */
class Pace {
  #reserves = []; // of the last moments: { at, seconds }

  constructor(video, buffer) {
    this.video = video;
    this.buffer = buffer;
  }

  /** To be called just before more is added. */
  keep() {
    const { buffered } = this.buffer;
    if (!buffered.length || this.video.paused) return;
    const at = performance.now();
    const seconds = buffered.end(buffered.length - 1) - this.video.currentTime;
    this.#reserves = [...this.#reserves.filter((reserve) => at - reserve.at < WINDOW), { at, seconds }];
    const smallest = Math.min(...this.#reserves.map((reserve) => reserve.seconds));
    if (smallest > BEHIND || smallest < -BEHIND) {
      this.video.currentTime += smallest - RESERVE;
      this.#reserves = [];
    }
    const rate = smallest < RESERVE / 2 ? 0.8 : smallest > 3 * RESERVE ? 1.1 : 1;
    if (this.video.playbackRate !== rate) this.video.playbackRate = rate;
  }
}
