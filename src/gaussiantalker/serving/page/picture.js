// The avatar's picture and sound: over WebRTC, or as an MP4 stream where WebRTC finds no way through; or drawn here.

import { draw } from "./drawing.js";
import { stream } from "./stream.js";
import { connect } from "./whep.js";

const PATIENCE = 4; // s that a way may take to connect
const FIRST = 6; // s that its first picture may take then
const FETCHING = 60; // s that what is drawn here may take to come

/**
 * Shows the session in the video element, with its sound unless it is `muted` or the browser insists that it be.
 * Resolves to `{ means: "webrtc" | "stream" | "drawn", why, offset, close }`: `why` says in words why WebRTC is not used, and
 * `offset()` resolves to the milliseconds by which the sound is ahead of the picture here, NaN where that is unknown.
 * `onLost` is called with a sentence when the picture ends by itself.
 */
export async function watch(session, video, muted, onLost) {
  if (session.info.shows === "coefficients") return drawn(session, video, muted, onLost);
  const ways = { webrtc: connect, stream };
  let why = "";
  for (const [means, open] of Object.entries(ways)) {
    const ending = new AbortController();
    try {
      const offset = await within(PATIENCE, "it did not connect", open(session, video, ending.signal, onLost));
      await within(FIRST, "it brought no picture", play(video, muted));
      return { means, why, offset, close: () => ending.abort() };
    } catch (fault) {
      ending.abort();
      if ([401, 404].includes(fault.status)) throw fault;
      if (means === "stream") throw new Error(`Neither WebRTC nor a stream over HTTP can be used: ${fault.message}.`);
      why = fault.message;
    }
  }
}

async function drawn(session, video, muted, onLost) {
  const ending = new AbortController();
  try {
    const offset = await within(FETCHING, "it did not come", draw(session, video, ending.signal, onLost));
    await within(FIRST, "it brought no picture", play(video, muted));
    return { means: "drawn", why: "", offset, close: () => ending.abort() };
  } catch (fault) {
    ending.abort();
    throw fault.status ? fault : new Error(`The avatar cannot be drawn here: ${fault.message.replace(/\.$/, "")}.`);
  }
}

/** The promise, or an error of these words when it takes longer. */
function within(seconds, otherwise, promise) {
  const late = new Error(`${otherwise} within ${seconds} seconds`);
  const alarm = new Promise((_, reject) => setTimeout(reject, 1000 * seconds, late));
  return Promise.race([promise, alarm]);
}

/** Starts the video with its sound, or muted where the browser insists. Resolves when it shows something. */
export async function play(video, muted) {
  video.muted = muted;
  try {
    await video.play();
  } catch (fault) {
    if (fault.name !== "NotAllowedError" || muted) throw fault;
    video.muted = true;
    await video.play();
  }
}

/** The picture's own colours, as a soft light around it: redrawn a few times a second, once where motion is unwanted. */
export function glow(video, canvas) {
  const paint = canvas.getContext("2d");
  const draw = () => video.videoWidth && !document.hidden && paint.drawImage(video, 0, 0, canvas.width, canvas.height);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) video.addEventListener("loadeddata", draw);
  else setInterval(draw, 400);
}
