// What the page says to its server, and what the server says back.

/** Something the server refused, in a sentence to show. `status` is the HTTP status, 0 when nothing answered. */
export class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** The server behind this page: fetches with the token, where there is one, and turns failures into sentences. */
export class Server {
  token = sessionStorage.getItem("gaussiantalker.token") ?? "";

  remember(token) {
    this.token = token;
    sessionStorage.setItem("gaussiantalker.token", token);
  }

  async ask(path, options = {}) {
    const headers = { ...options.headers };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const answer = await fetch(path, { ...options, headers }).catch((fault) => {
      if (fault.name === "AbortError") throw fault;
      throw new Refusal(0, "The server does not answer. Is “gaussiantalker serve” still running?");
    });
    if (!answer.ok) throw new Refusal(answer.status, await sentence(answer));
    return answer;
  }

  /** The address of something that is opened without headers: a socket, or a video element's source. */
  address(path, scheme = location.protocol) {
    const url = new URL(path, location.href);
    url.protocol = scheme;
    if (this.token) url.searchParams.set("token", this.token);
    return url.href;
  }
}

async function sentence(answer) {
  const problem = await answer.json().catch(() => ({}));
  const said = typeof problem.detail === "string" ? problem.detail : problem.title;
  return said || `The server answered ${answer.status} ${answer.statusText}`.trim() + ".";
}

/** One avatar that is there for this page. Dispatches the server's events by their type; `over` says why it ended. */
export class Session extends EventTarget {
  static async open(server, avatar, shows) {
    const answer = await server.ask("/v1/sessions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(avatar ? { avatar, shows } : { shows }),
    });
    return new Session(server, await answer.json());
  }

  #rate;
  #why = "";

  constructor(server, info) {
    super();
    this.server = server;
    this.info = info;
    this.over = false;
    this.#rate = info.sample_rate;
    this.socket = new WebSocket(server.address(info.socket, location.protocol.replace("http", "ws")));
    this.socket.onmessage = ({ data }) => this.#hear(data);
    this.socket.onclose = ({ code, reason }) => this.#end(code, reason);
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Refusal(0, "The connection for sound could not be opened."));
    });
    this.opened.catch(() => {}); // Whoever waits for it hears of it; nobody has to.
  }

  /** Sends an event, as JSON, or bytes. Nothing is sent once the session is over. */
  send(what) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(ArrayBuffer.isView(what) ? what : JSON.stringify(what));
  }

  /** Sends samples in [-1, 1] as 16-bit integers, after the news of their rate where it is another than before. */
  sound(samples, rate) {
    if (rate !== this.#rate) this.send({ type: "session.update", sample_rate: rate });
    this.#rate = rate;
    this.send(pcm16(samples));
  }

  close() {
    if (this.over) return;
    this.over = true;
    this.socket.close();
    this.server.ask(`/v1/sessions/${this.info.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  #hear(data) {
    const event = JSON.parse(data);
    if (event.type === "closed") this.#why = event.detail;
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
  }

  #end(code, reason) {
    if (this.over) return;
    this.close();
    const unsaid = code === 1006 ? "The connection to the server broke." : "The server ended the session.";
    this.dispatchEvent(new CustomEvent("over", { detail: this.#why || reason || unsaid }));
  }
}

/** Samples in [-1, 1] as little-endian 16-bit integers. */
function pcm16(samples) {
  const view = new DataView(new ArrayBuffer(samples.length * 2));
  for (let i = 0; i < samples.length; i++) {
    view.setInt16(2 * i, Math.round(Math.max(-1, Math.min(1, samples[i])) * 32767), true);
  }
  return view;
}
