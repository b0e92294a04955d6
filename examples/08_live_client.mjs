// A live client in JavaScript, for Node 22 or newer and, but for the files, for browsers.
//
// gaussiantalker serve AVATAR
// node examples/08_live_client.mjs http://127.0.0.1:8080 SOUND.wav FILM.mp4     (16-bit, mono, 16 kHz)

import { readFile, writeFile } from "node:fs/promises";

const HEADER = 44; // bytes before the samples of a plain WAV file
const [server, sound, film] = process.argv.slice(2);

const session = await (await fetch(`${server}/v1/sessions`, { method: "POST" })).json();
// The avatar's time stands still until somebody watches.
const watching = fetch(server + session.stream).then(async (answer) => writeFile(film, answer.body));

const socket = new WebSocket(server.replace("http", "ws") + session.socket);
await new Promise((resolve) => socket.addEventListener("open", resolve));
const ended = new Promise((resolve) =>
  socket.addEventListener("message", ({ data }) => {
    const event = JSON.parse(data);
    console.log(event);
    if (event.type === "speech.ended") resolve();
  }),
);
const pcm = (await readFile(sound)).subarray(HEADER);
for (let start = 0; start < pcm.length; start += 8_000) socket.send(pcm.subarray(start, start + 8_000));
socket.send(JSON.stringify({ type: "segment.end" }));
await ended;
socket.close();
await fetch(`${server}/v1/sessions/${session.id}`, { method: "DELETE" }); // and the film ends
await watching;
