// The page: one session after another, its picture, what is said to it, and what it tells of itself.

import { Gauge, PictureCounter } from "./gauges.js";
import { Microphone } from "./microphone.js";
import { glow, play, watch } from "./picture.js";
import { Server, Session } from "./session.js";
import { Level, Reader, decode, drawWave, peaksOf } from "./speech.js";
import { Head, drawHead, hold, inWords } from "./steering.js";

const RATE = 16000; // Hz of what is sent
const BARS = 56; // of a recording's drawing
const NEWS = 12_000; // ms that a message is shown which asks for nothing
const STEERS = ["blink", "blink-auto", "articulation", "background", "colour"];
const HUSHED = 0.25; // the avatar's volume while the microphone is open, lest it hears itself

const at = (id) => document.getElementById(id);
const page = document.documentElement;
const video = at("video");
const server = new Server();
const level = new Level();
const head = new Head((update) => live?.session.send({ type: "session.update", ...update }));
const microphone = new Microphone(fromMicrophone);
const pictures = new PictureCounter(video);
const gauges = {
  latency: new Gauge(at("latency"), { top: 300, isPoor: (ms) => ms > 600 }),
  offset: new Gauge(at("offset"), { top: 60, isPoor: (ms) => Math.abs(ms) > 60 }),
  fps: new Gauge(at("fps"), { top: 25, isPoor: (fps) => fps < 20 }),
  buffer: new Gauge(at("buffer"), { digits: 1, top: 2 }),
};

let live = null; // { session, reader, view, metrics } from the session's first answer to its end
let recording = null; // { name, samples, peaks }
let attempt = 0; // counts beginnings and ends, so that what is overtaken by another gives up
let holding = false; // the microphone's button
let mutedByHand = false;
let fading = 0; // the timer that takes a message away

// ---- a session, from its beginning to its end

async function begin() {
  finish();
  const mine = attempt;
  const stillMine = () => mine === attempt;
  show("connecting", "Connecting", "Waking the avatar …");
  tell("");
  try {
    await offerAvatars();
    const session = await Session.open(server, at("avatar").value, at("shows").value);
    if (!stillMine()) return session.close();
    live = { session, reader: new Reader(session, level), view: null, metrics: null };
    listen(session);
    at("text-form").hidden = !session.info.reads;
    at("frame").style.setProperty("--aspect", session.info.width / session.info.height);
    await session.opened;
    const view = await watch(session, video, mutedByHand, (why) => stillMine() && fail(why));
    if (!stillMine()) return view.close();
    live.view = view;
    session.send({ type: "session.update", ...head.update, background: background() });
    page.dataset.means = view.means;
    show("live", "Live");
    if (view.why) tell(`WebRTC is not used (${view.why}): the picture comes as a stream over HTTP, a little later.`);
  } catch (fault) {
    if (!stillMine()) return;
    if (fault.status === 401) ask();
    else fail(fault.message);
  }
}

async function offerAvatars() {
  if (at("avatar").length) return;
  const { avatars } = await (await server.ask("/v1/avatars")).json();
  at("avatar").replaceChildren(...avatars.map(({ name }) => new Option(name)));
  at("avatar-choice").hidden = avatars.length < 2;
  const { backgrounds } = await (await server.ask("/v1/backgrounds")).json();
  at("background").append(...backgrounds.map((name) => new Option(name)));
}

function listen(session) {
  const on = (type, does) => session.addEventListener(type, ({ detail }) => session === live?.session && does(detail));
  on("speech.started", () => (page.dataset.speaking = ""));
  on("speech.ended", ({ interrupted }) => {
    delete page.dataset.speaking;
    if (interrupted) level.set(0);
  });
  on("buffer.level", ({ seconds }) => level.set(seconds));
  on("metrics", (metrics) => (live.metrics = metrics));
  on("error", ({ title, detail }) => tell(detail || title, true));
  on("over", fail);
}

function finish() {
  attempt++;
  hush();
  live?.reader.stop();
  live?.view?.close();
  live?.session.close();
  live = null;
  level.set(0);
  delete page.dataset.means;
  delete page.dataset.speaking;
}

function fail(sentence) {
  finish();
  tell("");
  show("ended", "Not connected", sentence);
}

function ask() {
  const again = server.token !== "";
  finish();
  show("locked", "Locked", again ? "That token is not right." : "");
  at("token").value = "";
  at("token").focus();
}

// ---- what is shown

function show(state, status, curtain = "") {
  page.dataset.state = state;
  at("status").textContent = status;
  at("means").textContent = { webrtc: " over WebRTC", stream: " over HTTP", drawn: ", drawn here" }[page.dataset.means] ?? "";
  at("curtain-text").textContent = curtain;
  at("token-form").hidden = state !== "locked";
  at("again").hidden = state !== "ended";
  for (const id of ["choose", "talk", "interrupt", "drop", "repeat", "other", "text", "read", "ahead", ...STEERS]) {
    at(id).disabled = state !== "live";
  }
  at("background").disabled ||= live?.session.info.shows === "coefficients"; // which is drawn before its own
  showSound();
}

function showSound() {
  at("sound").hidden = page.dataset.state !== "live";
  at("sound").setAttribute("aria-pressed", String(!video.muted));
  at("sound-text").textContent = video.muted ? "Turn the sound on" : "Turn the sound off";
}

/** A sentence over the picture's lower edge; none takes it away. News goes by itself, trouble stays until it is read. */
function tell(sentence, isTrouble = false) {
  clearTimeout(fading);
  if (!isTrouble) fading = setTimeout(tell, NEWS, "");
  at("message").hidden = !sentence;
  at("message").classList.toggle("trouble", isTrouble);
  at("message-text").textContent = sentence;
}

function showHead() {
  drawHead(document.querySelector(".ball"), head);
  at("angles").textContent = inWords(head);
  at("blink-auto").checked = head.blink === null;
  at("blink").value = head.blink ?? 0;
  document.querySelector(".blink").classList.toggle("auto", head.blink === null);
  at("articulation").value = head.articulation;
  at("articulation-value").textContent = head.articulation === 1 ? "as learnt" : `${Math.round(100 * head.articulation)} %`;
}

/** What is wanted behind the avatar; null for its own room. */
function background() {
  if (live?.session.info.shows === "coefficients") return null; // what is drawn here has its own
  const chosen = at("background").value;
  return chosen === "#" ? at("colour").value : chosen || null;
}

function showBackground() {
  at("colour").hidden = at("background").value !== "#";
  live?.session.send({ type: "session.update", background: background() });
}

async function showGauges() {
  const metrics = live?.metrics;
  const rate = pictures.rate();
  gauges.fps.show(live?.view ? rate : NaN);
  gauges.buffer.show(live?.view ? level.seconds : NaN);
  gauges.latency.show(metrics?.playback_latency_ms ?? NaN);
  const offset = await live?.view?.offset();
  gauges.offset.show(Number.isFinite(offset) ? offset : (metrics?.av_offset_ms ?? NaN));
  at("details").textContent = metrics ? inDetail(metrics) : "No measurement yet.";
}

function inDetail({ fps, render_ms: time, late_pictures: late }) {
  const each = time?.p50 == null ? "" : ` in ${time.p50.toFixed(0)} ms each (95 % within ${time.p95.toFixed(0)} ms)`;
  return `The server renders ${(fps ?? 0).toFixed(1)} pictures a second${each}; ${late ?? 0} late so far.`;
}

function showRecording() {
  at("drop").hidden = recording !== null;
  at("recording").hidden = recording === null;
  if (!recording) return;
  const whole = recording.samples.length / RATE;
  const said = Math.min(whole, live?.reader.said ?? 0);
  drawWave(at("wave"), recording.peaks, said / whole);
  at("name").textContent = recording.name;
  at("time").textContent = `${clock(said)} / ${clock(whole)}`;
}

function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

// ---- what is said to the avatar

async function take(file) {
  if (!file || !live?.view) return;
  try {
    const samples = await decode(file, RATE);
    recording = { name: file.name, samples, peaks: peaksOf(samples, BARS) };
    tell("");
    repeat();
  } catch (fault) {
    tell(fault.message, true);
  }
}

function repeat() {
  if (!live?.view || !recording) return;
  if (isBusy()) interrupt();
  live.reader.say(recording.samples, RATE);
  showRecording();
}

function read() {
  const text = at("text").value.trim();
  if (!live?.view || !text) return;
  if (isBusy()) interrupt();
  live.session.send({ type: "say", text });
  at("text").value = "";
}

/** Whether something is being said, or may be: of a text that is being read nothing may have been heard yet. */
function isBusy() {
  return live.reader.busy || live.session.info.reads;
}

function interrupt() {
  live?.reader.breakOff();
  live?.session.send({ type: "interrupt" });
  level.set(0);
}

async function talk() {
  if (holding || !live?.view) return;
  holding = true;
  at("talk").setAttribute("aria-pressed", "true");
  try {
    await microphone.ready(RATE);
  } catch (fault) {
    hush();
    return tell(fault.message, true);
  }
  if (!holding) {
    microphone.rest();
    return tell("The microphone is ready: hold the button while you talk.");
  }
  if (isBusy()) interrupt();
  video.volume = HUSHED;
  microphone.listening = true;
}

function hush() {
  if (!holding) return;
  holding = false;
  at("talk").setAttribute("aria-pressed", "false");
  at("talk").style.removeProperty("--level");
  if (microphone.listening) live?.session.send({ type: "segment.end" });
  if (microphone.open) microphone.rest();
  video.volume = 1;
}

function fromMicrophone(samples, rate) {
  live?.session.sound(samples, rate);
  level.add(samples.length / rate);
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  at("talk").style.setProperty("--level", Math.min(1, 5 * Math.sqrt(power)).toFixed(2));
}

// ---- what the person does

at("choose").onclick = at("drop").onclick = at("other").onclick = () => at("file").click();
at("file").onchange = () => {
  take(at("file").files[0]);
  at("file").value = ""; // so that the same file may be chosen again
};
at("repeat").onclick = repeat;
at("interrupt").onclick = interrupt;
at("text-form").onsubmit = (event) => {
  event.preventDefault();
  read();
};
at("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  read();
};
at("again").onclick = begin;
at("avatar").onchange = at("shows").onchange = begin;
at("message-close").onclick = () => tell("");
at("token-form").onsubmit = (event) => {
  event.preventDefault();
  server.remember(at("token").value.trim());
  begin();
};
at("sound").onclick = () => {
  video.muted = mutedByHand = !video.muted;
  if (!video.muted) play(video, false).catch(() => {});
  showSound();
};

// A browser that held the sound back gives it free once the page is used.
const unmute = () => {
  if (live?.view && video.muted && !mutedByHand) play(video, false).then(showSound, showSound);
};
document.addEventListener("click", unmute);
document.addEventListener("keydown", unmute);

at("talk").addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  at("talk").setPointerCapture(event.pointerId);
  talk();
});
for (const type of ["pointerup", "pointercancel", "blur"]) at("talk").addEventListener(type, hush);
at("talk").addEventListener("contextmenu", (event) => event.preventDefault());
at("talk").addEventListener("keydown", (event) => {
  if (![" ", "Enter"].includes(event.key)) return;
  event.preventDefault();
  if (!event.repeat) talk();
});
at("talk").addEventListener("keyup", (event) => [" ", "Enter"].includes(event.key) && hush());

head.addEventListener("change", showHead);
head.addEventListener("change", () => at("hint").classList.add("gone"), { once: true });
hold(at("frame"), head, () => live?.view != null);
at("ahead").onclick = () => head.turn(0, 0);
at("blink").oninput = () => head.close(Number(at("blink").value));
at("blink-auto").onchange = () => head.close(at("blink-auto").checked ? null : Number(at("blink").value));

at("articulation").oninput = () => head.articulate(Number(at("articulation").value));
at("articulation").ondblclick = () => head.articulate(1);
at("background").onchange = at("colour").onchange = showBackground;

const isFile = (event) => event.dataTransfer?.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!isFile(event)) return;
  event.preventDefault();
  at("veil").classList.toggle("shown", live?.view != null);
});
document.addEventListener("dragleave", (event) => event.relatedTarget ?? at("veil").classList.remove("shown"));
document.addEventListener("drop", (event) => {
  if (!isFile(event)) return;
  event.preventDefault();
  at("veil").classList.remove("shown");
  take(event.dataTransfer.files[0]);
});

window.addEventListener("pagehide", finish);
window.addEventListener("pageshow", (event) => event.persisted && begin());

setInterval(showGauges, 1000);
let wasBusy = false;
setInterval(() => {
  const isBusy = live?.reader.busy ?? false;
  if (isBusy || wasBusy) showRecording(); // once more at the end, to show that it is all said
  wasBusy = isBusy;
}, 100);
window.addEventListener("resize", showRecording);
glow(video, at("glow"));
showHead();
begin();
