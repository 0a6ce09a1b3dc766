// Tables that a click on a heading sorts, and plots.
function value(text) {
  const found = text.replace(/,/g, "").match(/^-?\d+(\.\d+)?/);
  const parts = text.match(/^(\d+):(\d\d):(\d\d)$/);
  if (parts) return parts.slice(1).reduce((total, part) => 60 * total + Number(part), 0);
  return found ? Number(found[0]) : null;
}

function compared(a, b) {
  const [x, y] = [value(a), value(b)];
  if (x !== null && y !== null) return x - y;
  return x !== null ? -1 : y !== null ? 1 : a.localeCompare(b);
}

function sortable(given) {
  const box = element("div", { class: "wide" });
  let [sorted, up] = [-1, true];
  function draw() {
    const rows = [...given.rows];
    if (sorted >= 0) rows.sort((a, b) => (up ? 1 : -1) * compared(a[sorted], b[sorted]));
    const columns = given.columns.map((heading, i) => [
      element("span", {
        role: "button", tabindex: 0, style: "cursor: pointer",
        onclick: () => { up = sorted === i ? !up : true; sorted = i; draw(); },
        onkeydown: (event) => { if (event.key === "Enter") event.target.click(); },
      }, heading + (sorted === i ? (up ? " ▲" : " ▼") : "")),
      (row) => row[i],
      i < given.num_text_columns ? undefined : "number",
    ]);
    box.replaceChildren(table(columns, rows));
  }
  draw();
  return box;
}

// A plot in the colors of the page; a narrow screen scrolls it rather than shrinking its text.
function plot({ name, width, light, dark }) {
  return element("div", { class: "wide" },
    element("picture", {},
      element("source", { media: "(prefers-color-scheme: dark)", srcset: dark }),
      element("img", { src: light, alt: name, width, style: `max-width: max(100%, ${Math.round(0.65 * width)}px)` })));
}

main.append(element("style", {}, `
  .plots { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; } .plots .wide { min-width: 0; } .plots img { display: block; height: auto; }
  .wide th:first-child, .wide td:first-child { position: sticky; left: 0; background: var(--back); }
`));
for (const section of data) {
  main.append(
    element("h2", {}, section.name),
    element("p", { class: "muted small" }, section.note),
    ...section.tables.flatMap((each) => [
      section.tables.length > 1 ? element("p", {}, `By ${each.by}`) : "",
      sortable(each),
    ]),
    section.failures.length ? element("ul", {}, section.failures.map((text) => element("li", {}, text))) : "",
    element("div", { class: "plots" }, section.plots.map(plot)),
  );
}
