"""A conversation: what is said into the microphone is answered by any chat server, with an avatar's face and a voice.

pip install 'gaussiantalker[serve,voice]' httpx sounddevice
gaussiantalker serve AVATAR
export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=… CHAT_MODEL=… EAR_MODEL=whisper-1
python examples/10_conversation.py http://127.0.0.1:8080 heart|server:alloy [QUESTIONS.wav]

Open the address that it shows, and wear headphones: the avatar falls silent when anybody speaks, itself included.
"""

import io
import json
import os
import re
import sys
import time
import wave
from collections import deque
from threading import Event, Lock, Thread

import httpx
import numpy as np
from websockets.sync.client import connect

from gaussiantalker.voice import find_voice

RATE, BLOCK = 16_000, 480  # samples a second, and in a block: 30 ms
LOUD = 0.02  # of full scale, and more, is speech
BEGINS, RECENT, PAUSE = 4, 12, 25  # blocks: loud ones of the recent that begin an utterance, quiet ones that end it
CHAT, EAR = os.environ.get("CHAT_MODEL", "gpt-4o-mini"), os.environ.get("EAR_MODEL", "whisper-1")
TASK = {"role": "system", "content": "You talk with somebody. Answer in a few short sentences, without any markup."}


def listen(file=None):
    """PCM16 as it comes, 30 ms at a time: from the microphone, or from a WAV file of 16 kHz in its place."""
    if file:
        with wave.open(file) as sound:
            while block := sound.readframes(BLOCK):
                yield block
                time.sleep(BLOCK / RATE)
        return
    import sounddevice

    with sounddevice.RawInputStream(RATE, BLOCK, channels=1, dtype="int16") as stream:
        while True:
            yield bytes(stream.read(BLOCK)[0])


def utterances(blocks, began):
    """What is said, each when it has ended, as PCM16; `began` is called when one begins."""
    recent, said, quiet = deque(maxlen=RECENT), [], 0
    for block in blocks:
        loud = np.frombuffer(block, "<i2").std() > LOUD * 32768
        quiet = 0 if loud else quiet + 1
        recent.append((block, loud))
        if said:
            said.append(block)
        elif sum(loud for _, loud in recent) >= BEGINS:
            began()
            said = [block for block, _ in recent]
        if said and quiet >= PAUSE:
            yield b"".join(said)
            said = []


class Partner:
    """Answers through a session's socket, turn by turn. Of its own sentences it remembers those that were heard."""

    def __init__(self, servers, socket, voice):
        self.servers, self.socket, self.voice = servers, socket, voice
        self.memory, self.sent, self.seconds = [TASK], [], 0.0  # sent: sentences, and the second when each begins
        self.turn, self.lock, self.silent = 0, Lock(), Event()
        socket.send(json.dumps({"type": "session.update", "sample_rate": voice.rate}))
        Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for event in map(json.loads, self.socket):
            if event["type"] == "speech.ended":
                heard = " ".join(sentence for second, sentence in self.sent if second < event["position"])
                self.memory.append({"role": "assistant", "content": heard})
                self.sent, self.seconds = [], 0.0
                if not event["interrupted"]:
                    self.silent.set()
            if event["type"] not in ("metrics", "buffer.level"):
                print(event)

    def fall_silent(self):
        with self.lock:
            self.turn += 1
            self.silent.clear()
            self.socket.send(json.dumps({"type": "interrupt"}))

    def answer(self, pcm):
        Thread(target=self.say_answer, args=(pcm, self.turn)).start()

    def say_answer(self, pcm, turn):
        self.memory.append({"role": "user", "content": self.understood(pcm)})
        print(self.memory[-1]["content"])
        for sentence in self.thought():
            self.sent.append((self.seconds, sentence))
            for piece in self.voice.say(sentence):
                with self.lock:
                    if turn != self.turn:  # somebody speaks
                        return
                    self.socket.send((piece * 32767).astype("<i2").tobytes())
                self.seconds += len(piece) / self.voice.rate
        self.socket.send(json.dumps({"type": "segment.end"}))

    def understood(self, pcm):
        with wave.open(file := io.BytesIO(), "wb") as out:
            out.setparams((1, 2, RATE, 0, "NONE", ""))
            out.writeframes(pcm)
        asked = {"files": {"file": ("said.wav", file.getvalue())}, "data": {"model": EAR}}
        return self.servers.post("audio/transcriptions", **asked).raise_for_status().json()["text"]

    def thought(self):
        """The answer, sentence by sentence, while the rest is still being thought of."""
        asked, rest = {"model": CHAT, "messages": self.memory, "stream": True}, ""
        with self.servers.stream("POST", "chat/completions", json=asked) as answer:
            for line in answer.raise_for_status().iter_lines():
                if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
                    *whole, rest = re.split(r"(?<=[.!?])\s+", rest + (choices[0]["delta"].get("content") or ""))
                    yield from whole
        if rest.strip():
            yield rest


if __name__ == "__main__":
    server, voice, *sound = sys.argv[1:]
    base, key = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"), os.environ.get("OPENAI_API_KEY", "none")
    session = httpx.post(f"{server}/v1/sessions").raise_for_status().json()
    print(f"Watch: {server}{session['stream']}", flush=True)
    with (
        httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=30) as servers,
        connect("ws" + server.removeprefix("http") + session["socket"]) as socket,
    ):
        partner = Partner(servers, socket, find_voice(voice))
        for pcm in utterances(listen(*sound), partner.fall_silent):
            partner.answer(pcm)
        partner.silent.wait(60)
    httpx.delete(f"{server}/v1/sessions/{session['id']}")
