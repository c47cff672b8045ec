"""Clips: AVI and MP4 frames, one at a time, and when frames were taken."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest

import usimg
from usimg.vision import cv2


@pytest.fixture(scope="module", params=[("avi", "MJPG"), ("mp4", "mp4v")], ids=lambda p: p[0])
def clip(request, tmp_path_factory):
    """Twelve frames whose mean level tells their number."""
    suffix, code = request.param
    path = tmp_path_factory.mktemp("clips") / f"scan.{suffix}"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25.0, (160, 120))
    for number in range(12):
        writer.write(np.full((120, 160, 3), 20 + 15 * number, np.uint8))
    writer.release()
    return path


def test_each_frame_of_a_clip_is_itself_in_any_order(clip):
    scan = usimg.read(clip)
    assert len(scan.frames) == 12
    for number in (7, 2, 11, 0, 8):
        assert scan.frames[number].gray.mean() == pytest.approx(20 + 15 * number, abs=3)


def test_a_clip_has_the_times_of_its_rate_and_no_scale(clip):
    scan = usimg.read(clip)
    assert scan.times_ms[3] == pytest.approx(120.0)
    assert any("rate" in note for note in scan.notes)
    assert scan.frames[0].calibration is None
    assert "no scale" in scan.frames[0].calibration_reason


def test_a_cut_clip_is_refused_or_read_as_far_as_it_goes(clip, tmp_path):
    raw = clip.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path = tmp_path / f"cut{clip.suffix}"
        path.write_bytes(raw[: int(len(raw) * share)])
        try:
            frames = usimg.read(path).frames
            ended = str(frames[-1].gray.shape == frames[-1].shape)
        except usimg.UsimgError as refusal:
            ended = str(refusal)
        assert ended == "True" or path.name in ended


def test_frame_times_come_from_the_vector_or_are_said_to_be_unknown(sample_dicoms, tmp_path):
    path = next(p for p in sorted(sample_dicoms.glob("IM_*.dcm")) if len(usimg.read(p).frames) == 5)
    ds = pydicom.dcmread(path)
    assert usimg.read(path).times_ms == pytest.approx((0, 40, 80, 120, 160))
    del ds.FrameTime
    ds.save_as(tmp_path / "unknown.dcm")
    unknown = usimg.read(tmp_path / "unknown.dcm")
    assert unknown.times_ms is None
    assert any("does not say when" in note for note in unknown.notes)
    ds.FrameTimeVector = [0, 10, 30, 10, 20]
    ds.save_as(tmp_path / "vector.dcm")
    assert usimg.read(tmp_path / "vector.dcm").times_ms == pytest.approx((0, 10, 40, 50, 70))
