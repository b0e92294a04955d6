// The page beside the avatar: a recording or the microphone for it to say, and its head and eyes by hand.

import "./talking-head.js";

const of = (id) => document.getElementById(id);
const head = of("me");
const say = (text) => { of("state").textContent = text; };

head.addEventListener("ready", () => {
  say("Ready");
  for (const id of ["choose", "listen"]) of(id).disabled = false;
});
head.addEventListener("speech-start", () => { of("interrupt").disabled = false; say("Speaking"); });
head.addEventListener("speech-end", () => { of("interrupt").disabled = true; say("Ready"); });
head.addEventListener("error", () => say(""));

of("choose").addEventListener("click", () => of("file").click());
of("file").addEventListener("change", ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (file) speak(file);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) speak(file);
});
of("interrupt").addEventListener("click", () => head.interrupt());
of("listen").addEventListener("click", async ({ target }) => {
  if (target.getAttribute("aria-pressed") === "true") return head.interrupt();
  target.setAttribute("aria-pressed", "true");
  say("Listening: speak, and it repeats");
  await head.listen();
  target.setAttribute("aria-pressed", "false");
});

for (const id of ["yaw", "pitch"]) {
  of(id).addEventListener("input", () => { head.pose = { yaw: -of("yaw").value, pitch: of("pitch").value }; });
}
for (const id of ["articulation", "blink", "background"]) {
  of(id).addEventListener("input", ({ target }) => { head[id] = target.value; });
}

function speak(file) {
  say("Listening to the recording …");
  head.speak(file);
}
