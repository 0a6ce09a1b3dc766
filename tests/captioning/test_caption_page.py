import base64

import numpy as np
import pytest

from seq2seq_jax.captioning.caption_page import Caption, plot_caption, write_caption_page


@pytest.fixture
def caption():
    """An image of 6 by 9 pixels; "dog" looks at the lower left, "." everywhere."""
    attention = np.zeros([2, 2, 3])
    attention[0, 1, 0] = 1
    attention[1] = 1 / 6
    image = np.full([6, 9, 3], 200, np.uint8)
    return Caption(image, ["dog", "."], attention, ["a dog", "ein hund"], "7.jpg")


def test_a_page_has_the_image_and_an_overlay_for_each_token(caption, tmp_path, data_of):
    (drawn,) = data_of(write_caption_page([caption], tmp_path / "captions.html"))
    assert drawn["overlays"][0].index(0) == 3
    assert set(drawn["overlays"][0]) == {0, 178}
    assert set(drawn["overlays"][1]) == {0}
    assert (drawn["tokens"], drawn["references"]) == (["dog", "."], ["a dog", "ein hund"])
    kind, _, image = drawn["image"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(image).startswith(b"\xff\xd8")


def test_a_caption_is_an_image(caption, tmp_path):
    path = plot_caption(caption, tmp_path / "caption.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_caption_of_no_words_is_the_image_alone(caption, tmp_path):
    silent = caption._replace(tokens=[], attention=np.zeros([0, 2, 3]), references=[])
    assert plot_caption(silent, tmp_path / "caption.png").exists()


def test_attention_of_other_words_is_refused(caption, tmp_path):
    with pytest.raises(ValueError, match="for 1 tokens"):
        plot_caption(caption._replace(tokens=["dog"]), tmp_path / "caption.png")
