// The errors of a model: totals, metrics by length, confusions, the worst sentences.
const metricNames = Object.keys(data.metrics);
const visible = (token) => (token === " " ? "␣" : token);
// The error whose sentences are listed, [reference, hypothesis]; null: all. Set by showOnly.
let onlyPair = null;
let showOnly = () => {};
const errorName = ([reference, hypothesis]) =>
  !reference ? `${visible(hypothesis)} extra` : !hypothesis ? `${visible(reference)} missing` : `${visible(reference)} → ${visible(hypothesis)}`;
const percentOf = (count, whole) => (whole ? `${(100 * count / whole).toFixed(1)} %` : "–");

function section(title, ...children) {
  main.append(element("section", {}, element("h2", {}, title), ...children));
}

// One plot by length of the source, with one bar per bucket.
function bars(title, valueOf, places, baseline = null) {
  const values = data.buckets.map(valueOf);
  const most = Math.max(...values.map((value) => value ?? 0), baseline ?? 0, 1e-9);
  const room = Math.min(440, document.documentElement.clientWidth - 60);
  const each = Math.min(64, room / values.length);
  const [height, floor] = [120, 140];
  const width = 10 + each * values.length + 10;
  const picture = drawn("svg", { width, height: 172, role: "img", "aria-label": title });
  values.forEach((value, i) => {
    const tall = (value ?? 0) / most * height;
    const [x, [low, high]] = [10 + i * each, data.buckets[i].range];
    picture.append(
      drawn("rect", { x: x + 3, width: each - 6, y: floor - tall, height: tall, rx: 2, fill: "var(--accent)", opacity: 0.75 }),
      drawn("text", { x: x + each / 2, y: floor - Math.max(tall, (baseline ?? 0) / most * height) - 4, "text-anchor": "middle", style: "font-size:11px" }, places === 0 ? value.toLocaleString("en") : digits(value, places)),
      drawn("text", { x: x + each / 2, y: floor + 15, "text-anchor": "middle", class: "muted", style: "font-size:11px" }, low === high ? String(low) : `${low}–${high}`));
  });
  if (baseline !== null) {
    const y = floor - baseline / most * height;
    picture.append(drawn("line", { x1: 6, x2: width - 6, y1: y, y2: y, stroke: "var(--bad)", "stroke-dasharray": "4 3" }));
  }
  return element("figure", {}, element("figcaption", {}, title), element("div", { class: "wide" }, picture));
}

// The alignment in two lines, reference above hypothesis.
function alignment({ edits }) {
  const cells = edits.map(([reference, hypothesis]) => {
    const kind = reference === hypothesis ? "same" : !reference ? "extra" : !hypothesis ? "missing" : "other";
    return element("span", { class: `pair ${kind}` },
      element("bdi", {}, visible(reference) || "\u00a0"), element("bdi", {}, visible(hypothesis) || "\u00a0"));
  });
  return element("div", { class: "pairs", dir: "auto" }, cells);
}

function sentence(each) {
  const said = [`${each.errors} ${each.errors === 1 ? "error" : "errors"}`, `${digits(each.rate, 1)} %`];
  if (each.score !== null) said.push(`score ${digits(each.score, 3)}`);
  return element("article", {},
    element("div", { class: "muted small" }, said.join(" · ")),
    element("div", { class: "source", dir: "auto" }, each.source.join(" ")),
    alignment(each));
}

const ORDERS = {
  "highest error rate": (a, b) => b.rate - a.rate || b.errors - a.errors,
  "most errors": (a, b) => b.errors - a.errors || b.rate - a.rate,
  "highest score and wrong": (a, b) => b.score - a.score,
  "longest source": (a, b) => b.source.length - a.source.length,
};

function worstSentences() {
  let order = "highest error rate";
  let wanted = "";
  let limit = 20;
  const list = element("div", {});
  const count = element("span", { class: "muted small" });
  const more = element("button", { type: "button", onclick: () => { limit += 100; fill(); } }, "Show more");
  function fill() {
    const found = data.worst.filter(({ source, edits }) =>
      (!wanted || source.join(" ").includes(wanted) || edits.some((pair) => pair.includes(wanted))) &&
      (!onlyPair || edits.some(([reference, hypothesis]) => reference === onlyPair[0] && hypothesis === onlyPair[1])));
    found.sort(ORDERS[order]);
    list.replaceChildren(...found.slice(0, limit).map(sentence));
    count.textContent = `${Math.min(limit, found.length)} of ${found.length} shown`;
    more.hidden = found.length <= limit;
    clear.hidden = !onlyPair;
    clear.textContent = onlyPair ? `only ${errorName(onlyPair)} ×` : "";
  }
  const clear = element("button", { type: "button", onclick: () => { onlyPair = null; fill(); } });
  showOnly = (pair) => { onlyPair = pair; limit = 20; fill(); clear.scrollIntoView({ block: "center" }); };
  const names = Object.keys(ORDERS).filter((name) => name !== "highest score and wrong" || data.worst.some(({ score }) => score !== null));
  section("Worst sentences",
    element("div", { class: "bar" },
      element("label", {}, "first: ", element("select", { onchange: (event) => { order = event.target.value; fill(); } }, names.map((name) => element("option", {}, name)))),
      element("label", {}, "with ", element("input", { type: "search", size: 18, placeholder: "token or part of source", oninput: (event) => { wanted = event.target.value.trim(); fill(); } })),
      clear, count),
    element("p", { class: "muted small" }, "Source; reference above hypothesis: ",
      element("span", { class: "pair other" }, "substituted"), " ", element("span", { class: "pair missing" }, "missing"), " ", element("span", { class: "pair extra" }, "extra")),
    list, more);
  fill();
}

// Rows: tokens of the reference. Columns: tokens of the hypothesis. Color: share of the row's token.
function matrix({ tokens, occurrences, counts }) {
  const size = tokens.length > 60 ? 13 : 17;
  const names = [...tokens.map(visible), "∅"];
  const labels = names.map((name) => ([...name].length > 16 ? `${[...name].slice(0, 15).join("")}…` : name));
  const wide = Math.max(...labels.map((label) => [...label].length), 3) * 7.5 + 10;
  const side = names.length * size;
  const picture = drawn("svg", { width: wide + side + 8, height: wide + side + 8, role: "img", "aria-label": "confusions" });
  const reading = element("p", { class: "muted" }, "\u00a0");
  const inserted = counts.filter(([row]) => row === tokens.length).reduce((sum, [, , count]) => sum + count, 0);
  const share = ([row, , count]) => count / Math.max(row < tokens.length ? occurrences[row] : inserted, 1);
  // Rare tokens do not set the color scale.
  const often = counts.filter(([row, , count]) => row < tokens.length && occurrences[row] >= 20 && count > 1).map(share);
  const strongest = Math.max(...(often.length ? often : counts.map(share)), 1e-9);
  labels.forEach((name, i) => {
    const at = wide + i * size;
    picture.append(
      drawn("text", { x: wide - 5, y: at + size * 0.72, "text-anchor": "end", style: `font-size:${size - 5}px` }, name),
      drawn("text", { transform: `translate(${at + size * 0.72} ${wide - 5}) rotate(-90)`, style: `font-size:${size - 5}px` }, name),
      drawn("line", { x1: wide, x2: wide + side, y1: at, y2: at, stroke: "var(--line)", "stroke-width": 0.5 }),
      drawn("line", { x1: at, x2: at, y1: wide, y2: wide + side, stroke: "var(--line)", "stroke-width": 0.5 }),
      i < tokens.length ? drawn("rect", { x: at, y: at, width: size, height: size, fill: "var(--line)", opacity: 0.6 }) : "");
  });
  picture.append(drawn("rect", { x: wide, y: wide, width: side, height: side, fill: "none", stroke: "var(--line)" }));
  for (const cell of counts) {
    const [row, column, count] = cell;
    const strength = Math.min(1, 0.12 + 0.88 * Math.sqrt(share(cell) / strongest));
    const what = row === tokens.length ? `${names[column]} inserted` : column === tokens.length ? `${names[row]} missing` : `${names[row]} → ${names[column]}`;
    const of = row === tokens.length ? `of ${inserted} insertions` : `of ${occurrences[row]} ${names[row]}`;
    picture.append(drawn("rect", {
      x: wide + column * size + 0.5, y: wide + row * size + 0.5, width: size - 1, height: size - 1,
      fill: `rgba(var(--heat), ${strength.toFixed(3)})`,
      onmouseenter: () => { reading.textContent = `${what}: ${count} ${of}, ${(100 * share(cell)).toFixed(1)} %`; },
      onmouseleave: () => { reading.textContent = "\u00a0"; },
      onclick: () => showOnly([tokens[row] ?? "", tokens[column] ?? ""]),
    }, drawn("title", {}, `${what}: ${count} ${of}`)));
  }
  section("Confusions",
    element("p", { class: "muted small" },
      "Rows: tokens of the reference. Columns: tokens of the hypothesis. ∅: missing (last column) or extra (last row). " +
      "The stronger the color, the larger the share of the row's token; correct tokens are grey. " +
      "Select a cell to list its sentences."),
    element("div", { class: "wide" }, picture), reading);
}

main.append(element("style", {}, `
  figure { margin: 0; max-width: 100%; } figcaption { font-size: .9rem; font-weight: 600; } .plots { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
  .totals { display: flex; flex-wrap: wrap; gap: .4rem 2.2rem; } .totals b { font-size: 1.25rem; display: block; }
  .lists { display: flex; flex-wrap: wrap; gap: 1rem 3rem; } .lists > div { max-width: 100%; max-height: 26rem; overflow: auto; padding-right: 1rem; } .lists td, .source, .pairs { overflow-wrap: anywhere; } .lists h3 { font-size: .9rem; margin: 0; }
  article { border-top: 1px solid var(--line); padding: .5rem 0; } .source { margin: .1rem 0 .25rem; }
  .pairs { display: flex; flex-wrap: wrap; gap: 2px 5px; } .pairs .pair { display: inline-flex; flex-direction: column; max-width: 100%; } .pairs bdi { max-width: 100%; } .pairs bdi { text-align: center; min-height: 1.3em; }
  .pair { border-radius: 4px; padding: 0 .3em; } .other { background: var(--warm-soft); } .missing { background: var(--bad-soft); } .extra { background: var(--accent-soft); }
  .missing bdi:first-child, .other bdi:first-child { color: var(--good); font-weight: 600; } .other bdi:last-child, .extra bdi:last-child { color: var(--bad); font-weight: 600; }
`));

const total = (label, value) => element("div", {}, element("b", {}, value), element("span", { class: "muted small" }, label));
main.append(element("div", { class: "totals" },
  total("sentences", data.sentences.toLocaleString("en")),
  total("with errors", `${data.wrong.toLocaleString("en")} (${percentOf(data.wrong, data.sentences)})`),
  metricNames.map((name) => total(name, digits(data.metrics[name]))),
  total("length ratio", digits(data.lengthRatio)),
  Object.entries(data.totals).map(([name, count]) => total(name, count.toLocaleString("en")))));
section("By length of the source, in tokens",
  element("div", { class: "plots" },
    metricNames.map((name) => bars(name, (bucket) => bucket.metrics[name], 1)),
    bars("length of hypotheses / references", (bucket) => bucket.lengthRatio, 2, 1),
    bars("sentences", (bucket) => bucket.sentences, 0)));
for (const [name, { groups, macro }] of Object.entries(data.groups)) {
  const rows = Object.entries(groups);
  if (macro) rows.push(["macro average", macro]);
  section(`By ${name}`, element("div", { class: "wide" }, table([
    [name, ([group]) => group],
    ["sources", ([, results]) => (results.sources ?? "").toLocaleString("en"), "number"],
    ...metricNames.map((metric) => [metric, ([, results]) => digits(results[metric]), "number"]),
  ], rows)));
}
if (data.matrix) matrix(data.matrix);
const list = (title, columns, rows) => element("div", {}, element("h3", {}, title), table(columns, rows));
const count = (pairOf) => ["count", (row) => element("button", { type: "button", title: "List its sentences", onclick: () => showOnly(pairOf(row)) }, String(row.at(-1))), "number"];
const token = (place) => (row) => visible(row[place]);
section("Most frequent errors", element("div", { class: "lists" },
  list("Substituted", [["reference", token(0)], ["model", token(1)], count((row) => row.slice(0, 2))], data.substitutions),
  list("Missing", [["token", token(0)], count((row) => [row[0], ""])], data.deletions),
  list("Extra", [["token", token(0)], count((row) => ["", row[0]])], data.insertions)));
worstSentences();
