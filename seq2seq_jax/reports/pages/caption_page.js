// Pictures with captions: under each word, the picture as bright as the word's attention.

// A veil is an alpha for each place of a coarse grid; the browser enlarges it smoothly.
function veil(caption, i) {
  const made = element("canvas", { class: "veil", width: caption.veilWidth, height: caption.veils[i].length / caption.veilWidth });
  const pen = made.getContext("2d");
  const pixels = pen.createImageData(made.width, made.height);
  caption.veils[i].forEach((alpha, place) => { pixels.data[4 * place + 3] = alpha; });
  pen.putImageData(pixels, 0, 0);
  return made;
}

const picture = (caption) => element("img", { src: caption.image, alt: caption.name });

function drawCaption(caption) {
  const large = element("div", { class: "large framed", style: `aspect-ratio:${caption.width}/${caption.height};width:${Math.min(320, 380 * caption.width / caption.height)}px` }, picture(caption));
  const lift = () => large.querySelector(".veil")?.remove();
  const words = caption.tokens.map((token, i) => {
    const show = () => { lift(); large.append(veil(caption, i)); };
    return element("button", { type: "button", class: "word", onmouseenter: show, onfocus: show, onmouseleave: lift, onblur: lift },
      element("span", { class: "framed", style: `aspect-ratio:${caption.width}/${caption.height}` }, picture(caption), veil(caption, i)),
      element("bdi", {}, token));
  });
  return element("article", {}, large,
    element("div", { class: "told" },
      caption.name ? element("div", { class: "muted small" }, caption.name) : "",
      element("p", { class: "caption", dir: "auto" }, caption.tokens.join(" ")),
      caption.references.map((reference) => element("p", { class: "muted", dir: "auto" }, reference)),
      element("div", { class: "words" }, words)));
}

main.append(
  element("style", {}, `
    article { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; border-top: 1px solid var(--line); padding: 1rem 0; align-items: flex-start; }
    .framed { position: relative; display: block; overflow: hidden; border-radius: 4px; } .framed img, .veil { width: 100%; height: 100%; display: block; }
    .veil { position: absolute; inset: 0; } .large { max-width: 100%; } .told { flex: 1 1 420px; min-width: 0; }
    .caption { font-size: 1.15rem; } .words { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .7rem; }
    .word { width: 104px; padding: 3px; text-align: center; } .word bdi { display: block; font-size: .85rem; overflow-wrap: anywhere; }
  `),
  element("p", { class: "muted small" }, "Bright is where the model looked when it chose the word, each word on its own scale. Point at a word to see it large."),
  ...data.map(drawCaption));
