"""A journal is readable up to where its writer was killed; damaged files are rejected as a whole."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.messages import Message
from harness.record.frames import MAGIC, Frame, FrameReader, FrameWriter

FRAMES: list[Frame] = [
    {"kind": "start", "schema": 1},
    {"kind": "second", "second": 0, "series": [[1, b"\x00\x01", None]]},
    {"kind": "end", "at_s": 1.5, "reason": "done"},
]


def written(path: Path) -> bytes:
    with FrameWriter(path) as writer:
        for frame in FRAMES:
            writer.write(frame)
    return path.read_bytes()


def read(path: Path) -> tuple[list[Frame], bool]:
    reader = FrameReader(path)
    return list(reader.new_frames()), reader.cut_off


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    assert read(tmp_path / "journal") == (FRAMES, False)


def test_a_frame_that_finds_no_room_leaves_nothing_behind(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with FrameWriter(tmp_path / "journal") as writer:
        writer.write(FRAMES[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "journal").stat().st_size + 20, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                writer.write(FRAMES[1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.write(FRAMES[2])
    assert read(tmp_path / "journal") == ([FRAMES[0], FRAMES[2]], False)


def test_a_file_cut_at_any_byte_reads_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    whole = written(tmp_path / "journal")
    ends = [len(MAGIC)]
    for at in range(1, len(FRAMES) + 1):
        with FrameWriter(tmp_path / f"first-{at}") as writer:
            for frame in FRAMES[:at]:
                writer.write(frame)
        ends.append((tmp_path / f"first-{at}").stat().st_size)
    for length in range(len(whole) + 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        frames, cut_off = read(tmp_path / "cut")
        complete = sum(end <= length for end in ends[1:])
        assert frames == FRAMES[:complete]
        assert cut_off == (length not in ends)


def test_a_single_wrong_byte_is_refused_or_changes_nothing_before_it(tmp_path: Path) -> None:
    whole = written(tmp_path / "journal")
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (tmp_path / "damaged").write_bytes(bytes(damaged))
        reader, seen = FrameReader(tmp_path / "damaged"), []
        refused = False
        try:
            for frame in reader.new_frames():
                seen.append(frame)
        except HarnessError:
            refused = True
        # A length that grew beyond the file's end looks like a frame whose writer was killed.
        assert refused or reader.cut_off
        assert seen == FRAMES[: len(seen)]
        assert len(seen) < len(FRAMES)


def damage(error: HarnessError) -> str | None:
    """The code of what is wrong with a file of frames; None for any other error."""
    problem = error.params.get("problem")
    return problem.code if error.code == "frames-damaged" and isinstance(problem, Message) else None


@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_refused(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / "journal"
    path.write_bytes(garbage)
    if MAGIC.startswith(garbage):
        assert read(path) == ([], garbage != MAGIC)
        return
    with pytest.raises(HarnessError, check=lambda error: damage(error) == "wrong-magic"):
        read(path)


@pytest.mark.parametrize("payload", [[1, 2], {"second": 3}, {"kind": 4}, "text"])
def test_a_frame_without_a_kind_is_refused(tmp_path: Path, payload: object) -> None:
    with FrameWriter(tmp_path / "journal") as writer:
        writer.write(payload)  # type: ignore[arg-type]  # what a writer of another kind may leave
    with pytest.raises(HarnessError, check=lambda error: damage(error) == "frame-without-kind"):
        read(tmp_path / "journal")


def test_a_frame_that_is_not_msgpack_is_rejected(tmp_path: Path) -> None:
    import zlib

    payload = b"\xc1"
    head = len(payload).to_bytes(4, "little") + zlib.crc32(payload).to_bytes(4, "little")
    (tmp_path / "journal").write_bytes(MAGIC + head + payload)
    with pytest.raises(HarnessError, check=lambda error: damage(error) == "frame-not-msgpack"):
        read(tmp_path / "journal")


def test_a_reader_asked_again_gets_what_was_added(tmp_path: Path) -> None:
    reader = FrameReader(tmp_path / "journal")
    assert list(reader.new_frames()) == []
    with FrameWriter(tmp_path / "journal") as writer:
        assert list(reader.new_frames()) == []
        for frame in FRAMES:
            writer.write(frame)
            assert list(reader.new_frames()) == [frame]
    assert list(reader.new_frames()) == []


def test_a_journal_is_never_written_over(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    with pytest.raises(FileExistsError):
        FrameWriter(tmp_path / "journal")
