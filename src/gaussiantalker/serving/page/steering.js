// Turning the head and closing the eyes by hand: drag, arrow keys, double tap; and a small head that shows how it stands.

const YAW = 30; // degrees to either side; the server shows as much of it as the avatar can
const PITCH = 20;
const STEP = 3; // degrees a key press
const TURN = 70; // degrees for a drag across the whole picture
const PERIOD = 40; // ms between two messages: one a picture
const TAP = 320; // ms between the taps of a double tap
const STILL = 8; // px a finger may move and still tap

/** Degrees by which the head is turned, seen from the front: to the picture's right, and upwards. */
export class Head extends EventTarget {
  right = 0;
  up = 0;
  blink = null;
  articulation = 1;
  #timer = 0;

  /** `send(update)` gets what a `session.update` is to carry, at most once a picture. */
  constructor(send) {
    super();
    this.send = send;
  }

  turn(right, up) {
    this.right = clamp(right, YAW);
    this.up = clamp(up, PITCH);
    this.#tell();
  }

  /** 0 open, 1 shut, null for the avatar's own blinks. */
  close(blink) {
    this.blink = blink;
    this.#tell();
  }

  /** How far the mouth moves: 0 not at all, 1 as it was learnt, at most 2. */
  articulate(articulation) {
    this.articulation = articulation;
    this.#tell();
  }

  /** Everything as it stands: for a session that has just begun. */
  get update() {
    // The server counts a yaw to the picture's left and a pitch downwards as positive.
    return { yaw: -this.right, pitch: -this.up, blink: this.blink, articulation: this.articulation };
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.send(this.update);
    }, PERIOD);
  }
}

/** Drag, arrow keys, Escape and double tap on the picture turn the head. */
export function hold(frame, head, isLive) {
  let grip = null;
  let tapped = -Infinity;
  frame.addEventListener("pointerdown", (event) => {
    if (!isLive() || event.button !== 0 || event.target.closest("button, form")) return;
    grip = { x: event.clientX, y: event.clientY, right: head.right, up: head.up, id: event.pointerId };
    frame.setPointerCapture(grip.id);
    frame.classList.add("turning");
  });
  frame.addEventListener("pointermove", (event) => {
    if (grip?.id !== event.pointerId) return;
    const degrees = TURN / frame.clientWidth;
    head.turn(grip.right + (event.clientX - grip.x) * degrees, grip.up - (event.clientY - grip.y) * degrees);
  });
  const release = (event) => {
    if (grip?.id !== event.pointerId) return;
    const moved = Math.hypot(event.clientX - grip.x, event.clientY - grip.y);
    grip = null;
    frame.classList.remove("turning");
    if (moved > STILL || event.type === "pointercancel") return;
    if (event.timeStamp - tapped < TAP) head.turn(0, 0);
    tapped = event.timeStamp;
  };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("keydown", (event) => {
    const move = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!isLive() || event.target !== frame || !(move || event.key === "Escape")) return;
    event.preventDefault();
    if (move) head.turn(head.right + STEP * move[0], head.up + STEP * move[1]);
    else head.turn(0, 0);
  });
}

/** The head's pose in words. */
export function inWords({ right, up }) {
  const across = Math.round(Math.abs(right)) ? `${Math.round(Math.abs(right))}° ${right > 0 ? "right" : "left"}` : "";
  const along = Math.round(Math.abs(up)) ? `${Math.round(Math.abs(up))}° ${up > 0 ? "up" : "down"}` : "";
  return [across, along].filter(Boolean).join(", ") || "Looking ahead";
}

/** A draughtsman's head in the SVG: its lines of symmetry turn with the head, its lids close with the slider. */
export function drawHead(svg, { right, up, blink }) {
  const x = 42 * Math.sin((right * Math.PI) / 180);
  const y = -52 * Math.sin((up * Math.PI) / 180);
  svg.querySelector("#meridian").setAttribute("d", `M0-52Q${2 * x} ${y} 0 52`);
  svg.querySelector("#equator").setAttribute("d", `M-42 0Q${x} ${2 * y} 42 0`);
  const open = 9 * (1 - (blink ?? 0));
  for (const [id, side] of [["#lid-left", -1], ["#lid-right", 1]]) {
    const [eyeX, eyeY] = [x * 0.9 + 17 * side, y * 0.9 - 4];
    const lid = (bow) => `M${eyeX - 8} ${eyeY}q8 ${bow} 16 0`;
    svg.querySelector(id).setAttribute("d", `${lid(-open)}${lid(open * 0.7 + 1.5)}`);
  }
}

function clamp(value, limit) {
  return Math.max(-limit, Math.min(limit, value));
}
