"""The page on which people try a model, in a browser, with a backend that is a few lines of it."""

import re

import pytest

from seq2seq_jax.reports.predict_page import SERVER_POLICY, inline_page, server_page
from tests.chromium import chromium, needs_chromium

HOSTILE = "<img src=x onerror=alert(1)>"
BACKEND = """
const END = "SEQUENCE_END";
const attend = (rows, columns) => [...Array(rows).keys()].map((t) => [...Array(columns).keys()].map(
  (s) => (s === Math.min(t, columns - 1) ? 0.9 : 0.1 / (columns - 1))));
const asked = [];
function hypothesis(words, columns, probability) {
  const tokens = words.split(" ");
  const log_prob = Math.log(probability);
  return {text: words, tokens, log_prob, score: log_prob, finished: true,
    attention: attend(tokens.length + 1, columns)};
}
startPage({
  async describe(name) {
    return {name: "toy", description: "A toy, step 10", input: INPUT, has_attention: true,
      has_beam: true, search: {beam_width: 3, n_best: 1}, limits: {beam_width: 10, n_best: 10}};
  },
  async predict(inputs, options, signal) {
    asked.push([inputs[0], options]);
    if (inputs[0] === "fail") throw new Error("The text cannot be read; use another one.");
    if (inputs[0] === "slow") await new Promise((resolve) => setTimeout(resolve, 700));
    const text = typeof inputs[0] === "string";
    const source = text ? [...inputs[0], END] : [];
    const columns = text ? source.length : 4;
    const words = text ? [...inputs[0]].map((c) => c.toUpperCase()).join(" ") : "red blue";
    return [{source_tokens: source, attention_shape: text ? null : [2, 2],
      n_best: [hypothesis(words, columns, 0.75), hypothesis("HOSTILE", columns, 0.0004)],
      beam: {width: 2, chosen: 1, source: "", nodes: [
        [-1, 1, 0, "C", -0.1, -0.1, -0.1, 1, null], [-1, 1, 1, "K", -2.5, -2.5, -2.5, 1, null],
        [0, 2, 0, "A", -0.3, -0.3, -0.2, 2, 1], [1, 2, 1, "E", -2.9, -2.9, -0.4, 2, 2]]}}];
  },
});
""".replace("HOSTILE", HOSTILE)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def page_of(tmp_path, kind="text"):
    page = tmp_path / "page.html"
    backend = BACKEND.replace("INPUT", f'"{kind}"')
    page.write_text(inline_page("A <model>", backend, {"weights": "AAAA"}), encoding="utf-8")
    return page.as_uri()


@needs_chromium
def test_typing_shows_the_answer_its_alternatives_and_the_beam(browser, tmp_path):
    browser.open(page_of(tmp_path))
    browser.wait("document.title === 'toy' && document.activeElement.id === 'text'")
    browser.type("cat")
    assert browser.wait("document.querySelector('#answer').textContent") == "C A T"
    alternatives = "[...document.querySelectorAll('#n-best .words')].map((e) => e.textContent)"
    assert browser.evaluate(alternatives) == ["C A T", HOSTILE]
    probabilities = "[...document.querySelectorAll('.probability')].map((e) => e.textContent)"
    assert browser.evaluate(probabilities) == ["75.0 %", "< 0.1 %"]
    browser.evaluate("document.querySelector('#beam summary').click()")
    browser.wait("document.querySelectorAll('#beam [role=treeitem]').length === 4")
    browser.evaluate("document.querySelectorAll('.hypothesis')[1].click()")
    assert browser.evaluate("document.querySelector('#answer').textContent") == HOSTILE
    assert browser.problems == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:"))] == []


@needs_chromium
def test_pointing_at_a_token_shows_what_it_attends_to(browser, tmp_path):
    browser.open(page_of(tmp_path))
    browser.wait("document.activeElement.id === 'text'")
    browser.type("cat")
    browser.wait("!!document.querySelector('#attention .token')")
    browser.hover("#attention [aria-label='Output tokens'] button:nth-of-type(2)")
    said = "document.querySelector('#attention [aria-live]').textContent"
    assert browser.wait(f"{said}.startsWith('A attends to a (90.0 %)') && {said}")
    shades = (
        "[...document.querySelectorAll('[aria-label=\"Source tokens\"] button')]"
        ".map((e) => Number(getComputedStyle(e).backgroundColor.match(/([\\d.]+)\\)/)[1]))"
    )
    first, second, *_ = browser.evaluate(shades)
    assert second > 5 * first > 0
    browser.evaluate("document.querySelector('[aria-label=\"Source tokens\"] button').focus()")
    browser.press("End")
    assert browser.evaluate(said).startswith("‹end› is read by ‹end› (90.0 %)")


@needs_chromium
def test_only_the_last_text_is_answered_and_an_error_is_said(browser, tmp_path):
    browser.open(page_of(tmp_path))
    browser.wait("document.activeElement.id === 'text'")
    browser.type("slow")
    browser.press("Enter")
    browser.evaluate("document.querySelector('#text').select()")
    browser.type("dog")
    browser.press("Enter")
    browser.wait("document.querySelector('#answer').textContent === 'D O G'")
    browser.evaluate("new Promise((resolve) => setTimeout(resolve, 900))")
    assert browser.evaluate("document.querySelector('#answer').textContent") == "D O G"
    browser.evaluate("document.querySelector('#text').select()")
    browser.type("fail")
    alert = "document.querySelector('[role=alert]').textContent"
    assert browser.wait(alert) == "The text cannot be read; use another one."
    assert browser.evaluate("document.querySelector('#answer').textContent") == ""
    browser.evaluate("document.querySelector('#text').select()")
    browser.type("   ")
    browser.wait(f"!{alert}")
    assert browser.evaluate("asked.map((one) => one[0])") == ["slow", "dog", "fail"]


@needs_chromium
def test_a_dropped_image_is_described(browser, tmp_path):
    browser.open(page_of(tmp_path, "image"))
    browser.wait("!document.querySelector('#drop').hidden")
    browser.evaluate("""(async () => {
      const canvas = new OffscreenCanvas(60, 40);
      canvas.getContext("2d").fillRect(0, 0, 30, 40);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob()], "half.png", {type: "image/png"}));
      const drop = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
      document.querySelector("#drop").dispatchEvent(drop);
    })()""")
    assert browser.wait("document.querySelector('#answer').textContent") == "red blue"
    browser.hover("#attention .token")
    browser.wait("document.querySelector('#drop canvas')?.width === 2")
    assert browser.problems == []


@needs_chromium
@pytest.mark.parametrize("width", [390, 1000])
def test_the_page_is_not_wider_than_the_window_and_its_inputs_have_names(browser, tmp_path, width):
    browser.resize(width, 800, dark=width == 390)
    browser.open(page_of(tmp_path))
    browser.wait("document.activeElement.id === 'text'")
    browser.type("a long text " * 10)
    browser.wait("document.querySelector('#answer').textContent")
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    nameless = (
        "[...document.querySelectorAll('input, textarea, select')]"
        ".filter((e) => !e.labels.length).length"
    )
    assert browser.evaluate(nameless) == 0
    colour = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (width != 390)
    browser.resize(1000, 900)


def test_the_policy_admits_only_the_scripts_of_the_file():
    page = inline_page("A <model>", "startPage({});", {"weights": "AAAA"})
    assert "<title>A &lt;model&gt;</title>" in page
    assert "unsafe-inline" not in page
    assert re.search(r"script-src 'sha256-[\w+/=]+'\"", page)
    assert set(re.findall(r"https?://[^\"' ]*", page)) == {"http://www.w3.org/2000/svg"}
    with pytest.raises(ValueError, match="</script"):
        inline_page("A model", "</script>")


def test_the_page_of_a_server_has_its_scripts_in_files():
    files = server_page("A model")
    assert set(files) == {"", "page.css", "page.js"}
    assert not re.search(r"<script>|<style|style=", files[""][1])
    assert "unsafe" not in SERVER_POLICY
    assert not re.search(r"innerHTML|document\.write|\beval\(", files["page.js"][1])
