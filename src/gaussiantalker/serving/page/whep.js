// WebRTC by the WHEP protocol: one offer, one answer, and nobody else is asked.

const GATHERING = 1000; // ms to wait for this machine's own addresses

/** Shows the session in the video element until the signal; resolves, when connected, to what measures its offset. */
export async function connect(session, video, signal, onLost) {
  if (!("RTCPeerConnection" in window)) throw new Error("this browser has none");
  const peer = new RTCPeerConnection();
  const media = new MediaStream();
  signal.addEventListener("abort", () => {
    peer.close();
    if (video.srcObject === media) video.srcObject = null;
  });
  for (const kind of ["video", "audio"]) {
    media.addTrack(peer.addTransceiver(kind, { direction: "recvonly" }).receiver.track);
  }
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  const answer = await session.server.ask(session.info.whep, {
    method: "POST",
    headers: { "Content-Type": "application/sdp" },
    body: peer.localDescription.sdp,
    signal,
  });
  const resource = answer.headers.get("Location");
  const leave = () => session.server.ask(resource, { method: "DELETE", keepalive: true }).catch(() => {});
  if (resource) signal.addEventListener("abort", leave);
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  await new Promise((resolve, reject) => {
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === "connected") resolve();
      if (peer.connectionState === "failed") reject(new Error("it finds no way through the network"));
    };
  });
  peer.onconnectionstatechange = () => peer.connectionState === "failed" && onLost("The connection for the picture broke.");
  video.srcObject = media;
  return () => offset(peer);
}

/** Milliseconds by which the sound that is heard now is ahead of the picture that is seen now. */
async function offset(peer) {
  const playing = { audio: NaN, video: NaN };
  for (const { type, kind, estimatedPlayoutTimestamp } of (await peer.getStats()).values()) {
    if (type === "inbound-rtp") playing[kind] = estimatedPlayoutTimestamp ?? NaN;
  }
  return playing.audio - playing.video;
}

function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, GATHERING);
    check();
  });
}
