// Images with captions: under each token, the image as bright as the attention of the token.

// An overlay is an alpha for each position of a coarse grid; the browser enlarges it smoothly.
function overlay(caption, i) {
  const made = element("canvas", { class: "overlay", width: caption.overlayWidth, height: caption.overlays[i].length / caption.overlayWidth });
  const pen = made.getContext("2d");
  const pixels = pen.createImageData(made.width, made.height);
  caption.overlays[i].forEach((alpha, position) => { pixels.data[4 * position + 3] = alpha; });
  pen.putImageData(pixels, 0, 0);
  return made;
}

const image = (caption) => element("img", { src: caption.image, alt: caption.name });

function drawCaption(caption) {
  const large = element("div", { class: "large framed", style: `aspect-ratio:${caption.width}/${caption.height};width:${Math.min(320, 380 * caption.width / caption.height)}px` }, image(caption));
  const remove = () => large.querySelector(".overlay")?.remove();
  const tokens = caption.tokens.map((token, i) => {
    const show = () => { remove(); large.append(overlay(caption, i)); };
    return element("button", { type: "button", class: "token", onmouseenter: show, onfocus: show, onmouseleave: remove, onblur: remove },
      element("span", { class: "framed", style: `aspect-ratio:${caption.width}/${caption.height}` }, image(caption), overlay(caption, i)),
      element("bdi", {}, token));
  });
  return element("article", {}, large,
    element("div", { class: "text" },
      caption.name ? element("div", { class: "muted small" }, caption.name) : "",
      caption.tokens.length
        ? element("p", { class: "caption", dir: "auto" }, caption.tokens.join(" "))
        : element("p", { class: "caption muted" }, "(empty)"),
      caption.references.map((reference) => element("p", { class: "muted", dir: "auto" }, reference)),
      element("div", { class: "tokens" }, tokens)));
}

main.append(
  element("style", {}, `
    article { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; border-top: 1px solid var(--line); padding: 1rem 0; align-items: flex-start; }
    .framed { position: relative; display: block; overflow: hidden; border-radius: 4px; } .framed img, .overlay { width: 100%; height: 100%; display: block; }
    .overlay { position: absolute; inset: 0; } .large { max-width: 100%; } .text { flex: 1 1 min(420px, 100%); min-width: 0; overflow-wrap: anywhere; }
    .caption { font-size: 1.15rem; } .tokens { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .7rem; }
    .token { width: 104px; padding: 3px; text-align: center; } .token bdi { display: block; font-size: .85rem; overflow-wrap: anywhere; }
  `),
  element("p", { class: "muted small" }, "The brighter a position, the more attention the token pays to it; each token has its own scale. Point at a token to enlarge it."),
  ...data.map(drawCaption));
