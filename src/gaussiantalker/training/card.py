"""The README of an avatar's folder: what it is, how it was made, how it may be used."""

from typing import Any

from gaussiantalker.talker import find_method


def model_card(info: dict[str, Any]) -> str:
    """Markdown for an avatar's `avatar.json`."""
    training, schedule = info["training"], info["recipe"]["schedule"]
    return f"""# A talking head

An avatar made with GaussianTalker: {info["gaussians"]:,} 3D Gaussians that move with speech.

| | |
|---|---|
| method | {find_method(info["method"]).title} |
| training | schedule `{schedule["name"]}`, {training["steps"]:,} steps, {training["seconds"] / 60:.1f} minutes |
| pictures | {info["camera"]["width"]} x {info["camera"]["height"]}, 25 frames a second |
| speech features | {info["speech"]["encoder"]}, {info["speech"]["channels"]} channels |

```python
import gaussiantalker as gt

gt.Avatar.load("this-folder").speak("hello.wav").save("hello.mp4")
```

`preview.mp4` shows it speaking sound it was not trained on.

## Before you use it
Everything it shows and says is **synthetic**. Use it only with the consent of the person it shows, say that the
video is generated wherever it is shown, and do not put words into anybody's mouth that they would not say.
"""
