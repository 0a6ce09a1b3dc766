// What every page uses: its data, if it has any, and makers of elements. Text only ever becomes text
// nodes. A strict content security policy forbids style attributes, but not styles set by scripts.
const data = JSON.parse(document.getElementById("data")?.textContent ?? "null");
const main = document.querySelector("main");
const SVG = "http://www.w3.org/2000/svg";

// Attributes that are functions become listeners: onclick -> "click".
function dress(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (name === "style" && value) made.style.cssText = value;
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function element(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

function digits(value, places = 2) {
  if (value === null || value === undefined) return "–";
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

// columns: [[heading, row => cell, "number" or nothing], ...]
function table(columns, rows, rowAttributes = () => ({})) {
  const head = columns.map(([heading, , kind]) => element("th", { class: kind }, heading));
  const body = rows.map((row) =>
    element("tr", rowAttributes(row),
      columns.map(([, cell, kind]) => element("td", { class: kind, dir: kind ? null : "auto" }, cell(row)))));
  return element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, body));
}
