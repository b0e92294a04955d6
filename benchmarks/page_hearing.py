"""How long a page's hearing takes for a frame, beside how far its codes are from Python's."""

from headless_browser import Browser

HEAR = """
const [avatarFile, soundFile] = arguments;
window.heard = null;
(async () => {
  const { fetchAvatar } = await import("./avatar.js");
  const { Hearing } = await import("./hearing.js");
  const sound = new Float32Array(await (await fetch(soundFile)).arrayBuffer());
  const began = performance.now();
  const hearing = await Hearing.open(".", await fetchAvatar(avatarFile));
  const opened = performance.now();
  const codes = [];
  hearing.onframe = ({ audio }) => codes.push([...audio]);
  hearing.push(sound.subarray(0, 16000));
  await hearing.flush(); // by then it is compiled
  codes.length = 0;
  const started = performance.now();
  hearing.push(sound);
  await hearing.flush();
  const took = performance.now() - started;
  hearing.close();
  window.heard = { open_ms: opened - began, frame_ms: took / codes.length, codes };
})().catch((fault) => { window.heard = String(fault.stack); });
"""


def hear(window: Browser, sound: str, avatar: str = "me.avatar", seconds: float = 300) -> dict:
    """Milliseconds to open (`open_ms`) and per frame (`frame_ms`), and `codes`, of a sound that lies as raw float32 at
    16 kHz beside the exported page that the window shows."""
    window.script(HEAR, avatar, sound)
    heard = window.wait("window.heard", seconds)
    if isinstance(heard, str):
        raise RuntimeError(heard)
    return heard
