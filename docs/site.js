// A page that is opened from disk cannot load the search index. Show how to get a searchable site.
if (location.protocol === "file:") {
  addEventListener("DOMContentLoaded", () => {
    const note = document.createElement("p");
    note.className = "search-note";
    note.textContent = "Search needs a web server: run `make serve` and open http://localhost:8000.";
    document.querySelector(".md-content__inner")?.prepend(note);
  });
}
