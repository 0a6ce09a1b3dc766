// Tables with a column of meanings are laid out so that this column is readable: see site.css.
for (const table of document.querySelectorAll(".md-typeset table:not([class])")) {
  const labels = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
  if (labels.length < 2 || !/^(meaning|content)$/i.test(labels.at(-1))) continue;
  table.dataset.kind = "keys";
  table.dataset.columns = labels.length;
  for (const row of table.tBodies[0].rows)
    [...row.cells].forEach((cell, i) => (cell.dataset.label = labels[i]));
}

// A page that is opened from disk cannot load the search index. Say how to get a searchable site.
if (location.protocol === "file:") {
  const note = document.createElement("p");
  note.className = "search-note";
  note.innerHTML =
    "Search needs a web server: use <code>make serve</code> and open http://localhost:8000.";
  document.querySelector(".md-content__inner")?.prepend(note);
}
