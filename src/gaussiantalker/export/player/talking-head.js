// <talking-head src="me.avatar">: an avatar in a page, which says what it is given. See docs/web.md of GaussianTalker.

import { TalkingHeadError, fetchAvatar } from "./avatar.js";
import { Coefficients } from "./coefficients.js";
import { Following } from "./following.js";
import { Hearing } from "./hearing.js";
import { Motion } from "./motion.js";
import { Renderer } from "./renderer.js";
import { Voice } from "./voice.js";

const LARGEST = 2; // canvas pixels for one of the avatar's own: there is no more to be seen
const MOST_ARTICULATION = 2;

const SHADOW = `
<style>
  :host { display: block; position: relative; width: var(--width, var(--natural, 256px)); max-width: 100%; aspect-ratio: var(--aspect, 1); overflow: hidden; }
  :host([hidden]) { display: none; }
  canvas { display: block; width: 100%; height: 100%; }
  p { margin: 0; font: 500 0.72rem/1.35 system-ui, sans-serif; }
  #label { position: absolute; left: 0.5em; bottom: 0.5em; padding: 0.1em 0.55em; border-radius: 1em; color: #fff; background: rgb(0 0 0 / 0.55); pointer-events: none; }
  #told { position: absolute; inset: auto 0.6em 2.6em; padding: 0.6em 0.9em; border-radius: 0.8em; color: #fff; background: rgb(30 30 34 / 0.92); font-size: 0.85rem; }
  [hidden] { display: none; }
</style>
<canvas part="picture" role="img" aria-label="A talking head, AI-generated"></canvas>
<p id="label" part="label">AI-generated</p>
<p id="told" part="error" role="alert" hidden></p>`;

const REFUSED = {
  NotAllowedError: "The browser was told not to lend the microphone: allow it in the address bar and try again.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "Another program is using the microphone.",
};

/** The element. Its events: `ready`, `speech-start`, `speech-end`, and `error` with `detail` `{code, message}`. */
export class TalkingHead extends HTMLElement {
  static observedAttributes = ["src", "pose", "blink", "articulation", "background"];
  #canvas;
  #told;
  #stage = null; // everything that belongs to one avatar
  #opening = null;
  #turn = 0; // counts what was opened: what comes too late is let go
  #pose = "recorded";

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.innerHTML = SHADOW;
    this.#told = root.querySelector("#told");
  }

  connectedCallback() {
    if (this.src && !this.#opening) this.#open(); // an element that was in the page before this script has begun already
  }

  disconnectedCallback() {
    this.#close();
  }

  attributeChangedCallback(name, before, value) {
    if (name === "src") {
      if (this.isConnected && before !== value) this.#open();
    } else if (name === "pose") {
      this.pose = value ?? "recorded";
    } else if (name === "background") {
      this.#lay();
    } else {
      this.#direct();
    }
  }

  get src() { return this.getAttribute("src") ?? ""; }
  set src(value) { this.setAttribute("src", value); }

  /** "recorded", "still", or degrees `{yaw, pitch, roll}` that are added; as an attribute "yaw pitch roll". */
  get pose() { return this.#pose; }
  set pose(value) {
    const degrees = typeof value === "string" ? value.trim().split(/[\s,]+/).map(Number) : [value?.yaw, value?.pitch, value?.roll];
    const [yaw, pitch, roll] = degrees.map((angle) => Number(angle) || 0);
    this.#pose = value === "still" || value === "recorded" ? value : { yaw, pitch: pitch ?? 0, roll: roll ?? 0 };
    this.#direct();
  }

  /** "recorded", "auto", or a number from 0 open to 1 shut. */
  get blink() {
    const value = this.getAttribute("blink") ?? "recorded";
    return Number.isFinite(parseFloat(value)) ? Math.min(Math.max(parseFloat(value), 0), 1) : value;
  }
  set blink(value) { this.setAttribute("blink", value); }

  /** How far the mouth moves with speech: 1 as it was learnt, from 0 to 2. */
  get articulation() {
    const value = parseFloat(this.getAttribute("articulation") ?? "1");
    return Number.isFinite(value) ? Math.min(Math.max(value, 0), MOST_ARTICULATION) : 1;
  }
  set articulation(value) { this.setAttribute("articulation", value); }

  /** "none", which is transparent; "own", what the person was filmed before; or what CSS takes for a background. */
  get background() { return this.getAttribute("background") ?? "none"; }
  set background(value) { this.setAttribute("background", value); }

  /** What the avatar's file tells of it: method, hash, consent. Null before `ready`. */
  get facts() { return this.#stage?.avatar.facts ?? null; }

  get speaking() { return typeof this.#stage?.voice?.frame === "number"; }

  /** Says an AudioBuffer, a Blob or what lies at a URL. Resolves when it is said: true; false where it could not be,
   * or was interrupted. Never rejects: what went wrong is told by `error`. */
  async speak(sound) {
    return this.#attempt(async (voice) => {
      await voice.wake();
      return voice.speak(sound instanceof AudioBuffer ? sound : await decoded(sound, voice.context));
    });
  }

  /** Says what a MediaStream brings, or the microphone; `play`: whether the page sounds it. Resolves as `speak`. */
  async listen(stream = null, { play = true } = {}) {
    return this.#attempt(async (voice) => {
      const borrowed = stream ?? (await microphone());
      try {
        await voice.wake();
        return await voice.listen(borrowed, play);
      } finally {
        if (!stream) borrowed.getTracks().forEach((track) => track.stop());
      }
    });
  }

  /** Shows what a server tells in numbers over a socket, and sounds what it sends with them: then the server hears, and
   * this page only draws. Resolves when the server ended it (true) or `interrupt` did (false). */
  async follow(url) {
    return this.#attempt(async (voice) => {
      voice.interrupt();
      const sounds = new URL(url, document.baseURI).searchParams.get("sound") === "true";
      if (sounds) await voice.wake();
      return this.#stage.follow(url, sounds ? voice.context : null);
    });
  }

  /** Falls silent at once. */
  interrupt() {
    this.#stage?.voice?.interrupt();
    this.#stage?.following?.close();
  }

  async #attempt(say) {
    this.#told.hidden = true;
    try {
      await this.#opening;
      return this.#stage?.voice ? await say(this.#stage.voice) : false;
    } catch (fault) {
      this.#fail(fault);
      return false;
    }
  }

  #open() {
    this.#close();
    const opening = this.#load(this.#turn).catch((fault) => {
      if (this.#opening === opening) this.#fail(fault);
    });
    this.#opening = opening;
  }

  async #load(turn) {
    this.#told.hidden = true;
    const url = new URL(this.src, document.baseURI);
    const canvas = document.createElement("canvas");
    const avatar = await fetchAvatar(url);
    if (turn !== this.#turn) return;
    const stage = new Stage(avatar, new Renderer(canvas, avatar), canvas);
    this.#show(canvas);
    this.#stage = stage;
    stage.onfault = (fault) => this.#fail(fault);
    const { width, height } = avatar.facts.camera;
    this.style.setProperty("--aspect", `${width} / ${height}`);
    this.style.setProperty("--natural", `${width}px`);
    this.#lay();
    this.#direct();
    stage.run();
    const hearing = await Hearing.open(new URL(".", url).href, avatar).catch(({ message }) => {
      throw new TalkingHeadError("hearing", message);
    });
    if (this.#stage !== stage) {
      hearing.close();
      return;
    }
    stage.voice = new Voice(hearing, avatar.facts.speech);
    for (const name of ["speech-start", "speech-end"]) {
      stage.voice.addEventListener(name, () => this.dispatchEvent(new Event(name)));
    }
    stage.voice.addEventListener("deaf", ({ detail }) => this.#fail(new TalkingHeadError("hearing", detail)));
    await stage.drawn;
    this.dispatchEvent(new Event("ready"));
  }

  #show(canvas) {
    const before = this.shadowRoot.querySelector("canvas");
    for (const { name, value } of before.attributes) canvas.setAttribute(name, value);
    before.replaceWith(canvas);
    this.#canvas = canvas;
  }

  #close() {
    this.#turn += 1;
    this.#opening = null;
    this.#stage?.close();
    this.#stage = null;
  }

  #direct() {
    if (!this.#stage) return;
    const { motion } = this.#stage;
    motion.still = this.#pose === "still";
    motion.angles = typeof this.#pose === "object" ? this.#pose : {};
    motion.blink = this.blink;
    this.#stage.articulation = this.articulation;
  }

  #lay() {
    if (!this.#stage) return;
    const own = this.background === "own";
    this.#stage.matte = !own;
    this.#canvas.style.background = own ? `center / 100% 100% url("${this.#stage.background}")` : this.background;
  }

  #fail(fault) {
    const known = fault instanceof TalkingHeadError;
    const message = known ? fault.message : `The avatar stopped (${fault?.message ?? fault}).`;
    this.#told.textContent = message;
    this.#told.hidden = false;
    this.dispatchEvent(new CustomEvent("error", { detail: { code: known ? fault.code : "defect", message } }));
  }
}

/** One avatar at work: a picture for each frame of its clock, as often as the machine can. */
class Stage {
  articulation = 1;
  matte = true;
  following = null; // a server, that tells what is to be seen
  voice = null; // comes a little later than the first picture
  onfault = () => {};
  #canvas;
  #worker;
  #minds;
  #asked = null; // the picture that waits for its order
  #told = null; // the last frame that was asked for
  #frame = -1; // and the last of the avatar's own
  #origin = 0; // of frames: where silence or speech began
  #since = performance.now();
  #spoke = false;
  #ended = false;
  #first;
  #silence;

  constructor(avatar, renderer, canvas) {
    this.avatar = avatar;
    this.renderer = renderer;
    this.motion = new Motion(avatar);
    this.#canvas = canvas;
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault()); // so that it may be given back
    canvas.addEventListener("webglcontextrestored", () => this.#renew());
    this.#minds = new Coefficients(avatar);
    this.#silence = new Float32Array(avatar.facts.speech.channels);
    this.drawn = new Promise((resolve) => { this.#first = resolve; });
    const { facts, tensors } = avatar;
    this.background = URL.createObjectURL(new Blob([tensors.background.data], { type: "image/png" }));
    this.#worker = new Worker(new URL("order-worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#draw(data.order);
    this.#worker.onerror = () => this.onfault(new TalkingHeadError("worker", "A part of the player could not be loaded."));
    const { "head.means": means, "head.bases": bases, "head.reach": reach } = tensors;
    this.#worker.postMessage({ means: means.data, bases, reach: reach.data, moved: facts.head.moved });
  }

  run() {
    const step = () => {
      if (this.#ended) return;
      requestAnimationFrame(step);
      this.#ask();
    };
    step();
  }

  close() {
    this.#ended = true;
    this.voice?.close();
    this.following?.close();
    this.#worker.terminate();
    this.renderer.close();
    URL.revokeObjectURL(this.background);
    this.#first();
  }

  async follow(url, context) {
    this.following?.close();
    const following = new Following(url, this.avatar.tensors["head.bases"].shape[0], context);
    this.following = following;
    try {
      return await following.ended;
    } finally {
      if (this.following === following) this.following = null;
    }
  }

  /** Graphics that the browser took away, as phones do with pages behind others, and gave back. */
  #renew() {
    if (this.#ended) return;
    try {
      this.renderer = new Renderer(this.#canvas, this.avatar);
    } catch (fault) {
      this.onfault(fault);
    }
  }

  /** Asks for the picture of this moment where it is another one; while one is in the making, moments pass. */
  #ask() {
    if (this.#asked || this.renderer.lost || this.renderer.busy) return;
    const told = this.following?.frame;
    const { frame, spoken } = told ? { frame: told } : this.#now();
    if (frame === this.#told) return;
    this.#told = frame;
    this.#asked = told ?? this.#moved(frame, spoken);
    this.#worker.postMessage({ coefficients: this.#asked.head, pose: this.#asked.pose });
  }

  /** What the avatar itself shows in a frame in which this is heard. */
  #moved(frame, spoken) {
    this.#frame = frame;
    const { blink, ...moved } = this.motion.at(frame);
    const mouth = (this.voice?.audio(spoken) ?? this.#silence).map((value) => this.articulation * value);
    return { head: this.#minds.head(mouth, blink, moved.pose), torso: this.#minds.torso(moved), pose: moved.pose };
  }

  #draw(order) {
    if (this.#ended) return;
    const { width, height } = this.avatar.facts.camera;
    const wanted = (this.#canvas.clientWidth * (window.devicePixelRatio || 1)) / width;
    const scale = Math.min(Math.max(wanted, 1), LARGEST, Math.sqrt(4e6 / (width * height)));
    try {
      if (!this.renderer.lost) this.renderer.draw({ ...this.#asked, order, scale, matte: this.matte });
    } catch (fault) {
      this.close();
      this.onfault(fault);
    }
    this.#asked = null;
    this.#first();
  }

  /** The frame of a performance without an end, and that of the speech in it: by the sound's clock while there is any. */
  #now() {
    const spoken = this.voice?.frame ?? null;
    const speaks = spoken !== null;
    if (speaks !== this.#spoke) {
      this.#spoke = speaks;
      this.#origin = this.#frame + 1 - (spoken ?? 0);
      this.#since = performance.now();
    }
    const idle = Math.floor(((performance.now() - this.#since) / 1000) * this.avatar.facts.fps);
    return { frame: this.#origin + (spoken ?? idle), spoken };
  }
}

async function microphone() {
  if (!navigator.mediaDevices) {
    throw new TalkingHeadError("microphone", "Browsers lend the microphone only to pages from localhost or over HTTPS.");
  }
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
  } catch (fault) {
    throw new TalkingHeadError("microphone", REFUSED[fault.name] ?? "The microphone could not be opened.");
  }
}

async function decoded(sound, context) {
  let bytes;
  try {
    if (sound instanceof Blob) {
      bytes = await sound.arrayBuffer();
    } else {
      const answer = await fetch(sound);
      if (!answer.ok) throw new Error(`${answer.status}`);
      bytes = await answer.arrayBuffer();
    }
  } catch (fault) {
    throw new TalkingHeadError("sound", `The sound could not be fetched (${fault.message}).`);
  }
  try {
    return await context.decodeAudioData(bytes);
  } catch {
    throw new TalkingHeadError("sound", "This is no sound that the browser can read: try WAV, MP3, M4A or OGG.");
  }
}

customElements.define("talking-head", TalkingHead);
