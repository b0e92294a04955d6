"""A live client: a running server is sent a sound, and what the avatar says is kept as it comes.

gaussiantalker serve AVATAR
python examples/07_live_client.py http://127.0.0.1:8080 SOUND.wav FILM.mp4
"""

import json
import shutil
import sys
import wave
from threading import Thread
from urllib.request import Request, urlopen

from websockets.sync.client import connect


def keep(stream, film):
    with urlopen(stream) as source, open(film, "wb") as out:
        shutil.copyfileobj(source, out)


if __name__ == "__main__":
    server, sound, film = sys.argv[1:]
    with urlopen(Request(f"{server}/v1/sessions", method="POST")) as answer:
        session = json.load(answer)
    with wave.open(sound) as file:  # 16-bit, mono
        rate, pcm = file.getframerate(), file.readframes(file.getnframes())
    watching = Thread(target=keep, args=(server + session["stream"], film))
    watching.start()  # the avatar's time stands still until somebody watches
    with connect("ws" + server.removeprefix("http") + session["socket"]) as socket:
        socket.send(json.dumps({"type": "session.update", "sample_rate": rate}))
        for start in range(0, len(pcm), 8_000):
            socket.send(pcm[start : start + 8_000])
        socket.send(json.dumps({"type": "segment.end"}))
        for event in map(json.loads, socket):
            print(event)
            if event["type"] == "speech.ended":
                break
    urlopen(Request(f"{server}/v1/sessions/{session['id']}", method="DELETE")).close()  # and the film ends
    watching.join()
