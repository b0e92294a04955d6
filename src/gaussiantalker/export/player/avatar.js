// An avatar's file: safetensors, with the facts as JSON in its metadata (see docs/web.md of GaussianTalker).

import { KINDS, readTensors } from "./tensors.js";

const FORMAT = 2;
// Of every tensor its kind of number and how many axes it has.
const LAYOUT = Object.entries({
  F32: `head.means 2, tokens.bias 1, tokens.second.weight 2, tokens.second.bias 1, tokens.third.weight 2,
    tokens.third.bias 1, tokens.low 1, tokens.high 1, torso.habits 2, torso.flow 4, torso.pose_mean 1, torso.pose_scale 1,
    torso.shade_scale 1, motion.viewmats 3, motion.blink 1, listener.silent_row 1, listener.weights 2, listener.heard 2,
    listener.shown 2`,
  F16: "head.quats 2, head.log_scales 2, head.opacity_logits 1, head.sh 3, head.reach 2, motion.sway 2, motion.body 2",
  I8: "head.bases 3, torso.shades 4, watermark 2",
  U8: "head.strangers 1, torso.texture 3, background 1",
}).flatMap(([kind, listed]) => listed.split(",").map((entry) => [kind, ...entry.trim().split(" ")]));

/** What a person can be told: its message is a sentence, its `code` one word. */
export class TalkingHeadError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "TalkingHeadError";
    this.code = code;
  }
}

/** The avatar at an address: `facts`, and `tensors` by name, each `{shape, data}`; F16 stays as its 16 bits. */
export async function fetchAvatar(url) {
  let bytes;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${answer.status}`);
    bytes = await answer.arrayBuffer();
  } catch (fault) {
    throw new TalkingHeadError("avatar", `The avatar could not be fetched (${fault.message}).`);
  }
  return readAvatar(bytes);
}

/** The same from the bytes of a file. */
export function readAvatar(bytes) {
  try {
    return parse(bytes);
  } catch (fault) {
    if (fault instanceof TalkingHeadError) throw fault;
    throw new TalkingHeadError("avatar", "This is no avatar, or it is damaged: export it again.");
  }
}

function parse(bytes) {
  const { tensors, metadata } = readTensors(bytes);
  const facts = JSON.parse(metadata.avatar);
  if (facts.format !== FORMAT) {
    throw new TalkingHeadError("avatar", `This avatar is of format ${facts.format}, this player of ${FORMAT}: export it again.`);
  }
  laid(facts.conditions, tensors);
  check(facts, tensors);
  return { facts, tensors };
}

/** Raises where a tensor is missing, of another kind or number of axes, or not finite. */
function laid(conditions, tensors) {
  const tokens = conditions.flatMap((name) => ["inner", "outer"].map((layer) => ["F32", `tokens.${name}.${layer}`, 2]));
  if (conditions.includes("camera")) tokens.push(["F32", "tokens.camera.mean", 1]);
  for (const [kind, name, axes] of [...LAYOUT, ...tokens]) {
    const { shape, data } = tensors[name];
    if (shape.length !== Number(axes) || !(data instanceof KINDS[kind]) || !finite(data)) throw new Error(name);
  }
}

function finite(data) {
  if (data instanceof KINDS.F16) return data.every((half) => (half & 0x7c00) !== 0x7c00);
  return !(data instanceof KINDS.F32) || data.every(Number.isFinite);
}

/** Raises where sizes do not fit together. */
function check({ camera, head, torso, motion }, tensors) {
  const of = (part) => tensors[`head.${part}`];
  const [count] = of("means").shape;
  const [bases, moving, columns] = of("bases").shape;
  const sizes = ["quats", "log_scales", "opacity_logits", "sh", "strangers"].map(of).map(({ shape }) => shape[0]);
  const wanted = head.moved.reduce((sum, part) => sum + WIDTHS[part], 0);
  const fits = sizes.every((size) => size === count) && moving <= count && columns === wanted && bases <= MOST_BASES;
  if (!fits || of("reach").data.length !== moving * columns) throw new Error("head");
  const frames = tensors["motion.blink"].shape[0];
  const [shades, modes] = [tensors["torso.shades"].shape[0], tensors["torso.flow"].shape[0] - 1];
  const codes = tensors["torso.habits"].shape[1] === shades + modes && shades <= MOST_BASES;
  const places = [torso.top, torso.margin, torso.limit].every(Number.isFinite);
  if (!codes || !places || tensors["motion.body"].data.length !== frames * (shades + modes)) throw new Error("torso");
  const numbers = [camera.focal, camera.cx, camera.cy, camera.width, camera.height, motion.rest].every(Number.isFinite);
  if (!frames || !numbers || tensors["motion.viewmats"].data.length !== 12 * frames) throw new Error("motion");
}

/** Columns of a basis for each attribute that moves. */
export const WIDTHS = { means: 3, scales: 3, quats: 4, opacity: 1, colour: 3 };
export const MOST_BASES = 64;

/** For each column of a file's bases its place among the textures' sixteen. */
export function placesOf(moved) {
  const starts = {};
  let at = 0;
  for (const [name, width] of Object.entries(WIDTHS)) {
    starts[name] = at;
    at += width;
  }
  return moved.flatMap((name) => Array.from({ length: WIDTHS[name] }, (_, i) => starts[name] + i));
}
