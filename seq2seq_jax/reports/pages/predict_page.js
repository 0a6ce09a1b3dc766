// The page on which people try a model: type a text or drop an image, and see what the model answers.
//
// The page knows nothing about where the model runs. It is started with a backend:
//
//   startPage({
//     async describe(name) { ... },                        // -> info; name is undefined at first
//     async predict(inputs, options, signal) { ... },      // -> answers, one for each input
//     setKey(key) { ... },                                 // optional: the user has typed an API key
//   });
//
// info = {
//   name: "g2p",
//   description: "AttentionSeq2Seq, step 2000",            // shown below the name
//   input: "text",                                         // or "image"
//   has_attention: true,
//   has_features: false,                                   // optional: the model reads features
//   has_beam: true,                                        // answers can have `beam`
//   search: {beam_width: 5, n_best: 1},                    // the configured search
//   limits: {beam_width: 10, n_best: 10},                  // the largest values that can be requested
//   models: ["g2p"],                                       // optional: names for describe(name)
//   note: "Texts are sent to ...",                         // optional: shown at the end of the page
// }
// inputs is a list of texts or, for an image model, of Blobs.
// options = {model: info.name, beam_width: 5, n_best: 5, attention: true, beam: true, features: "V;PST"};
// beam_width 1 is greedy search; `attention` is false without info.has_attention, `beam` without
// info.has_beam; `features`, those of the text, are there with info.has_features only.
// signal is an AbortSignal: the page no longer needs the answers. predict may ignore it.
// answer = {
//   source_tokens: ["c", "a", "t", "SEQUENCE_END"],        // [S]; [] for an image
//   n_best: [{                                             // best first; [] for an empty text
//     text: "K AE T", tokens: ["K", "AE", "T"],            // without SEQUENCE_END
//     log_prob: -0.1, score: -0.1,                         // natural logarithm; what is ranked by
//     finished: true,                                      // SEQUENCE_END was reached
//     attention: [[0.9, ...], ...],                        // [T or T + 1, S]; null without attention
//   }],
//   attention_shape: [8, 8],                               // images: S = height * width
//   beam: {width, chosen, source, nodes},                  // or null; see beam_tree.js
// }
// Errors are exceptions whose message is one sentence for the user. `needsKey = true` on an error
// makes the page ask for an API key.

function startPage(backend) {
  const PAUSE = 200; // Milliseconds without typing after which the model is asked.
  const WIDTHS = [1, 2, 3, 5, 10, 20, 50];

  let info = null;
  let request = null; // The AbortController of the request whose answer is awaited.
  let timer = 0;
  let image = null; // The chosen image: {blob, url}.

  const title = document.querySelector("h1");
  const description = element("p", { class: "muted small" });
  const modelSelect = element("select", { id: "model", onchange: () => open(modelSelect.value) });
  const modelLabel = element("label", { hidden: true }, "Model ", modelSelect);
  const widthSelect = element("select", { id: "width", onchange: () => ask() });
  const widthLabel = element("label", {}, "Beam width ", widthSelect);
  const status = element("p", { class: "muted small", role: "status", id: "status" }, "Loading the model …");
  const problem = element("p", { class: "problem", role: "alert", id: "problem" });
  const answer = element("output", { id: "answer", class: "answer", for: "text", dir: "auto", "aria-live": "polite" });
  const attentionBox = element("section", { id: "attention", "aria-label": "Attention" });
  const listBox = element("section", { id: "n-best", "aria-label": "Alternatives" });
  const beamBox = element("section", { id: "beam", "aria-label": "Beam search" });
  const note = element("p", { class: "muted small" });

  const text = element("textarea", {
    id: "text", rows: 2, dir: "auto", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
    "aria-describedby": "status",
    oninput: (event) => { if (!event.isComposing) later(); },
    oncompositionend: later,
    onkeydown: (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault(); // The model reads one line.
      ask();
    },
  });
  const features = element("input", {
    type: "text", id: "features", autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: "V;PST",
    oninput: () => later(),
  });
  const featuresBox = element("div", { hidden: true }, element("label", { for: "features" }, "Features"), features);
  const textBox = element("div", { hidden: true }, element("label", { for: "text" }, "Text"), text, featuresBox);

  const file = element("input", { type: "file", id: "file", accept: "image/*", onchange: () => setImage(file.files[0]) });
  const preview = element("div", { class: "preview" });
  const dropBox = element("div", {
    hidden: true, class: "drop", id: "drop",
    ondragover: (event) => { event.preventDefault(); dropBox.classList.add("over"); },
    ondragleave: () => dropBox.classList.remove("over"),
    ondrop: (event) => { event.preventDefault(); dropBox.classList.remove("over"); setImage(event.dataTransfer.files[0]); },
  }, element("label", { for: "file" }, "Drop an image here, paste one, or choose a file: "), file, preview);
  addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (pasted && info?.input === "image") setImage(pasted);
  });

  const key = element("input", { type: "password", id: "key", autocomplete: "off" });
  const keyForm = element("form", {
    hidden: true, class: "bar",
    onsubmit: (event) => { event.preventDefault(); backend.setKey(key.value); keyForm.hidden = true; info ? ask() : open(); },
  }, element("label", { for: "key" }, "API key"), key, element("button", { type: "submit" }, "Use this key"));

  main.append(description, keyForm, textBox, dropBox,
    element("div", { class: "bar" }, modelLabel, widthLabel, status),
    problem, answer, attentionBox, listBox, beamBox, note);
  open();

  async function open(name) {
    stop();
    try {
      info = await backend.describe(name);
    } catch (error) {
      status.textContent = "";
      return fail(error);
    }
    problem.textContent = "";
    title.textContent = document.title = info.name;
    description.textContent = info.description ?? "";
    note.textContent = info.note ?? "";
    textBox.hidden = info.input !== "text";
    featuresBox.hidden = !info.has_features;
    dropBox.hidden = info.input !== "image";
    const models = info.models ?? [];
    modelLabel.hidden = models.length < 2;
    modelSelect.replaceChildren(...models.map((model) => element("option", { value: model, selected: model === info.name }, model)));
    fillWidths();
    status.textContent = info.input === "text" ? "Ready: type a text." : "Ready: choose an image.";
    clear();
    if (info.input === "text" && !name) text.focus();
    ask();
  }

  // The configured width and the usual ones up to the limit; the page shows several answers, so its
  // first choice is a beam.
  function fillWidths() {
    const most = info.limits?.beam_width ?? 10;
    const configured = Math.max(1, info.search?.beam_width ?? 1);
    const widths = [...new Set([...WIDTHS.filter((width) => width <= most), configured])].sort((a, b) => a - b);
    const first = configured > 1 ? configured : widths.filter((width) => width <= 5).at(-1);
    widthSelect.replaceChildren(...widths.map((width) =>
      element("option", { value: width, selected: width === first }, width === 1 ? "1 (greedy)" : String(width))));
    widthLabel.hidden = widths.length < 2;
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  }

  function stop() {
    clearTimeout(timer);
    request?.abort();
    request = null;
  }

  function setImage(blob) {
    if (!blob) return;
    if (image) URL.revokeObjectURL(image.url);
    image = { blob, url: URL.createObjectURL(blob) };
    preview.replaceChildren(framed());
    ask();
  }

  function framed() {
    return element("div", { class: "framed" }, element("img", { src: image.url, alt: image.blob.name ?? "the chosen image" }));
  }

  async function ask() {
    stop();
    if (!info) return;
    const input = info.input === "image" ? image?.blob : text.value.replace(/\s*[\r\n]+\s*/g, " ");
    if (!input || (typeof input === "string" && !input.trim())) {
      problem.textContent = "";
      return clear();
    }
    const width = Number(widthSelect.value) || 1;
    const options = {
      model: info.name, beam_width: width,
      n_best: Math.min(width, info.limits?.n_best ?? width, 10),
      attention: Boolean(info.has_attention), beam: Boolean(info.has_beam) && width > 1,
      ...(info.has_features && { features: features.value }),
    };
    const own = (request = new AbortController());
    const start = performance.now();
    const slow = setTimeout(() => { if (own === request) status.textContent = "Waiting for the model …"; }, 500);
    try {
      const [result] = await backend.predict([input], options, own.signal);
      if (own !== request) return;
      status.textContent = `Answered in ${Math.round(performance.now() - start)} ms.`;
      problem.textContent = "";
      show(result);
    } catch (error) {
      if (own === request) fail(error);
    } finally {
      clearTimeout(slow);
    }
  }

  function fail(error) {
    if (error.name === "AbortError") return;
    status.textContent = "";
    problem.textContent = error.message;
    clear();
    if (error.needsKey && backend.setKey) {
      keyForm.hidden = false;
      key.focus();
    }
  }

  function clear() {
    answer.textContent = "";
    preview.querySelector("canvas")?.remove();
    for (const box of [attentionBox, listBox, beamBox]) box.replaceChildren();
  }

  function show(result) {
    if (!result.n_best.length) return clear();
    showHypothesis(result, result.n_best[0]);
    listBox.replaceChildren(...(result.n_best.length > 1 ? [element("h2", {}, "Alternatives"), nBest(result)] : []));
    const wasOpen = beamBox.querySelector("details")?.open;
    if (!result.beam?.nodes.length) return beamBox.replaceChildren();
    const details = element("details", { open: wasOpen }, element("summary", {}, element("h2", {}, "Beam search as a tree")));
    const fill = () => { if (details.open && details.children.length === 1) details.append(...beamTree({ ...result.beam, source: "" })); };
    details.addEventListener("toggle", fill);
    beamBox.replaceChildren(details);
    fill();
  }

  function showHypothesis(result, hypothesis) {
    answer.textContent = hypothesis.text || "(empty)";
    if (!hypothesis.finished) answer.append(element("span", { class: "muted small" }, " (stopped at the largest length)"));
    if (!hypothesis.attention) return attentionBox.replaceChildren();
    attentionBox.replaceChildren(element("h2", {}, "Attention"),
      ...(info.input === "image" ? imageAttention(result, hypothesis) : textAttention(result, hypothesis)));
  }

  function nBest(result) {
    const choose = (event, index) => {
      for (const row of rows) row.setAttribute("aria-pressed", row === event.currentTarget);
      showHypothesis(result, result.n_best[index]);
    };
    const rows = result.n_best.map((hypothesis, index) => {
      const probability = Math.exp(hypothesis.log_prob);
      return element("button", {
        type: "button", class: "hypothesis", "aria-pressed": String(index === 0), onclick: (event) => choose(event, index),
      },
      element("bdi", { class: "words" }, hypothesis.text || "(empty)"),
      element("span", { class: "probability" }, percent(probability)),
      element("span", { class: "rail", "aria-hidden": "true" }, element("span", { style: `width:${100 * probability}%` })));
    });
    return element("ol", {}, rows.map((row) => element("li", {}, row)));
  }

  // Two rows of tokens. Pointing at an output token colors the source by the attention with which it
  // was chosen; pointing at a source token colors the output tokens that attended to it.
  function textAttention(result, hypothesis) {
    const weights = hypothesis.attention;
    const outputs = [...hypothesis.tokens, ...(weights.length > hypothesis.tokens.length ? ["SEQUENCE_END"] : [])];
    const said = element("p", { class: "muted small", "aria-live": "polite" }, POINT);
    const sourceRow = tokenRow("Source", result.source_tokens, (at) => paint(outputRow, weights.map((row) => row[at]), outputs, at, sourceRow, "is read by"));
    const outputRow = tokenRow("Output", outputs, (at) => paint(sourceRow, weights[at], result.source_tokens, at, outputRow, "attends to"));
    function paint(row, values, names, at, own, verb) {
      for (const one of [sourceRow, outputRow]) for (const token of one.tokens) mark(token, 0);
      own.tokens[at].classList.add("chosen");
      row.tokens.forEach((token, i) => mark(token, values[i]));
      said.textContent = `${own.tokens[at].textContent} ${verb} ${strongest(values, names)}`;
    }
    return [sourceRow.box, outputRow.box, said];
  }

  function imageAttention(result, hypothesis) {
    const [height, width] = result.attention_shape;
    const large = preview.querySelector(".framed");
    large.querySelector("canvas")?.remove();
    const said = element("p", { class: "muted small" }, POINT);
    const row = tokenRow("Output", hypothesis.tokens, (at) => {
      for (const token of row.tokens) mark(token, 0);
      row.tokens[at].classList.add("chosen");
      large.querySelector("canvas")?.remove();
      large.append(overlay(hypothesis.attention[at], height, width));
    });
    return [row.box, said];
  }

  function overlay(weights, height, width) {
    const canvas = element("canvas", { width, height, class: "overlay" });
    const pen = canvas.getContext("2d");
    const pixels = pen.createImageData(width, height);
    const most = Math.max(...weights, 1e-9);
    weights.forEach((weight, i) => { pixels.data[4 * i + 3] = 215 * (1 - weight / most); });
    pen.putImageData(pixels, 0, 0);
    return canvas;
  }

  // A row of buttons with one tab stop; the arrow keys move in it.
  function tokenRow(name, names, choose) {
    const tokens = names.map((token, at) => element("button", {
      type: "button", class: "token", tabindex: at === 0 ? 0 : -1,
      onmouseenter: () => choose(at), onfocus: () => choose(at), onclick: () => choose(at),
    }, element("bdi", {}, visible(token))));
    const box = element("div", {
      class: "tokens", role: "toolbar", dir: "auto", "aria-label": `${name} tokens`,
      onkeydown: (event) => {
        const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -tokens.length, End: tokens.length };
        if (!(event.key in steps)) return;
        event.preventDefault();
        const direction = getComputedStyle(box).direction === "rtl" && event.key.startsWith("Arrow") ? -1 : 1;
        const from = tokens.indexOf(document.activeElement);
        const to = Math.min(tokens.length - 1, Math.max(0, from + direction * steps[event.key]));
        tokens.forEach((token, at) => { token.tabIndex = at === to ? 0 : -1; });
        tokens[to].focus();
      },
    }, element("span", { class: "muted small", "aria-hidden": "true" }, name), tokens);
    return { box, tokens };
  }

  function mark(token, weight) {
    token.classList.remove("chosen");
    token.style.background = weight ? `rgba(var(--heat), ${(0.75 * weight).toFixed(3)})` : "";
  }

  function strongest(values, names) {
    const order = [...values.keys()].sort((a, b) => values[b] - values[a]).filter((at) => values[at] >= 0.01);
    return order.slice(0, 4).map((at) => `${visible(names[at])} (${percent(values[at])})`).join(", ") || "nothing";
  }

  function visible(token) {
    return { SEQUENCE_END: "‹end›", " ": "␣" }[token] ?? token;
  }

  function percent(value) {
    if (value > 0 && value < 0.001) return "< 0.1 %";
    return `${(100 * value).toFixed(1)} %`;
  }
}

const POINT = "Point at a token, or move with the arrow keys. ‹end› is the end of the sequence.";
