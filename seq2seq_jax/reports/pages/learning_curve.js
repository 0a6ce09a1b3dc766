// Metrics of runs over steps, one panel per metric; all panels share the range of steps.
const COLOURS = ["#3b82d6", "#e07b00", "#2f9e58", "#d1495b", "#8d6cc9", "#a1785c", "#d765a8", "#7f8790", "#a3a51b", "#17a2b0"];
// As wide as the page, so that text keeps its size on a phone.
const WIDTH = Math.min(640, document.documentElement.clientWidth - 28), HEIGHT = 150 + Math.round(0.1875 * WIDTH);
const LEFT = 58, RIGHT = 22, TOP = 8, BOTTOM = 30;

const runs = data.runs.map((run, i) => ({
  ...run, shown: true, colour: COLOURS[i % COLOURS.length], dash: i < COLOURS.length ? null : "6 3",
}));
const allSteps = runs.flatMap((run) => Object.values(run.curves).flatMap(([steps]) => steps));
const whole = [Math.min(...[0], ...extent(allSteps)), Math.max(...extent(allSteps))];
let range = whole;
let smoothing = data.smoothing;
let logarithmic = false;
const panels = [];

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

// The same as `smooth` of learning_curve.py.
function smoothed(values, weight) {
  let [average, norm] = [0, 0];
  return values.map((value) => {
    if (value !== null) {
      average = weight * average + (1 - weight) * value;
      norm = weight * norm + (1 - weight);
    }
    return norm ? average / norm : null;
  });
}

// Round numbers in a range, at most about `count`.
function ticks([low, high], count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return found;
}

function logTicks([low, high]) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const m of [1, 2, 5]) {
      const at = m * 10 ** power;
      if (at >= low && at <= high) found.push(at);
    }
  }
  return found.length < 2 ? ticks([low, high], 4) : found;
}

function brief(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  if (size !== 0 && size < 1e-3) return value.toExponential(1);
  return String(+value.toPrecision(4));
}

function drawPanel(panel) {
  const curves = [];
  for (const run of runs.filter((each) => each.shown)) {
    for (const name of panel.names) {
      if (!(name in run.curves)) continue;
      const [steps, values] = run.curves[name];
      const isNoisy = name.startsWith("train/") && !/learning_rate|cpu_seconds/.test(name);
      curves.push({ run, name, steps, values, drawn: isNoisy ? smoothed(values, smoothing) : values, isNoisy });
    }
  }
  panel.curves = curves;
  const inRange = curves.flatMap(({ steps, drawn }) => drawn.filter((v, i) => v !== null && steps[i] >= range[0] && steps[i] <= range[1]));
  const usable = logarithmic ? inRange.filter((value) => value > 0) : inRange;
  let [low, high] = extent(usable);
  if (low > high) [low, high] = logarithmic ? [0.1, 1] : [0, 1];
  const isLog = logarithmic && low > 0;
  if (low === high) [low, high] = isLog ? [low / 2, low * 2] : [low - 0.5, high + 0.5];
  const margin = isLog ? 1 : (high - low) * 0.05;
  if (!isLog) [low, high] = [low - margin, high + margin];
  const bend = isLog ? Math.log : (value) => value;
  panel.x = (step) => LEFT + (step - range[0]) / (range[1] - range[0] || 1) * (WIDTH - LEFT - RIGHT);
  panel.y = (value) => HEIGHT - BOTTOM - (bend(value) - bend(low)) / (bend(high) - bend(low)) * (HEIGHT - TOP - BOTTOM);

  const grid = drawn("g", { stroke: "var(--line)", "stroke-width": 0.7 });
  const words = drawn("g", {});
  for (const value of isLog ? logTicks([low, high]) : ticks([low, high], 5)) {
    grid.append(drawn("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: panel.y(value), y2: panel.y(value) }));
    words.append(drawn("text", { x: LEFT - 6, y: panel.y(value) + 4, "text-anchor": "end", class: "muted" }, brief(value)));
  }
  for (const step of ticks(range, WIDTH / 105)) {
    grid.append(drawn("line", { x1: panel.x(step), x2: panel.x(step), y1: TOP, y2: HEIGHT - BOTTOM }));
    words.append(drawn("text", { x: panel.x(step), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle", class: "muted" }, brief(step)));
  }
  // Steps at which keys changed; hovering over the line names them.
  for (const [step, what] of data.changes.filter(([step]) => step >= range[0] && step <= range[1])) {
    const x = panel.x(step);
    words.append(drawn("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "currentColor", "stroke-dasharray": "2 3" }, drawn("title", {}, what)));
  }
  const lines = drawn("g", { fill: "none", "clip-path": "url(#frame)" });
  for (const curve of curves) {
    const dash = panel.names.length > 1 && !curve.isNoisy ? "7 4" : curve.run.dash;
    const line = (values, attributes) => drawn("path", { d: way(panel, curve.steps, values, isLog), stroke: curve.run.colour, ...attributes });
    if (curve.isNoisy && smoothing > 0) lines.append(line(curve.values, { opacity: 0.25 }));
    lines.append(line(curve.drawn, { "stroke-width": 1.8, "stroke-dasharray": dash, "stroke-linejoin": "round" }));
    if (curve.steps.length < 50) {
      curve.drawn.forEach((value, i) => {
        if (value !== null && (!isLog || value > 0)) lines.append(drawn("circle", { cx: panel.x(curve.steps[i]), cy: panel.y(value), r: 2.6, fill: curve.run.colour }));
      });
    }
  }
  panel.cursor = drawn("g", { "pointer-events": "none" });
  panel.band = drawn("rect", { y: TOP, height: HEIGHT - TOP - BOTTOM, width: 0, fill: "var(--accent)", opacity: 0.18 });
  panel.picture.replaceChildren(
    drawn("clipPath", { id: "frame" }, drawn("rect", { x: LEFT - 4, y: TOP - 4, width: WIDTH - LEFT - RIGHT + 8, height: HEIGHT - TOP - BOTTOM + 8 })),
    grid, words, lines, panel.band, panel.cursor);
}

function way(panel, steps, values, isLog) {
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value === null || (isLog && value <= 0)) { pen = "M"; return; }
    path += `${pen}${panel.x(steps[i]).toFixed(1)} ${panel.y(value).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

// A legend of solid (training) and dashed (dev) lines, for panels that have both.
function lineStyles(names) {
  if (names.length < 2) return [];
  return names.map((name) => element("span", { class: "style" },
    drawn("svg", { width: 28, height: 8, "aria-hidden": "true" }, drawn("line", {
      x1: 0, x2: 28, y1: 4, y2: 4, stroke: "currentColor", "stroke-width": 1.8, "stroke-dasharray": name.startsWith("train/") ? null : "7 4",
    })), ` ${name}`));
}

function drawAll() {
  for (const panel of panels) if (panel.box.offsetParent !== null) drawPanel(panel);
}

function stepAt(panel, event) {
  const box = panel.picture.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * WIDTH;
  const share = Math.min(Math.max((x - LEFT) / (WIDTH - LEFT - RIGHT), 0), 1);
  return range[0] + share * (range[1] - range[0]);
}

// A line at the step in every panel, with the nearest values.
function point(step) {
  for (const panel of panels) {
    if (!panel.cursor) continue;
    if (step === null) {
      panel.cursor.replaceChildren();
      panel.values.replaceChildren(element("span", { class: "muted" }, "\u00a0"));
      continue;
    }
    const x = panel.x(step);
    panel.cursor.replaceChildren(drawn("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, stroke: "var(--muted)", "stroke-dasharray": "2 2" }));
    const said = [element("span", { class: "muted" }, `step ${Math.round(step)}`)];
    for (const { run, name, steps, values } of panel.curves) {
      let near = 0;
      steps.forEach((each, i) => { if (Math.abs(each - step) < Math.abs(steps[near] - step)) near = i; });
      const ended = step > steps[steps.length - 1] || step < steps[0];
      const which = panel.names.length > 1 ? ` ${name}` : "";
      said.push(element("span", { style: `color:${run.colour}` }, `${runs.length > 1 ? run.name : ""}${which} `, element("b", {}, ended ? "–" : brief(values[near]))));
    }
    panel.values.replaceChildren(...said);
  }
}

function makePanel([title, names], folder) {
  const panel = { names, picture: drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title }) };
  panel.values = element("div", { class: "values small" }, "\u00a0");
  panel.box = element("figure", {}, element("figcaption", {}, title, lineStyles(names)), panel.picture, panel.values);
  let from = null;
  panel.picture.addEventListener("pointerdown", (event) => { from = stepAt(panel, event); panel.picture.setPointerCapture(event.pointerId); });
  panel.picture.addEventListener("pointermove", (event) => {
    const step = stepAt(panel, event);
    point(step);
    if (from !== null) {
      const [a, b] = [panel.x(Math.min(from, step)), panel.x(Math.max(from, step))];
      panel.band.setAttribute("x", a);
      panel.band.setAttribute("width", b - a);
    }
  });
  panel.picture.addEventListener("pointerup", (event) => {
    const step = stepAt(panel, event);
    if (from !== null && Math.abs(panel.x(step) - panel.x(from)) > 6) range = [Math.min(from, step), Math.max(from, step)];
    from = null;
    drawAll();
  });
  panel.picture.addEventListener("pointerleave", () => point(null));
  panel.picture.addEventListener("dblclick", () => { range = whole; drawAll(); });
  panels.push(panel);
  folder.append(panel.box);
}

const legend = element("div", { class: "bar" });
for (const run of runs) {
  const key = element("button", { type: "button", "aria-pressed": "true", onclick: () => {
    run.shown = !run.shown;
    key.setAttribute("aria-pressed", run.shown);
    drawAll();
  } }, element("span", { class: "key", style: `background:${run.colour}` }), run.name);
  legend.append(key);
}
const grid = element("div", { class: "grid" });
const more = element("div", { class: "grid" });
main.append(
  element("style", {}, `
    .grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1rem 1.5rem; max-width: 1400px; }
    figure { margin: 0; max-width: 760px; } figcaption { font-weight: 600; font-size: .9rem; } .style { font-weight: 400; margin-left: 1.2rem; white-space: nowrap; } figure .style svg { display: inline; width: 28px; cursor: auto; vertical-align: middle; }
    figure svg { width: 100%; display: block; cursor: crosshair; touch-action: pan-y; user-select: none; }
    .values { display: flex; flex-wrap: wrap; gap: 0 1rem; min-height: 1.4em; padding-left: 3.4rem; }
    .key { display: inline-block; width: .8em; height: .8em; border-radius: 3px; margin-right: .45em; }
    summary { cursor: pointer; margin: 1rem 0; color: var(--muted); }
  `),
  runs.length > 1 ? legend : "",
  element("div", { class: "bar" },
    element("label", {}, "smoothing ", element("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: smoothing, style: "vertical-align:middle",
      oninput: (event) => { smoothing = Number(event.target.value); drawAll(); } })),
    element("label", {}, element("input", { type: "checkbox", onchange: (event) => { logarithmic = event.target.checked; drawAll(); } }), " logarithmic"),
    element("button", { type: "button", onclick: () => { range = whole; drawAll(); } }, "All steps"),
    element("span", { class: "muted small" }, "Drag to zoom, double-click to see all steps again.")),
  grid);
for (const panel of data.panels) makePanel(panel, grid);
if (data.more.length) {
  main.append(element("details", { ontoggle: drawAll }, element("summary", {}, "More"), more));
  for (const panel of data.more) makePanel(panel, more);
}
drawAll();
