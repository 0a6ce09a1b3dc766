// The backend of the page that runs the model of this file, in a worker, so that the page stays
// responsive. The elements `program`, `config` and `weights` hold the program (seq2seq_web.js), the
// description of the model, and its weights in base64.
class LocalBackend {
  #config = JSON.parse(document.getElementById("config").textContent);
  #waiting = new Map(); // The number of a request -> the functions of its promise.
  #requests = 0;
  #worker;
  #ready;

  constructor() {
    const program = document.getElementById("program").textContent;
    const script = new Blob([program, `(${listen})();`], { type: "text/javascript" });
    this.#worker = new Worker(URL.createObjectURL(script));
    this.#worker.onmessage = ({ data: { id, predictions, error } }) => {
      const [resolve, reject] = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(predictions);
    };
    const characters = atob(document.getElementById("weights").textContent);
    const { buffer } = Uint8Array.from(characters, (character) => character.charCodeAt(0));
    this.#ready = this.#send({ config: this.#config, buffer }, [buffer]);
  }

  async describe() {
    await this.#ready;
    const { about, search, model } = this.#config;
    return {
      name: document.title,
      description: `${about.model}, ${about.checkpoint}, weights in ${about.weights}`,
      input: "text",
      has_attention: model === "AttentionSeq2Seq",
      has_beam: true,
      search,
      limits: { beam_width: Math.max(10, search.beam_width), n_best: Math.max(10, search.beam_width) },
      note: "The model runs in this page. What you type does not leave it.",
    };
  }

  async predict(inputs, { beam_width, n_best }) {
    await this.#ready;
    const predictions = await this.#send({ texts: inputs, options: { beam_width, n_best } });
    return predictions.map(({ source, source_tokens, n_best, beam_trace }) => ({
      source_tokens,
      n_best,
      beam: beam_trace && { source, chosen: 1, width: Math.max(1, beam_width), nodes: beamNodes(beam_trace) },
    }));
  }

  #send(message, transfer = []) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#requests, [resolve, reject]);
      this.#worker.postMessage({ id: this.#requests++, ...message }, transfer);
    });
  }
}

// What the worker does; it sees nothing of the page.
function listen() {
  let model = null;
  onmessage = ({ data: { id, config, buffer, texts, options } }) => {
    try {
      if (config) model = new Seq2Seq.Model(config, buffer);
      postMessage({ id, predictions: config ? [] : model.predict(texts, options) });
    } catch (error) {
      postMessage({ id, error: `The model cannot be run: ${error.message}.` });
    }
  };
}

// Join the steps of a beam search into a tree, as `reports.beam_tree.beam_tree` does.
function beamNodes({ tokens, backpointers, log_probs, scores }) {
  const nodes = []; // [parent, step, beam index, token, log p, score, log p of the token, last, rank]
  let at = []; // Beam index -> node.
  tokens.forEach((chosen, step) => {
    const before = at;
    at = chosen.map((token, slot) => {
      const above = step ? before[backpointers[step][slot]] : -1;
      if (above >= 0 && nodes[above][3] === "SEQUENCE_END") {
        nodes[above][7] = step + 1;
        return above;
      }
      const logProb = log_probs[step][slot];
      const tokenLogProb = logProb - (above >= 0 ? nodes[above][4] : 0);
      return nodes.push([above, step + 1, slot, token, logProb, scores[step][slot], tokenLogProb, step + 1, null]) - 1;
    });
  });
  at.forEach((node, slot) => { nodes[node][8] = slot + 1; });
  return nodes;
}

startPage(new LocalBackend());
