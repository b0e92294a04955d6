"""The README of an avatar's folder: what it is, how it was made, how it may be used."""

from typing import Any


def model_card(facts: dict[str, Any], name: str = "this-folder") -> str:
    """Markdown for what an avatar's `avatar.json` tells, of an avatar that is loaded by this name."""
    training, schedule = facts["training"], facts["recipe"]["schedule"]
    return f"""# A talking head

An avatar made with GaussianTalker: {facts["gaussians"]:,} 3D Gaussians that move with speech.

| | |
|---|---|
| method | {facts["method"]["title"]} |
| training | schedule `{schedule["name"]}`, {training["steps"]:,} steps, {training["seconds"] / 60:.1f} minutes |
| pictures | {facts["camera"]["width"]} x {facts["camera"]["height"]}, 25 frames a second |
| consent | {facts.get("consent", "not recorded")} |
| speech features | {facts["speech"]["encoder"]}, {facts["speech"]["channels"]} channels |

```python
import gaussiantalker as gt

gt.Avatar.load("{name}").speak("hello.wav").save("hello.mp4")
```

`preview.mp4` shows it speaking sound it was not trained on.

## Before you use it
Everything it shows and says is **synthetic**. Use it only with the consent of the person it shows, say that the
video is generated wherever it is shown, and do not put words into anybody's mouth that they would not say.
"""
