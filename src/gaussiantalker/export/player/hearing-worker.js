// The worker behind hearing.js: pieces of sound in, their codes out, in order.

import { Ear } from "./ear.js";

let ear;
let utterance;

onmessage = async ({ data: { kind, base, mouth, pcm } }) => {
  try {
    if (kind === "open") ear = await Ear.open(await fetched(new URL("hearing.safetensors", base)), mouth);
    if (kind === "open" || kind === "reset") utterance = ear.listen();
    const codes = kind === "push" ? utterance.push(pcm) : kind === "finish" ? utterance.finish() : [];
    postMessage({ codes });
  } catch (error) {
    postMessage({ codes: [], error: error.message });
  }
};

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} is missing (the server answered ${answer.status}): export the avatar again.`);
  return answer.arrayBuffer();
}
