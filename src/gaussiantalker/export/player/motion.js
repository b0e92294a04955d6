// Where the head moves and the eyes blink, and how it may be steered meanwhile.

import { halves } from "./tensors.js";

const STEPS = 25; // frames at most that steering catches up with
const BLINK = [0.3, 0.85, 1, 1, 0.75, 0.5, 0.3, 0.15, 0.05]; // at 25 a second: shut faster than opened
const BLINK_EVERY = { median: 3, spread: 0.5, shortest: 0.8 }; // seconds, log-normal: 18 a minute

/** An avatar's own movements, as far as `angles`, `still` and `blink` leave them.
 *
 * `angles` {yaw, pitch, roll} in degrees are added, positive to the picture's left, downwards and clockwise. `blink` is
 * "recorded", "auto", or a number from 0 open to 1 shut. */
export class Motion {
  angles = { yaw: 0, pitch: 0, roll: 0 };
  still = false;
  blink = "recorded";
  #facts;
  #viewmats;
  #sway;
  #body;
  #blinks;
  #last = null;
  #eased = [new Float64Array(4), new Float64Array(4)];
  #lids = [0, 0];
  #nextBlink = null;

  constructor({ facts, tensors }) {
    this.#facts = facts.motion;
    this.#viewmats = tensors["motion.viewmats"].data;
    this.#blinks = tensors["motion.blink"].data;
    this.#sway = halves(tensors["motion.sway"].data);
    this.#body = halves(tensors["motion.body"].data);
  }

  /** What is shown in a frame of a performance that never ends: `{pose, held, sway, body, blink}`, of which `held` is the
   * pose before it is turned. Frames follow each other. */
  at(frame) {
    const index = this.#index(frame);
    const steps = Math.min(Math.max(frame - (this.#last ?? frame - 1), 1), STEPS);
    this.#last = frame;
    let blink;
    for (let step = steps - 1; step >= 0; step -= 1) blink = this.#follow(frame - step);
    const [yaw, pitch, roll, still] = this.#eased[1];
    let [held, sway, body] = [this.#pose(index), this.#swayAt(index), this.#bodyAt(index)];
    if (still > 1e-4) {
      const { rest } = this.#facts;
      held = between(held, this.#pose(rest), still);
      sway = mixed(sway, this.#swayAt(rest), still);
      body = mixed(body, this.#bodyAt(rest), still);
    }
    const pose = turned(held, this.#seen(held, [yaw, pitch, roll]), this.#facts.neck);
    return { pose, held, sway, body, blink };
  }

  #index(frame) {
    const count = this.#blinks.length;
    if (this.#facts.closed) return frame % count;
    const period = Math.max(2 * (count - 1), 1);
    return Math.min(frame % period, period - (frame % period));
  }

  #pose(index) {
    return this.#viewmats.slice(12 * index, 12 * index + 12);
  }

  #swayAt(index) {
    return this.#sway.slice(9 * index, 9 * index + 9);
  }

  #bodyAt(index) {
    const each = this.#body.length / this.#blinks.length;
    return this.#body.slice(each * index, each * (index + 1));
  }

  /** One frame on towards what is wanted; gives the blink. */
  #follow(frame) {
    const { limit, ease, ease_lids: easeLids } = this.#facts;
    const { yaw = 0, pitch = 0, roll = 0 } = this.angles;
    let target = [...[yaw, pitch, roll].map((angle) => clamp(Number(angle) || 0, -limit, limit)), this.still ? 1 : 0];
    for (const stage of this.#eased) {
      stage.forEach((value, i) => { stage[i] = value + ease * (target[i] - value); });
      target = stage;
    }
    const held = typeof this.blink === "number";
    this.#lids[0] += easeLids * (held - this.#lids[0]);
    if (held) this.#lids[1] += easeLids * (clamp(this.blink, 0, 1) - this.#lids[1]);
    const own = this.blink === "auto" ? this.#auto(frame) : this.#blinks[this.#index(frame)];
    return (1 - this.#lids[0]) * own + this.#lids[0] * this.#lids[1];
  }

  #auto(frame) {
    const { open, shut } = this.#facts;
    if (this.#nextBlink === null || frame - this.#nextBlink >= BLINK.length) this.#nextBlink = frame + pause();
    return open + (shut - open) * (BLINK[frame - this.#nextBlink] ?? 0);
  }

  /** Of further degrees as many as show little that was never filmed. */
  #seen(pose, degrees) {
    const own = anglesOf(pose);
    const { lowest, highest } = this.#facts;
    return degrees.map((angle, i) => clamp(own[i] + angle, lowest[i], highest[i]) - own[i]);
  }
}

const RADIAN = Math.PI / 180;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const mixed = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));

function pause() {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const seconds = BLINK_EVERY.median * Math.exp(BLINK_EVERY.spread * normal);
  return Math.round(25 * Math.max(seconds, BLINK_EVERY.shortest));
}

/** Degrees about the head's y, x and z axes of a pose [3, 4]. */
export function anglesOf(p) {
  const [yaw, pitch, roll] = [Math.atan2(p[2], p[10]), Math.asin(clamp(-p[6], -1, 1)), Math.atan2(p[4], p[5])];
  return [yaw / RADIAN, pitch / RADIAN, roll / RADIAN];
}

/** A pose turned by yaw, pitch and roll in degrees about where the head sits on the neck. */
export function turned(p, degrees, neck) {
  if (!degrees.some(Boolean)) return p;
  const [[sy, cy], [sx, cx], [sz, cz]] = degrees.map((angle) => [Math.sin(angle * RADIAN), Math.cos(angle * RADIAN)]);
  const r = [
    [cy * cz + sy * sx * sz, sy * sx * cz - cy * sz, sy * cx],
    [cx * sz, cx * cz, -sx],
    [cy * sx * sz - sy * cz, sy * sz + cy * sx * cz, cy * cx],
  ];
  const out = new Float32Array(12);
  for (let i = 0; i < 12; i += 4) {
    out[i + 3] = p[i + 3];
    for (let j = 0; j < 3; j += 1) {
      out[i + j] = p[i] * r[0][j] + p[i + 1] * r[1][j] + p[i + 2] * r[2][j];
      out[i + 3] += (p[i + j] - out[i + j]) * neck[j];
    }
  }
  return out;
}

/** Between two poses that are not far apart: their mixture, made a rotation again. */
function between(a, b, share) {
  const p = mixed(a, b, share);
  const row = (i) => p.slice(4 * i, 4 * i + 3);
  const first = unit(row(0));
  const along = first.reduce((sum, value, i) => sum + value * row(1)[i], 0);
  const second = unit(row(1).map((value, i) => value - along * first[i]));
  const third = [1, 2, 0].map((i) => first[i] * second[(i + 1) % 3] - first[(i + 1) % 3] * second[i]);
  [first, second, third].forEach((values, i) => p.set(values, 4 * i));
  return p;
}

function unit(values) {
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}
