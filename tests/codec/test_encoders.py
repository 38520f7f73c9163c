"""The named sets of the encoder's settings, and what x264 makes of each."""

from dataclasses import replace
from fractions import Fraction

import av.logging
import pytest
from av.codec.context import CodecContext
from av.video.frame import PictureType

from beam_pipeline.codec.settings import ENCODERS, ClipSettings
from tests.codec import made_of, opened
from tests.kinetics import configured
from tests.make_clips import clip


def types_of_frames(made: bytes) -> str:
    """The letters of the frames' types, in the order in which they are shown."""
    with opened(made) as container:
        return "".join(PictureType(frame.pict_type).name for frame in container.decode(video=0))


def of(*flags: str) -> ClipSettings:
    return configured(*flags).clip


def test_a_named_set_stands_for_its_settings() -> None:
    assert of() == of("--encoder=default") == ClipSettings()
    assert of("--encoder=small") == of(
        "--preset=slower", "--crf=23", "--gop=250", "--tune=psnr", "--coder=cabac"
    )


def test_a_preset_comes_without_the_parameters_of_the_set_and_keeps_the_rest() -> None:
    wanted = replace(ENCODERS["reads"], preset="medium", x264_params="")
    assert of("--encoder=reads", "--preset=medium") == wanted


@pytest.mark.parametrize(
    ("flag", "changed"),
    [
        ("--crf=30.5", {"crf": 30.5}),
        ("--gop=9", {"gop": 9}),
        ("--tune=ssim", {"tune": "ssim"}),
        ("--coder=cavlc", {"coder": "cavlc"}),
    ],
)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_another_flag_replaces_one_setting_of_the_set(
    encoder: str, flag: str, changed: dict[str, object]
) -> None:
    assert of(f"--encoder={encoder}", flag) == replace(ENCODERS[encoder], **changed)


def test_x264_takes_the_parameters_and_a_crf_with_decimals() -> None:
    source = clip(codec="mpeg4", size=(320, 256), frames=24)
    made = made_of(source, x264_params="bframes=3:b-adapt=0:scenecut=0")
    assert types_of_frames(made)[:9] == "IBBBPBBBP"
    made = made_of(source, x264_params="bframes=0:scenecut=0")
    assert types_of_frames(made)[:9] == "IPPPPPPPP"
    sizes = [len(made_of(source, crf=crf)) for crf in (22, 22.5, 23)]
    assert sizes[0] > sizes[1] > sizes[2]


def complaints_about(parameters: str) -> list[str]:
    """What FFmpeg logs where x264 does not know a parameter; it goes on without it."""
    context = CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = 64, 64, "yuv420p"
    context.time_base, context.options = Fraction(1, 25), {"x264-params": parameters}
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as logged:
            context.open()
    finally:
        av.logging.set_level(None)
    return [text for _, _, text in logged if "parsing option" in text]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_x264_knows_every_parameter_of_a_set(encoder: str) -> None:
    assert complaints_about("bframe-count=1")
    assert complaints_about(ENCODERS[encoder].x264_params) == []
