"""Real scans: the traps of the reference (2.3), printed calipers (5.1), and an end for every file."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest

import usimg
from usimg.errors import CalibrationRefused


@pytest.fixture(scope="session")
def us_dicom(shared_data) -> Path:
    return shared_data / "us_dicom"


@pytest.fixture(scope="session")
def deid() -> Path:
    return Path(pytest.importorskip("deid_data").__file__).parent / "data" / "ultrasounds"


@pytest.fixture(scope="session")
def pydicom_files() -> Path:
    import pydicom

    return Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture(scope="session")
def clips(deid, tmp_path_factory) -> Path:
    """The two zipped clips of deid-data, unpacked."""
    folder = tmp_path_factory.mktemp("clips")
    for name in ("RGB_CINE", "GREYSCALE_CINE"):
        with zipfile.ZipFile(deid / f"{name}.zip") as archive:
            archive.extract(f"{name}.dcm", folder)
    return folder


def scale(path: Path) -> tuple[float, float]:
    """px per cm, (rows, cols)."""
    calibration = usimg.read(path).frames[0].calibration
    assert calibration is not None
    return 10 / calibration.row_mm, 10 / calibration.col_mm


# Calipers: what the scanner printed against what the calibration says. Ends are (x, y).
CALIPERS = [
    ("philips_cx50_rle_palette", (459.5, 290.5), (498.5, 301.5), 1.06, 2),
    ("mindray_follicle_rle", (411, 470), (450, 505), 0.76, 2),
    ("mindray_follicle_rle", (508, 483), (505, 545), 0.90, 2),
    ("mindray_follicle_rle", (578, 533), (667, 554), 1.33, 2),
    ("philips_ascao_jpegll", (629, 319), (689, 435), 3.3, 1),
]


@pytest.mark.parametrize(("name", "start", "end", "printed_cm", "digits"), CALIPERS)
def test_a_caliper_measures_what_the_scanner_printed(us_dicom, name, start, end, printed_cm, digits):
    frame = usimg.read(us_dicom / f"{name}.dcm").frames[0]
    ends = np.array([start, end], float)[:, ::-1]
    calibration = frame.calibration_at(ends)
    length_cm = np.hypot(*(np.diff(ends, axis=0)[0] * calibration.spacing)) / 10
    tolerance = max(0.5 * 10**-digits, max(calibration.spacing) / 10)
    assert length_cm == pytest.approx(printed_cm, abs=tolerance)


# The printed crosses themselves: the grey that was decoded lies where the scanner drew it.
@pytest.mark.parametrize(("name", "start", "end", "printed_cm", "digits"), CALIPERS)
def test_the_caliper_is_bright_where_its_ends_are(us_dicom, name, start, end, printed_cm, digits):
    gray = usimg.read(us_dicom / f"{name}.dcm").frames[0].gray
    for x, y in (start, end):
        around = gray[int(y) - 6 : int(y) + 8, int(x) - 6 : int(x) + 8]
        assert around.max() >= 200


def test_trap_1_centimetres_and_pixel_spacing_agree(deid):
    assert scale(deid / "RGB_IMAGE.dcm") == pytest.approx((42.04, 42.04), abs=0.01)


@pytest.mark.parametrize(
    ("name", "px_per_cm"), [("hp_echo_anisotropic_34f", 43.75), ("philips_cx50_rle_palette", 38.13)]
)
def test_trap_2_an_ecg_strip_beside_the_picture_does_not_count(us_dicom, name, px_per_cm):
    assert scale(us_dicom / f"{name}.dcm")[0] == pytest.approx(px_per_cm, abs=0.01)


def test_trap_3_a_rescaled_picture_with_its_old_region_is_refused(pydicom_files):
    frame = usimg.read(pydicom_files / "examples_ybr_color.dcm").frames[0]
    assert frame.calibration is None
    assert "276 px outside the picture" in frame.calibration_reason
    with pytest.raises(CalibrationRefused, match="outside the picture"):
        frame.calibration_at(np.array([[100, 100], [100, 150], [150, 150.0]]))


def test_trap_4_a_cropped_picture_with_its_old_region_is_refused_until_someone_vouches(pydicom_files):
    frame = usimg.read(pydicom_files / "examples_palette.dcm").frames[0]
    assert frame.calibration is None
    assert "rescaled or cropped" in frame.calibration_reason
    # what a person finds with the printed caliper of 1.06 cm, 40.52 px
    vouched = frame.with_calibration(usimg.Calibration(10.6 / 40.52, 10.6 / 40.52, "person", region=0))
    assert vouched.calibration.row_mm == pytest.approx(0.2622, rel=3e-3)


@pytest.mark.parametrize("name", ["mindray_follicle_rle", "philips_cx50_rle_palette"])
def test_trap_5_a_region_one_pixel_too_long_is_clipped(us_dicom, name):
    scan = usimg.read(us_dicom / f"{name}.dcm")
    region = scan.frames[0].regions[0]
    assert region.box[2] <= scan.frames[0].shape[0]
    assert region.box[3] <= scan.frames[0].shape[1]
    assert region.declared != region.box
    assert scan.frames[0].calibration is not None
    assert any("clipped" in note for note in scan.notes)


def test_trap_6_rows_and_columns_have_their_own_scale(us_dicom):
    assert scale(us_dicom / "hp_echo_anisotropic_34f.dcm") == pytest.approx((43.75, 35.0), abs=0.01)


def test_traps_7_and_8_an_inverse_negative_delta_is_refused_as_absurd(us_dicom):
    frame = usimg.read(us_dicom / "acuson_echo_fragmented_8f.dcm").frames[0]
    assert frame.calibration is None
    assert "46.3 cm deep" in frame.calibration_reason


def test_trap_9_a_reference_pixel_outside_or_absent_does_not_matter(clips, deid, us_dicom):
    assert scale(clips / "RGB_CINE.dcm") == pytest.approx((147.77, 147.75), abs=0.01)
    assert scale(us_dicom / "philips_ascao_jpegll.dcm")[0] == pytest.approx(39.25, abs=0.01)


def test_trap_10_regions_without_a_length_have_none(us_dicom):
    bar = usimg.read(us_dicom / "aloka_dual_palette16.dcm").frames[0].regions[2]
    assert bar.content == "grey_bar"
    assert bar.calibration is None


def test_trap_11_two_exports_of_one_scan_have_two_scales(deid, clips):
    assert scale(deid / "GREYSCALE_IMAGE.dcm")[0] == pytest.approx(154.07, abs=0.01)
    assert scale(clips / "GREYSCALE_CINE.dcm")[0] == pytest.approx(120.37, abs=0.01)


def test_trap_12_the_field_lies_inside_its_region(shared_data):
    frame = usimg.read(shared_data / "nerve_dicom" / "esaote_elbow_long.dcm").frames[0]
    r0, c0, r1, c1 = frame.regions[0].box
    rows, cols = np.nonzero(frame.scan_area)
    assert frame.scan_area[r0:r1, c0:c1].sum() == frame.scan_area.sum()
    assert cols.min() >= c0
    assert not frame.scan_area[:, :c0].any()  # grey bar, settings and the burned-in label
    assert rows.min() == pytest.approx(76, abs=3)
    assert frame.calibration.row_mm == pytest.approx(0.0616, rel=1e-4)


def test_trap_13_two_panes_of_one_scale_measure_alike(us_dicom):
    frame = usimg.read(us_dicom / "aloka_dual_palette16.dcm").frames[0]
    outline = np.array([[100, 100], [100, 150], [150, 150.0]])
    assert frame.calibration_at(outline).region == 0
    assert frame.calibration_at(outline + np.array([0, 300])).region == 1
    with pytest.raises(CalibrationRefused, match="crosses two pictures"):
        frame.calibration_at(outline + np.array([0, 210]))


@pytest.mark.parametrize(
    "name", ["philips_pancreas_nocal_jls", "atl_colour_ybrfull_native", "color_planar_quad", "ge_node_j2k"]
)
def test_trap_16_no_scale_is_said_and_not_guessed(us_dicom, name):
    frame = usimg.read(us_dicom / f"{name}.dcm").frames[0]
    assert frame.calibration is None
    assert frame.calibration_reason == "the file states no scale"


def test_a_loose_item_tag_does_not_stop_the_reading(us_dicom):
    scan = usimg.read(us_dicom / "philips_pancreas_nocal_jls.dcm")
    assert scan.header.manufacturer == "Philips Medical Systems"
    assert scan.frames[0].gray.shape == (768, 1024)


def test_all_frames_of_a_fragmented_clip_without_offset_table_decode(us_dicom):
    clip = usimg.read(us_dicom / "acuson_echo_fragmented_8f.dcm")
    means = [float(frame.gray.mean()) for frame in clip.frames]
    assert len(means) == 8
    assert len(set(means)) > 1


def test_jpeg_luminance_equals_what_another_decoder_finds(us_dicom):
    from io import BytesIO

    import pydicom
    from PIL import Image
    from pydicom.encaps import get_frame

    path = us_dicom / "hp_echo_anisotropic_34f.dcm"
    stream = get_frame(pydicom.dcmread(path).PixelData, 20, number_of_frames=34)
    picture = Image.open(BytesIO(stream))
    picture.draft("YCbCr", picture.size)
    gray = usimg.read(path).frames[20].gray
    assert np.abs(gray.astype(int) - np.asarray(picture)[..., 0]).max() <= 1


def test_one_frame_of_a_104_mb_clip_does_not_load_the_rest(clips):
    code = textwrap.dedent(
        """
        import resource, sys, usimg
        import usimg.readers.dicom_pixels
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        scan = usimg.read(sys.argv[1])
        opened = peak()
        gray = scan.frames[25].gray
        assert gray.shape == (672, 1016) and len(scan.frames) == 51
        print((peak() - opened) // 1024)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(clips / "RGB_CINE.dcm")], capture_output=True, text=True, check=True
    )
    # one frame is 2 MB of colour, 0.7 MB of grey and what luma takes on the way; the clip has 104
    assert int(done.stdout) < 30


def real_files(shared: Path) -> list[Path]:
    return sorted(
        path
        for path in shared.rglob("*")
        if path.suffix in (".dcm", ".png", ".webp", ".jpg", ".csv", ".md") and path.is_file()
    )


def test_every_real_file_ends_in_a_picture_or_a_refusal(shared_data):
    opened, refusals = 0, {}
    files = [*real_files(shared_data / "us_dicom"), *real_files(shared_data / "nerve_dicom")]
    for name in ("dltrack_apo", "nerve_vessel", "timtrack_observers", "acsauto_panoramic", "vlcsa_panoramic"):
        files += real_files(shared_data / name)[::7]
    for path in files:
        try:
            frame = usimg.read(path).frames[0]
        except usimg.UsimgError as refusal:
            refusals[path] = str(refusal)
        else:
            assert frame.gray.shape == frame.shape
            assert (frame.calibration is None) == bool(frame.calibration_reason)
            opened += 1
    assert opened > 50
    assert {path.suffix for path in refusals} <= {".csv", ".md"}
    assert all(path.name in said for path, said in refusals.items())


def test_every_file_of_the_dicom_packages_ends_in_a_picture_or_a_refusal(pydicom_files):
    folders = [pydicom_files]
    store = pytest.importorskip("data_store")
    folders.append(Path(store.__file__).parent / "data")
    opened, refusals = 0, {}
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.is_file()):
        if path.stat().st_size > 3_000_000:
            continue
        try:
            usimg.read(path).frames[0].gray  # noqa: B018
            opened += 1
        except usimg.UsimgError as refusal:
            refusals[path] = str(refusal)
    assert opened > 40
    assert all(path.name in said for path, said in refusals.items())
