// The hypotheses of a beam search, one column per step. A row continues with the best continuation
// of its last token; the others branch off below it.
// `data` is what `write_beam_tree` writes. Return the elements that show it.
function beamTree(data) {
  const LABELS = {
    "log p of the token": (node) => node.tokenLogProb,
    "log p": (node) => node.logProb,
    "score": (node) => node.score,
  };
  const ROW = 42, GAP = 26, TOP = 8;

  const nodes = data.nodes.map(([parent, step, beamIndex, token, logProb, score, tokenLogProb, last, rank], id) => ({
    id, parent, step, beamIndex, token, logProb, score, tokenLogProb, last, rank, children: [],
  }));
  const root = { id: -1, parent: null, step: 0, token: "", children: [], logProb: 0, rank: null };
  const parentOf = (node) => (node.parent < 0 ? root : nodes[node.parent]);
  for (const node of nodes) parentOf(node).children.push(node);
  // The best final hypothesis below each token; children come later in the list, and pass theirs on.
  for (const node of [...nodes].reverse()) {
    const worst = Infinity;
    node.reach = Math.min(node.rank ?? worst, ...node.children.map((child) => child.reach));
    node.far = Math.max(node.last, ...node.children.map((child) => child.far));
  }
  for (const node of [root, ...nodes]) {
    node.children.sort((a, b) => a.reach - b.reach || b.far - a.far || a.beamIndex - b.beamIndex);
  }

  const finals = nodes.filter((node) => node.rank !== null).sort((a, b) => a.rank - b.rank);
  const isPruned = (node) => node.reach === Infinity;
  let shown = finals.find((node) => node.rank === data.chosen) ?? finals[0] ?? nodes[0];
  let focused = shown;
  let label = "log p of the token";
  const open = new Map(); // token -> "all", "final" (branches that reached the end) or "none"

  function openAll(how) {
    for (const node of [root, ...nodes]) open.set(node, how);
  }

  function visibleChildren(node) {
    const how = open.get(node);
    return node.children.filter((child, i) =>
      i === 0 || how === "all" || (how === "final" && !isPruned(child)));
  }

  function pathTo(node) {
    const path = [];
    for (let at = node; at !== root; at = parentOf(at)) path.unshift(at);
    return path;
  }

  const pen = document.createElement("canvas").getContext("2d");
  function widthOf(text) {
    pen.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(text).width;
  }

  function short(token) {
    const characters = [...token];
    return characters.length > 28 ? `${characters.slice(0, 27).join("")}…` : token;
  }

  // Give every visible token a row; return these tokens in the order of their rows.
  function layOut() {
    const placed = [];
    let rows = 0;
    const stack = [[root, 0, true]];
    while (stack.length) {
      const [node, row, goesOn] = stack.pop();
      node.row = goesOn ? row : rows;
      rows = Math.max(rows, node.row + 1);
      if (node !== root) placed.push(node);
      // The last pushed is the next: the row itself first, then its branches from the top down.
      const children = visibleChildren(node);
      for (const child of children.slice(1).reverse()) stack.push([child, null, false]);
      if (children.length) stack.push([children[0], node.row, true]);
    }
    return [placed, rows];
  }

  function draw() {
    const [placed, rows] = layOut();
    const steps = Math.max(...placed.map((node) => node.step), 1);
    const widths = Array(steps + 1).fill(34);
    for (const node of placed) widths[node.step] = Math.max(widths[node.step], widthOf(short(node.token)) + 14);
    const left = [0, 48];
    for (let step = 1; step <= steps; step++) left.push(left[step] + widths[step] + GAP);
    const width = left[steps + 1] + 150;
    const middle = (node) => TOP + node.row * ROW + 12;
    const end = (node) => (node === root ? 20 : left[node.step] + widths[node.step]);
    const onPath = new Set(pathTo(shown));

    const heading = drawn("svg", { width, height: 22 });
    for (let step = 1; step <= steps; step++) {
      heading.append(drawn("text", { x: left[step] + widths[step] / 2, y: 15, "text-anchor": "middle", class: "muted" }, String(step)));
    }
    const picture = drawn("svg", { width, height: TOP + rows * ROW + 4, role: "tree", "aria-label": "beam search" });
    const edges = drawn("g", { fill: "none" });
    picture.append(edges, drawn("circle", { cx: 8, cy: TOP + 12, r: 4, fill: "var(--accent)" }));

    for (const node of placed) {
      const parent = parentOf(node);
      const [x0, y0, x1, y1] = [end(parent), middle(parent), left[node.step], middle(node)];
      const bend = x0 + 8;
      const way = y0 === y1 ? `M${x0} ${y0}H${x1}` : `M${x0} ${y0}H${bend - 4}q4 0 4 4V${y1 - 4}q0 4 4 4H${x1}`;
      edges.append(drawn("path", {
        d: way,
        stroke: onPath.has(node) ? "var(--accent)" : "var(--line)",
        "stroke-width": onPath.has(node) ? 2.5 : 1.3,
        "stroke-dasharray": isPruned(node) ? "3 3" : null,
      }));
    }
    for (const node of [root, ...placed]) {
      const [hidden, branches] = [node.children.length - visibleChildren(node).length, node.children.length - 1];
      if (branches < 1) continue;
      const [x, y] = [end(node) + 8, middle(node)];
      const knob = drawn("g", { style: "cursor:pointer", onclick: () => toggle(node) },
        drawn("title", {}, hidden ? `unfold ${hidden} more` : "fold"),
        drawn("circle", { cx: x, cy: y, r: 8, fill: "var(--back)", stroke: "var(--accent)" }),
        drawn("text", { x, y: y + 4, "text-anchor": "middle", style: "font-size:10px" }, hidden ? `+${hidden}` : "−"));
      picture.append(knob);
    }
    for (const node of placed) picture.append(word(node, left[node.step], widths[node.step], middle(node), onPath.has(node)));

    headingBox.replaceChildren(heading);
    pictureBox.replaceChildren(picture);
    count.textContent = `${placed.length} of ${nodes.length} tokens shown`;
    describe(focused);
  }

  function word(node, x, width, y, chosen) {
    const pruned = isPruned(node);
    // The probability of this token: the fainter, the lower.
    const sure = Math.exp(node.tokenLogProb ?? 0);
    const made = drawn("g", {
      role: "treeitem", tabindex: node === focused ? 0 : -1, "data-id": node.id, style: "cursor:pointer",
      "aria-label": node.token, opacity: pruned ? 0.85 : 1,
      onclick: () => { focusOn(node); },
      onfocus: () => { focused = node; describe(node); },
      onmouseenter: () => describe(node),
      onmouseleave: () => describe(focused),
      ondblclick: () => toggle(node),
    },
    drawn("rect", {
      x, y: y - 12, width, height: 24, rx: 5,
      fill: `rgba(var(--heat), ${(0.04 + 0.3 * sure).toFixed(3)})`,
      stroke: chosen ? "var(--accent)" : "var(--line)", "stroke-width": chosen ? 1.8 : 1,
    }),
    drawn("text", { x: x + width / 2, y: y + 4.5, "text-anchor": "middle", style: "font-size:13px;unicode-bidi:plaintext" }, short(node.token)));
    const value = LABELS[label];
    if (value) made.append(drawn("text", { x: x + width / 2, y: y + 23, "text-anchor": "middle", class: "muted", style: "font-size:11px" }, digits(value(node))));
    if (node.rank !== null) {
      made.append(drawn("text", { x: x + width + 8, y: y + 4.5, style: `font-weight:600;fill:var(--${chosen ? "accent" : "front"})` }, `#${node.rank}  ${digits(node.score, 3)}`));
    } else if (!node.children.length) {
      made.append(drawn("text", { x: x + width + 5, y: y + 4, style: "fill:var(--bad);font-size:11px" }, "✕"));
    }
    return made;
  }

  function toggle(node) {
    const hidden = node.children.length - visibleChildren(node).length;
    open.set(node, hidden ? "all" : "none");
    draw();
    focusOn(focused);
  }

  function focusOn(node) {
    if (node === root || !node) return;
    for (let at = node; at !== root; at = parentOf(at)) {
      const above = parentOf(at);
      if (!visibleChildren(above).includes(at)) open.set(above, isPruned(at) ? "all" : "final");
    }
    const wasShown = pictureBox.querySelector(`[data-id="${node.id}"]`);
    focused = node;
    if (!wasShown) draw();
    for (const other of pictureBox.querySelectorAll("[data-id]")) other.setAttribute("tabindex", other.dataset.id === String(node.id) ? 0 : -1);
    pictureBox.querySelector(`[data-id="${node.id}"]`).focus();
  }

  function fate(node) {
    if (node.rank !== null) return node.rank === data.chosen ? "the returned hypothesis" : `rank ${node.rank} when the search ended`;
    if (!node.children.length) return `pruned after step ${node.last}: ${data.width} others had higher scores`;
    return isPruned(node) ? "pruned later" : "part of a final hypothesis";
  }

  function describe(node) {
    if (!node) return;
    details.replaceChildren(
      element("p", { dir: "auto" }, pathTo(node).map((at) => at.token).join(" ")),
      element("p", { class: "muted small" },
        `step ${node.step}, rank ${node.beamIndex + 1} of ${data.width} in the beam · log p of the token ${digits(node.tokenLogProb, 3)} · ` +
        `log p ${digits(node.logProb, 3)} · score ${digits(node.score, 3)} · ${fate(node)}`));
  }

  function show(node) {
    shown = node;
    for (const row of finalRows.children) row.classList.toggle("shown", row.dataset.rank === String(node.rank));
    focused = node;
    draw();
    focusOn(node);
  }

  function move(event) {
    const steps = {
      ArrowLeft: () => parentOf(focused),
      ArrowRight: () => focused.children[0],
      ArrowUp: () => moveRow(-1),
      ArrowDown: () => moveRow(1),
    };
    if (event.key in steps) {
      event.preventDefault();
      focusOn(steps[event.key]());
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(focused);
    }
  }

  // The visible token of the same step, or the nearest one, in the next row that has tokens.
  function moveRow(direction) {
    const [placed] = layOut();
    const others = placed.filter((node) => (node.row - focused.row) * direction > 0);
    const row = direction * Math.min(...others.map((node) => node.row * direction));
    return others.filter((node) => node.row === row)
      .sort((a, b) => Math.abs(a.step - focused.step) - Math.abs(b.step - focused.step))[0];
  }

  const finalTable = table([
    ["", (node) => `#${node.rank}`],
    ["hypothesis", (node) => pathTo(node).map((at) => at.token).join(" ")],
    ["score", (node) => digits(node.score, 3), "number"],
    ["log p", (node) => digits(node.logProb, 3), "number"],
    ["steps", (node) => String(node.step), "number"],
  ], finals, (node) => ({ "data-rank": node.rank, class: node === shown ? "shown" : "", onclick: () => show(node) }));
  const finalRows = finalTable.querySelector("tbody");
  const details = element("div", { class: "details", "aria-live": "polite" });
  const headingBox = element("div", { class: "steps" });
  const pictureBox = element("div", { onkeydown: move });
  const count = element("span", { class: "muted small" });
  const button = (text, how) => element("button", { type: "button", onclick: () => { openAll(how); draw(); } }, text);

  const parts = [
    data.source ? element("p", { dir: "auto" }, data.source) : "",
    element("div", { class: "wide finals" }, finalTable),
    element("div", { class: "bar" },
      button("Final hypotheses", "final"), button("Unfold all", "all"), button("Fold all", "none"),
      element("label", {}, "numbers: ", element("select", { onchange: (event) => { label = event.target.value; draw(); } },
        [...Object.keys(LABELS), "none"].map((name) => element("option", { value: name }, name)))),
      count),
    element("div", { class: "tree" }, headingBox, pictureBox),
    details,
    element("p", { class: "muted small" },
      "Each row continues with the best continuation; others branch off below. ✕ and dashes: pruned. " +
      "The stronger the color of a token, the higher its probability. " +
      "Click a circle, or press Enter on a token, to fold and unfold; arrow keys move."),
  ];
  openAll(nodes.length <= 150 ? "all" : "final");
  draw();
  return parts;
}

if (data) main.append(...beamTree(data));
