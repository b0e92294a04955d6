"""Reads and writes folders in AD-NeRF's dataset layout, so that people can bring what they have preprocessed."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from gaussiantalker import pretrained, speech
from gaussiantalker.capture import adnerf
from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter
from gaussiantalker.capture.face_mesh import load_face_mesh
from gaussiantalker.capture.faces import find_faces, gaps
from gaussiantalker.capture.folder import Capture
from gaussiantalker.capture.labels import BACKGROUND, HEAD
from gaussiantalker.capture.pose import FilmedHead, place_shape
from gaussiantalker.capture.sync import FILM_SOUND
from gaussiantalker.capture.tracking import save_tracking
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media import audio
from gaussiantalker.media.files import make_folder, read_array, read_arrays, write_json
from gaussiantalker.media.image import read_image, write_image
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speech.deepspeech import read_windows
from gaussiantalker.speech.projection import fit
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

_SOUNDS = ("aud.wav", "audio.wav")
_WINDOWS = ("aud_ds.npy", "aud.npy")
_LOGITS = 29  # channels that readers of aud_ds.npy expect
_UNIT = 0.9  # their lengths are decimetres; the outer corners of the eyes are about 9 cm apart


def pictures(folder: Path) -> list[Path]:
    """ori_imgs by frame number. Raises GaussianTalkerError when there are none, or one between them is missing."""
    found = [p for p in (folder / "ori_imgs").iterdir() if p.suffix in (".jpg", ".png") and p.stem.isdigit()]
    files = {int(path.stem): path for path in found}
    if not files:
        raise GaussianTalkerError(
            f"{folder / 'ori_imgs'} holds no numbered pictures; run the dataset's own extraction."
        )
    missing = sorted(set(range(min(files), max(files))) - set(files))
    if missing:
        raise GaussianTalkerError(f"{folder / 'ori_imgs'} lacks picture {missing[0]}; extract the frames again.")
    return [files[k] for k in sorted(files)]


def ingest_dataset(source: Path, folder: Path, size: int, progress: Progress) -> dict:
    """What `ingest` does for a video, for ori_imgs and aud.wav of a dataset."""
    files = pictures(source)
    side = len(read_image(files[0]))
    progress.stage("landmarks", len(files))

    def squares(first: int) -> Iterator[np.ndarray]:
        for file in files[first:]:
            picture = read_image(file)
            if picture.shape != (side, side, 3):
                raise GaussianTalkerError(f"{file} is not a square like the first picture; crop all of them alike.")
            yield picture

    found = find_faces(folder, squares, side, size, progress)
    if np.mean(found) < 0.5:
        raise GaussianTalkerError(
            f"A face is seen in only {np.mean(found):.0%} of {source}; give a dataset that shows one person's face."
        )
    sound = next((source / name for name in _SOUNDS if (source / name).exists()), None)
    if sound is not None:
        audio.copy_wav(sound, folder / FILM_SOUND, len(files) * SAMPLES_PER_FRAME)
    windows = next((source / name for name in _WINDOWS if (source / name).exists()), None)
    if windows is not None:
        kept = read_windows(windows)
        # Theirs may be a few windows longer or shorter than the pictures; their reader repeats the last one, too.
        np.save(folder / "deepspeech.npy", kept[np.minimum(np.arange(len(files)), len(kept) - 1)])
    return {
        "frames": len(files),
        "first_number": int(files[0].stem),
        "sound": sound is not None,
        "source_size": [side, side],
        "source_fps": float(FPS),
        "crop": [0, 0, side],
        "other_people": 0,
        "cut": gaps(found),
    }


def track_dataset(source: Path, folder: Path, size: int, facts: dict, progress: Progress) -> dict:
    """What `track` does, with the dataset's own poses, and its au.csv if there is one.

    The dataset's head has another size, middle and front; landmarks triangulated with its poses say where this
    package's head lies in it.
    """
    progress.stage("head pose", 1)
    poses = adnerf.read_poses(source)
    numbers = np.arange(facts["frames"]) + facts["first_number"]
    rows = np.searchsorted(poses.frames, numbers).clip(0, len(poses.frames) - 1)
    posed = poses.frames[rows] == numbers
    found = read_arrays(folder / "faces.npz", "found")["found"] & posed
    if not found.any():
        raise GaussianTalkerError(f"The poses in {source} belong to other frames than its pictures; track it again.")
    focal = poses.focal * size / facts["source_size"][0]
    given = FilmedHead(focal, np.zeros((0, 3)), poses.rotations[rows], poses.translations[rows], np.zeros(len(rows)))
    mesh = load_face_mesh(pretrained.path("face-landmarker"))
    landmarks = read_array(folder / "landmarks.npy")
    motion = place_shape(given, landmarks, found, mesh, size)
    blink = adnerf.read_blink(source / "au.csv", facts["frames"]) if (source / "au.csv").exists() else None
    progress.update(1)
    return save_tracking(folder, motion, mesh, size, blink=blink)


def label_dataset(source: Path, folder: Path, facts: dict, progress: Progress) -> dict:
    """labels.npy from parsing/*.png, by the nearest of the layout's four colours."""
    size = ArrayReader(folder / "frames.npy").shape[1]
    progress.stage("head, neck and torso masks", facts["frames"])
    colours = adnerf.PARSING_COLOURS.astype(int)
    shares = np.zeros(4)
    with ArrayWriter(folder / "labels.npy", (size, size)) as writer:
        for k in range(facts["frames"]):
            picture = read_image(source / "parsing" / f"{k + facts['first_number']}.png")
            nearest = np.abs(picture[..., None, :].astype(int) - colours).sum(-1).argmin(-1).astype(np.uint8)
            labels = np.asarray(Image.fromarray(nearest).resize((size, size), Image.Resampling.NEAREST))
            shares += np.bincount(labels.ravel(), minlength=4) / labels.size
            writer.append(labels[None])
            progress.update(k + 1)
    names = ("background", "head", "neck", "torso")
    return {"mean_shares": dict(zip(names, (shares / facts["frames"]).round(4).tolist(), strict=True))}


def write_dataset(capture: Capture, folder: str | Path, progress: Progress = SILENT) -> None:
    """Writes a capture in AD-NeRF's layout: pictures, parsing, torso, background, landmarks, poses, sound, au.csv.

    Lengths are decimetres, as in their tracker. aud_ds.npy holds the DeepSpeech windows that the capture came with;
    else 29 principal components of Whisper's features in the same shape, on which their networks train as well, and
    which whoever drives such a network must compute in the same way.
    """
    folder, tracking, count = Path(folder), capture.tracking, capture.frames
    for name in ("ori_imgs", "gt_imgs", "parsing", "torso_imgs"):
        make_folder(folder / name)
    progress.stage("write dataset", count)
    write_image(folder / "bc.jpg", capture.background)
    for k in range(count):
        labels, picture = capture.labels[k], capture.images[k]
        write_image(folder / "ori_imgs" / f"{k}.jpg", picture)
        np.savetxt(folder / "ori_imgs" / f"{k}.lms", tracking.landmarks[k, list(adnerf.LANDMARKS_68)], "%.4f")
        write_image(folder / "parsing" / f"{k}.png", adnerf.PARSING_COLOURS[labels])
        behind = np.where(labels[..., None] == BACKGROUND, capture.background, picture)
        write_image(folder / "gt_imgs" / f"{k}.jpg", behind)
        plate = capture.plates[k]
        body = (labels > HEAD) | (np.abs(plate.astype(int) - capture.background).max(-1) > 8) & (labels == HEAD)
        write_image(folder / "torso_imgs" / f"{k}.png", np.dstack([plate, 255 * body.astype(np.uint8)]))
        progress.update(k + 1)
    _write_poses(capture, folder)
    if capture.has_audio:
        audio.write_wav(folder / "aud.wav", capture.audio)
        cut = capture.train_frames * SAMPLES_PER_FRAME
        audio.write_wav(folder / "aud_train.wav", capture.audio[:cut])
        audio.write_wav(folder / "aud_novel.wav", capture.audio[cut:])
    features = _windows(capture, progress)
    if features is not None:
        np.save(folder / "aud_ds.npy", features)
    lines = ["frame, AU45_r", *(f"{k + 1}, {2 * value:.3f}" for k, value in enumerate(tracking.blink))]
    (folder / "au.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _windows(capture: Capture, progress: Progress) -> np.ndarray | None:  # [N, 16, 29] float32
    """What the field's readers expect to find of the sound in every frame."""
    if capture.deepspeech is not None or not capture.has_audio:
        return capture.deepspeech
    rows = speech.load("whisper", progress).features(capture.audio)
    return speech.windows(fit(rows, _LOGITS).apply(rows))


def _write_poses(capture: Capture, folder: Path) -> None:
    import torch

    tracking, count, focal = capture.tracking, capture.frames, capture.camera.focal
    translations = tracking.translations * _UNIT
    euler, trans = adnerf.to_tracker(tracking.rotations, translations)
    vertices = torch.tensor(tracking.points @ adnerf.FLIP * _UNIT, dtype=torch.float32)
    tensors = {"euler": torch.tensor(euler), "trans": torch.tensor(trans), "focal": torch.tensor([focal])}
    # One mesh for all frames: an expanded tensor is stored once.
    torch.save(tensors | {"vertices": vertices.expand(count, -1, -1)}, folder / "track_params.pt")
    matrices = adnerf.to_transform(tracking.rotations, translations)
    for name, part in (("train", range(capture.train_frames)), ("val", range(capture.train_frames, count))):
        frames = [{"img_id": k, "aud_id": k, "transform_matrix": matrices[k].tolist()} for k in part]
        half = capture.size / 2
        write_json(folder / f"transforms_{name}.json", {"focal_len": focal, "cx": half, "cy": half, "frames": frames})
