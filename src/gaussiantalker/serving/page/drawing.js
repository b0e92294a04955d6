// An avatar that is drawn here: what moves it comes over a socket, with its sound, and the player of exported pages draws.

const DELAY = 0.15; // s between what comes and what is shown of it, in which the network may dawdle
const RATE = 16000;
const FPS = 25;
const HEADER = 12; // bytes, and then the 12 numbers of a pose: docs/live.md

/** Shows the session in the video element until the signal; resolves, when it is being told, to what measures the offset:
 * nothing does, and one clock moves both. */
export async function draw(session, video, signal, onLost) {
  const { info, server } = session;
  const files = ["avatar", "renderer", "tensors"].map((name) => import(`/player/${name}.js`));
  const [player, { Renderer }, { halves }] = await Promise.all(files);
  const answer = await server.ask(`/v1/avatars/${encodeURIComponent(info.avatar)}/file`, { signal });
  const avatar = player.readAvatar(await answer.arrayBuffer());
  const easel = await Easel.open(avatar, Renderer);
  const voice = new Voice();
  const socket = new WebSocket(server.address(`${info.coefficients}?sound=true`, location.protocol.replace("http", "ws")));
  socket.binaryType = "arraybuffer";
  const media = new MediaStream([...easel.stream.getTracks(), ...voice.stream.getTracks()]);
  signal.addEventListener("abort", () => {
    socket.close();
    easel.close();
    voice.close();
    if (video.srcObject === media) video.srcObject = null;
  });
  for (const type of ["pointerdown", "keydown"]) document.addEventListener(type, () => voice.wake(), { signal });
  const bases = avatar.tensors["head.bases"].shape[0];
  socket.onmessage = ({ data }) => {
    const { frame, pose, coefficients, samples } = read(data, halves);
    easel.show({ pose, head: coefficients.slice(0, bases), torso: coefficients.slice(bases) }, voice.say(frame, samples));
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onclose = ({ reason }) => reject(new Error(reason || "its socket could not be opened"));
  });
  socket.onclose = () => signal.aborted || onLost("The connection for the picture broke.");
  video.srcObject = media;
  return async () => NaN;
}

function read(data, halves) {
  const view = new DataView(data);
  const [count, said] = [view.getUint16(8, true), view.getUint16(10, true)];
  const start = HEADER + 48;
  return {
    frame: view.getUint32(0, true),
    pose: new Float32Array(data, HEADER, 12),
    coefficients: halves(new Uint16Array(data, start, count)),
    samples: Float32Array.from(new Int16Array(data, start + 2 * count, said), (sample) => sample / 32767),
  };
}

/** The clock, and what is heard by it. Where the browser lets nothing sound yet, pictures wait for nothing. */
class Voice {
  #context = new AudioContext({ sampleRate: RATE });
  #out = this.#context.createMediaStreamDestination();
  #origin = NaN; // of the session's frames, in seconds of the clock

  get stream() {
    return this.#out.stream;
  }

  wake() {
    if (this.#context.state === "suspended") this.#context.resume();
  }

  /** Has a frame's samples heard when it is due; returns how many milliseconds that is away. */
  say(frame, samples) {
    if (this.#context.state !== "running") return 0;
    const now = this.#context.currentTime;
    const due = this.#origin + frame / FPS;
    if (!(due >= now && due < now + 4 * DELAY)) this.#origin = Math.round((now + DELAY) * RATE) / RATE - frame / FPS;
    const start = this.#origin + frame / FPS;
    if (samples.length) {
      const buffer = this.#context.createBuffer(1, samples.length, RATE);
      buffer.copyToChannel(samples, 0);
      const source = new AudioBufferSourceNode(this.#context, { buffer });
      source.connect(this.#out);
      source.start(start);
    }
    return 1000 * (start - now);
  }

  close() {
    this.#context.close();
  }
}

/** Draws the newest that is due, before the avatar's own background; while a picture is in the making, others pass. */
class Easel {
  #renderer;
  #drawn; // what it draws into, before nothing
  #background;
  #canvas;
  #worker = new Worker("/player/order-worker.js", { type: "module" });
  #asked = null;
  #closed = false;

  static async open(avatar, Renderer) {
    return new Easel(avatar, Renderer, await createImageBitmap(new Blob([avatar.tensors.background.data])));
  }

  constructor(avatar, Renderer, background) {
    const { facts, tensors } = avatar;
    const { width, height } = facts.camera;
    this.#background = background;
    this.#canvas = Object.assign(document.createElement("canvas"), { width, height });
    this.#drawn = document.createElement("canvas");
    this.#renderer = new Renderer(this.#drawn, avatar);
    this.#worker.onmessage = ({ data }) => this.#draw(data.order);
    const { "head.means": means, "head.bases": bases, "head.reach": reach } = tensors;
    this.#worker.postMessage({ means: means.data, bases, reach: reach.data, moved: facts.head.moved });
    this.#canvas.getContext("2d").drawImage(background, 0, 0);
    this.stream = this.#canvas.captureStream();
  }

  show(moment, milliseconds) {
    setTimeout(() => {
      if (this.#closed || this.#asked || this.#renderer.busy) return;
      this.#asked = moment;
      this.#worker.postMessage({ coefficients: moment.head, pose: moment.pose });
    }, milliseconds);
  }

  #draw(order) {
    if (this.#closed) return;
    this.#renderer.draw({ ...this.#asked, order });
    const paint = this.#canvas.getContext("2d");
    paint.drawImage(this.#background, 0, 0);
    paint.drawImage(this.#drawn, 0, 0);
    this.#asked = null;
  }

  close() {
    this.#closed = true;
    this.#worker.terminate();
    this.#renderer.close();
  }
}
