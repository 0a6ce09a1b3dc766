import json
import struct

import jax.numpy as jnp
import numpy as np
import pytest

from seq2seq_jax.storage.metrics_log import MetricWriter, metrics_file, read_metrics
from seq2seq_jax.utils.errors import UserError
from tests.limited_disk import limited_disk


def write(workdir, resume_step, steps):
    writer = MetricWriter(workdir, resume_step)
    for step in steps:
        writer.write_scalars(step, {"train/loss": 1.0 / step})


def steps_of(workdir):
    return [entry["step"] for entry in read_metrics(workdir)]


def test_each_call_writes_one_line_of_json(tmp_path):
    writer = MetricWriter(tmp_path / "new" / "run", 0)
    writer.write_scalars(10, {"train/loss": jnp.float32(0.5), "tokens": np.int64(7)})
    writer.write_texts(10, {"sample": "笑\nzwei"})
    lines = metrics_file(tmp_path / "new" / "run").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 10, "train/loss": 0.5, "tokens": 7.0},
        {"step": 10, "sample": "笑\nzwei"},
    ]


def test_tensorboard_reads_the_same_values(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    write(tmp_path, 0, [1, 2])
    (path,) = tmp_path.glob("events.out.tfevents.*")
    content, read = path.read_bytes(), {}
    while content:  # a record: length (8 bytes), its checksum (4), the event, its checksum (4)
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        read.update({(event.step, value.tag): value.simple_value for value in event.summary.value})
        content = content[16 + length :]
    assert read == {(1, "train/loss"): 1.0, (2, "train/loss"): 0.5}


def test_resuming_removes_the_lines_of_later_steps(tmp_path):
    write(tmp_path, 0, [1, 2, 3, 4])
    write(tmp_path, 2, [3, 4])
    assert steps_of(tmp_path) == [1, 2, 3, 4]


def test_starting_from_step_zero_removes_all_lines(tmp_path):
    write(tmp_path, 0, [1, 2])
    write(tmp_path, 0, [5])
    assert steps_of(tmp_path) == [5]


def test_an_incomplete_last_line_is_skipped(tmp_path):
    write(tmp_path, 0, [1, 2])
    with open(metrics_file(tmp_path), "a") as file:
        file.write('{"step": 3, "train/lo')
    assert steps_of(tmp_path) == [1, 2]
    write(tmp_path, 2, [3])
    assert steps_of(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize(
    "bad", [b'{"loss": 2}', b'{"step": 2, "loss": \xff}', b"3", b'{"step": 1e999}', b"[" * 99_999]
)
def test_a_malformed_line_is_left_out_with_a_warning_that_names_it(tmp_path, caplog, bad):
    metrics_file(tmp_path).write_bytes(b'{"step": 1}\n' + bad + b'\n{"step": 3}\n')
    assert steps_of(tmp_path) == [1, 3]
    assert "metrics.jsonl:2: not a JSON object with a step" in caplog.text
    write(tmp_path, 3, [4])
    assert steps_of(tmp_path) == [1, 3, 4]


def test_a_missing_file_has_no_metrics(tmp_path):
    assert read_metrics(tmp_path) == []


def test_a_loss_of_nan_is_written_and_read(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    writer.write_scalars(1, {"train/loss": float("nan")})
    assert np.isnan(read_metrics(tmp_path)[0]["train/loss"])


def test_a_full_disk_is_one_line_and_the_next_call_does_not_wait(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    writer.write_scalars(1, {"train/loss": 1.0})
    for _ in range(20):  # More than the queue of a writing thread would hold.
        with limited_disk(), pytest.raises(UserError, match=r"metrics\.jsonl: cannot be written"):
            writer.write_scalars(2, {"train/loss": 1.0})
    assert steps_of(tmp_path) == [1]


def test_a_full_disk_is_one_line_for_the_events_as_well(tmp_path):
    writer = MetricWriter(tmp_path, 0)
    (events,) = tmp_path.glob("events.out.tfevents.*")
    size = events.stat().st_size + 200  # The line fits, the events do not.
    with limited_disk(size), pytest.raises(UserError, match="cannot be written"):
        writer.write_scalars(2, {f"train/{i}": 1.0 for i in range(5)})


def test_metrics_below_a_file_are_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file/metrics\.jsonl: cannot be written"):
        MetricWriter(tmp_path / "file", 0)
