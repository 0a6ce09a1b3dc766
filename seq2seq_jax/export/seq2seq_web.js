// An encoder-decoder model in plain JavaScript, for the browser and for Node: the same program as
// seq2seq_numpy.py, with the same names. It reads the same two parts: the description of the model
// (config.json) and its weights (model.safetensors).
//
//     const model = new Seq2Seq.Model(config, arrayBuffer);
//     const [prediction] = model.predict(["transformer"], { beam_width: 5, n_best: 3 });
//
// A matrix is a Float32Array in row-major order. It runs one text at a time, without padding.
// Letters for shapes: S is the number of source tokens, K of hypotheses, V of target tokens.

const Seq2Seq = (() => {
  "use strict";

  const FORMAT = "seq2seq-jax export";
  const FORMAT_VERSION = 1;
  const SPECIAL_TOKENS = ["UNK", "SEQUENCE_START", "SEQUENCE_END"];
  const SCALE_SUFFIX = ".scale_of_int8";
  const TINY = 2 ** -126; // The smallest normal float32.

  // matmul.wat, compiled by `wat2wasm`: a product of matrices with SIMD.
  const WASM = atob(
    "AGFzbQEAAAABCgFgBn9/f39/fwADAgEABQMBAAEHEwIGbWVtb3J5AgAGbWF0bXVsAAAKpgQBowQDCH8EewR/IAVBAnQh" +
    "BiAEQQJ0IQcgBCEIAkADQCAIRQ0BIAMhCSABIQogACELAkADQCAJRQ0BIAsgBmohDCALIAZBcHFqIQ0gAiESIAr9CQIA" +
    "IQ4gCEEESQRAAkADQCALIA1PDQEgCyAL/QAEACAOIBL9AAQA/eYB/eQB/QsEACALQRBqIQsgEkEQaiESDAALCwJAA0Ag" +
    "CyAMTw0BIAsgCyoCACAO/R8AIBIqAgCUkjgCACALQQRqIQsgEkEEaiESDAALCwUgCv0JAgQhDyAK/QkCCCEQIAr9CQIM" +
    "IREgEiAGaiETIBMgBmohFCAUIAZqIRUCQANAIAsgDU8NASALIAv9AAQAIA4gEv0ABAD95gEgDyAT/QAEAP3mAf3kASAQ" +
    "IBT9AAQA/eYBIBEgFf0ABAD95gH95AH95AH95AH9CwQAIAtBEGohCyASQRBqIRIgE0EQaiETIBRBEGohFCAVQRBqIRUM" +
    "AAsLAkADQCALIAxPDQEgCyALKgIAIA79HwAgEioCAJQgD/0fACATKgIAlJIgEP0fACAUKgIAlCAR/R8AIBUqAgCUkpKS" +
    "OAIAIAtBBGohCyASQQRqIRIgE0EEaiETIBRBBGohFCAVQQRqIRUMAAsLCyAKIAdqIQogCUEBayEJDAALCyAIQQRJBEAg" +
    "CEEBayEIIAFBBGohASACIAZqIQIFIAhBBGshCCABQRBqIQEgAiAGQQJ0aiECCwwACwsL",
  );

  // ---------------------------------------------------------------------------------- weights

  function float16ToFloat32(bits) {
    const values = new Float32Array(bits.length);
    for (let i = 0; i < bits.length; i++) {
      const sign = bits[i] & 0x8000 ? -1 : 1;
      const exponent = (bits[i] >> 10) & 31;
      const fraction = bits[i] & 1023;
      values[i] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
    }
    return values;
  }

  // Read a safetensors file into {name: {data: Float32Array, shape}}. int8 weights are multiplied
  // by the scales of their channels: those of an embedding are rows, of a dense layer columns.
  function readWeights(buffer) {
    const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)));
    const stored = {};
    for (const [name, entry] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const [first, last] = entry.data_offsets;
      const bytes = buffer.slice(8 + headerLength + first, 8 + headerLength + last);
      const data = { F32: Float32Array, F16: Uint16Array, I8: Int8Array }[entry.dtype];
      const values = new data(bytes);
      stored[name] = { data: entry.dtype === "F16" ? float16ToFloat32(values) : values, shape: entry.shape };
    }
    const weights = {};
    for (const [name, { data, shape }] of Object.entries(stored)) {
      if (name.endsWith(SCALE_SUFFIX)) continue;
      const scale = stored[name + SCALE_SUFFIX];
      weights[name] = { data: scale ? scaled(data, shape, scale.data, name) : data, shape };
    }
    return weights;
  }

  function scaled(data, shape, scales, name) {
    const width = shape[shape.length - 1];
    const perRow = name.endsWith(".embedding");
    return Float32Array.from(data, (q, i) => q * scales[perRow ? Math.floor(i / width) : i % width]);
  }

  // Weights by dotted names, as one module sees them.
  class Weights {
    constructor(arrays, prefix = "", wasm = null) {
      this.arrays = arrays;
      this.prefix = prefix;
      this.wasm = wasm;
    }

    has(name) {
      return this.prefix + name in this.arrays;
    }

    get(name) {
      return this.arrays[this.prefix + name];
    }

    below(name) {
      return new Weights(this.arrays, `${this.prefix}${name}.`, this.wasm);
    }

    // Apply a dense layer, x W + b, to x [rows, I]; some layers have no b.
    dense(name, x, rows) {
      const kernel = this.get(`${name}.kernel`);
      const bias = this.has(`${name}.bias`) ? this.get(`${name}.bias`).data : null;
      return this.matmul(x, rows, kernel.data, kernel.shape[1], bias);
    }

    // `matmul` by a weight.
    matmul(x, rows, w, O, bias) {
      return (this.wasm ? this.wasm.matmul : matmul)(x, rows, w, O, bias);
    }
  }

  // Move the weights into the memory of a WebAssembly program, which multiplies by them about eight
  // times as fast as JavaScript. Return null where there is no WebAssembly, or none with SIMD.
  function startWasm(weights) {
    let exports;
    try {
      const bytes = Uint8Array.from(WASM, (character) => character.charCodeAt(0));
      exports = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
      const arrays = Object.values(weights);
      const widths = arrays.map(({ shape }) => shape[shape.length - 1] + (shape[shape.length - 2] ?? 0));
      const capacity = Math.max(1 << 18, ...widths.map((width) => 8 * width)); // For x and the result.
      const aligned = (length) => (length + 3) & ~3;
      const total = arrays.reduce((sum, { data }) => sum + aligned(data.length), capacity);
      exports.memory.grow(Math.ceil((4 * total) / 65536));
      const { buffer } = exports.memory;
      const scratch = new Float32Array(buffer, 0, capacity);
      let at = 4 * capacity;
      for (const weight of arrays) {
        const data = new Float32Array(buffer, at, weight.data.length);
        data.set(weight.data);
        weight.data = data;
        at += 4 * aligned(data.length);
      }
      return { matmul: (...given) => wasmMatmul(exports.matmul, scratch, ...given) };
    } catch {
      return null;
    }
  }

  function wasmMatmul(run, scratch, x, rows, w, O, bias) {
    const I = x.length / rows;
    const result = new Float32Array(rows * O);
    const most = Math.floor(scratch.length / (I + O)); // Rows at once.
    for (let first = 0; first < rows; first += most) {
      const n = Math.min(most, rows - first);
      const y = scratch.subarray(n * I, n * (I + O));
      scratch.set(x.subarray(first * I, (first + n) * I));
      y.fill(0);
      if (bias) for (let k = 0; k < n; k++) y.set(bias, k * O);
      run(y.byteOffset, 0, w.byteOffset, n, I, O);
      result.set(y, first * O);
    }
    return result;
  }

  // x [rows, I] times w [I, O], plus a bias [O]. Four rows of w at a time: each element of the
  // result is read and written once for four products.
  function matmul(x, rows, w, O, bias) {
    const I = x.length / rows;
    const result = new Float32Array(rows * O);
    for (let r = 0; r < rows; r++) {
      const y = result.subarray(r * O, (r + 1) * O);
      if (bias) y.set(bias);
      let i = 0;
      for (; i + 3 < I; i += 4) {
        const a = x[r * I + i], b = x[r * I + i + 1], c = x[r * I + i + 2], d = x[r * I + i + 3];
        const w0 = i * O, w1 = w0 + O, w2 = w1 + O, w3 = w2 + O;
        for (let o = 0; o < O; o++) {
          y[o] += a * w[w0 + o] + b * w[w1 + o] + c * w[w2 + o] + d * w[w3 + o];
        }
      }
      for (; i < I; i++) {
        const a = x[r * I + i];
        for (let o = 0; o < O; o++) y[o] += a * w[i * O + o];
      }
    }
    return result;
  }

  // ----------------------------------------------------------------------------------- tokens

  // One side's tokens: their ids, and how a text is split into them.
  class Text {
    constructor(side) {
      this.names = [...side.tokens, ...SPECIAL_TOKENS];
      [this.unk, this.start, this.end] = [0, 1, 2].map((i) => side.tokens.length + i);
      this.maxLen = side.max_seq_len;
      this.ids = new Map(this.names.map((name, i) => [name, i]));
      this.delimiter = side.delimiter; // Empty: the tokens are characters.
      this.lowercase = side.lowercase;
      this.form = side.normalization; // Of Unicode, such as NFD; outputs are then in NFC.
      this.unique = !side.bpe && !this.form; // Different tokens always make different texts.
      this.merges = null;
      if (side.bpe) {
        this.merges = new Map();
        for (const pair of side.bpe.merges) {
          if (!this.merges.has(pair)) this.merges.set(pair, this.merges.size);
        }
        this.separateEnd = side.bpe.version === "0.1";
      }
    }

    split(text) {
      if (this.lowercase) text = text.toLowerCase();
      if (this.form) text = text.normalize(this.form);
      const words = this.delimiter ? text.split(this.delimiter).filter(Boolean) : Array.from(text);
      return this.merges ? words.flatMap((word) => this.splitWord(word)) : words;
    }

    join(tokens) {
      const text = this.merges ? this.joinPieces(tokens) : tokens.join(this.delimiter);
      return this.form ? text.normalize("NFC") : text;
    }

    joinPieces(tokens) {
      const words = [];
      let prefix = "";
      tokens.forEach((token, i) => {
        const joins = token.endsWith("@@");
        prefix += joins ? token.slice(0, -2) : token;
        if (!joins || i === tokens.length - 1) {
          words.push(prefix);
          prefix = "";
        }
      });
      return words.join(this.delimiter);
    }

    encode(text) {
      const ids = this.split(text).map((token) => this.ids.get(token) ?? this.unk);
      return ids.length ? [...ids, this.end].slice(0, this.maxLen) : [];
    }

    // Split a word into BPE subwords; all but the last end in @@ (arXiv:1508.07909).
    splitWord(word) {
      let symbols = Array.from(word);
      if (this.separateEnd) symbols.push("</w>");
      else symbols[symbols.length - 1] += "</w>";
      while (symbols.length > 1) {
        const pairs = symbols.slice(0, -1).map((symbol, i) => `${symbol} ${symbols[i + 1]}`);
        let best = null, rank = Infinity;
        for (const pair of pairs) {
          const own = this.merges.get(pair) ?? Infinity;
          if (own < rank) [best, rank] = [pair, own];
        }
        if (best === null) break;
        const merged = [];
        for (let i = 0; i < symbols.length; i++) {
          if (pairs[i] === best) {
            merged.push(symbols[i] + symbols[i + 1]);
            i++;
          } else merged.push(symbols[i]);
        }
        symbols = merged;
      }
      const end = symbols.length - 1;
      if (symbols[end].endsWith("</w>")) symbols[end] = symbols[end].slice(0, -4);
      if (!symbols[end]) symbols.pop();
      const last = symbols[symbols.length - 1];
      if (last.endsWith("@@") || SPECIAL_TOKENS.includes(last)) { // It must not look like something else.
        const characters = Array.from(last);
        symbols.splice(-1, 1, characters.slice(0, -1).join(""), characters[characters.length - 1]);
      }
      return symbols.map((symbol, i) => (i < symbols.length - 1 ? `${symbol}@@` : symbol));
    }
  }

  // ------------------------------------------------------------------------------------ cells

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));

  const ACTIVATIONS = {
    identity: (x) => x,
    tanh: Math.tanh,
    relu: (x) => Math.max(x, 0),
    sigmoid,
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    gelu: (x) => x * sigmoid(1.5957691 * (x + 0.044715 * x * x * x)),
  };

  function add(x, y) {
    for (let i = 0; i < x.length; i++) x[i] += y[i];
    return x;
  }

  // Each cell maps its weights, the keys cell_params.*, its state (arrays [rows, D]), its projected
  // input z = x W + b, and the number of rows to its new state. The last array of a state is the
  // output.

  // h' = tanh(x W + h U + b)
  function basicRnn(w, p, [h], z, rows) {
    return [add(w.dense("recurrent", h, rows), z).map(ACTIVATIONS[p.activation])];
  }

  // r, u = sigmoid(x W + h U + b),  h' = u h + (1 - u) tanh(x W_c + (r h) U_c + b_c)
  function gru(w, p, [h], z, rows) {
    const D = p.num_units;
    const activation = ACTIVATIONS[p.activation];
    const gates = w.dense("gates", h, rows);
    const gated = new Float32Array(rows * D); // r h
    for (let k = 0; k < rows; k++) {
      for (let d = 0; d < D; d++) {
        gated[k * D + d] = h[k * D + d] * sigmoid(z[k * 3 * D + d] + gates[k * 2 * D + d]);
      }
    }
    const candidate = w.dense("candidate", gated, rows);
    const output = new Float32Array(rows * D);
    for (let k = 0; k < rows; k++) {
      for (let d = 0; d < D; d++) {
        const u = sigmoid(z[k * 3 * D + D + d] + gates[k * 2 * D + D + d]);
        const c = activation(z[k * 3 * D + 2 * D + d] + candidate[k * D + d]);
        output[k * D + d] = u * h[k * D + d] + (1 - u) * c;
      }
    }
    return [output];
  }

  // i, j, f, o = x W + h U + b
  // c' = c sigmoid(f + forget_bias) + sigmoid(i) tanh(j),  h' = tanh(c') sigmoid(o)
  // LSTMCell adds peepholes, a projection and clipping; the layer-norm LSTM normalizes the gates.
  function lstm(w, p, [c, h], input, rows) {
    const D = p.num_units;
    const tanh = ACTIVATIONS[p.activation];
    const z = add(w.dense("recurrent", h, rows), input);
    const newC = new Float32Array(rows * D);
    const newH = new Float32Array(rows * D);
    const peephole = (gate) => (p.use_peepholes ? w.get(`peephole_${gate}`).data : null);
    const [pi, pf, po] = [peephole("i"), peephole("f"), peephole("o")];
    for (let k = 0; k < rows; k++) {
      const gates = [0, 1, 2, 3].map((g) => z.subarray((4 * k + g) * D, (4 * k + g + 1) * D));
      if (p.layer_norm) gates.forEach((gate, g) => normalize(w, `norm_${"ijfo"[g]}`, gate));
      const [i, j, f, o] = gates;
      for (let d = 0; d < D; d++) {
        const old = c[k * D + d];
        const added = sigmoid(i[d] + (pi ? pi[d] * old : 0)) * tanh(j[d]);
        let cell = old * sigmoid(f[d] + p.forget_bias + (pf ? pf[d] * old : 0)) + added;
        if (p.cell_clip) cell = Math.max(-p.cell_clip, Math.min(p.cell_clip, cell));
        newC[k * D + d] = cell;
      }
      if (p.layer_norm) normalize(w, "norm_c", newC.subarray(k * D, (k + 1) * D));
      for (let d = 0; d < D; d++) {
        const cell = newC[k * D + d];
        newH[k * D + d] = tanh(cell) * sigmoid(o[d] + (po ? po[d] * cell : 0));
      }
    }
    if (!p.num_proj) return [newC, newH];
    let output = w.dense("projection", newH, rows);
    if (p.proj_clip) output = output.map((v) => Math.max(-p.proj_clip, Math.min(p.proj_clip, v)));
    return [newC, output];
  }

  // Layer normalization of one vector, in place (arXiv:1607.06450).
  function normalize(w, name, x) {
    const scale = w.get(`${name}.scale`).data, shift = w.get(`${name}.bias`).data;
    let mean = 0, variance = 0;
    for (const v of x) mean += v / x.length;
    for (const v of x) variance += (v - mean) ** 2 / x.length;
    const deviation = Math.sqrt(variance + 1e-12);
    for (let d = 0; d < x.length; d++) x[d] = ((x[d] - mean) / deviation) * scale[d] + shift[d];
  }

  const CELLS = {
    BasicRNNCell: basicRnn,
    GRUCell: gru,
    BasicLSTMCell: lstm,
    LSTMCell: lstm,
    LayerNormBasicLSTMCell: lstm,
  };

  // ----------------------------------------------------------------------------------- layers

  // Concatenate matrices with the same number of rows along their columns.
  function concatenate(parts, rows) {
    const widths = parts.map((part) => part.length / rows);
    const width = widths.reduce((a, b) => a + b, 0);
    const joined = new Float32Array(rows * width);
    for (let r = 0; r < rows; r++) {
      let at = r * width;
      parts.forEach((part, i) => {
        joined.set(part.subarray(r * widths[i], (r + 1) * widths[i]), at);
        at += widths[i];
      });
    }
    return joined;
  }

  // The state before the first step of each layer, one row.
  function zeroState(rnn) {
    const p = rnn.cell_params;
    const widths = [p.num_units];
    if (rnn.cell_class.includes("LSTM")) widths.push(p.num_proj || p.num_units);
    return Array.from({ length: rnn.num_layers }, () => widths.map((n) => new Float32Array(n)));
  }

  // Run all layers on x [rows, E], with residual connections if there are several layers.
  function throughLayers(w, rnn, x, rows, runLayer) {
    if (w.has("input_transform.kernel")) x = w.dense("input_transform", x, rows);
    const below = [x];
    for (let i = 0; i < rnn.num_layers; i++) {
      let output = runLayer(i, below[below.length - 1]);
      if (rnn.residual_connections && rnn.num_layers > 1) {
        const inputs = rnn.residual_dense ? below : below.slice(-1);
        if (rnn.residual_combiner === "concat") output = concatenate([output, ...inputs], rows);
        else {
          const divisor = rnn.residual_combiner === "mean" ? inputs.length : 1;
          output = output.map((v, d) => v + inputs.reduce((sum, y) => sum + y[d], 0) / divisor);
        }
      }
      below.push(output);
    }
    return below[below.length - 1];
  }

  // --------------------------------------------------------------------------------- encoders

  // Each encoder maps its weights, the slot `encoder` and inputs [S, E] to {outputs [S, H],
  // finalState: vectors, values [S, H]}.

  const STACKS = {
    UnidirectionalRNNEncoder: { forward: { cell: false } },
    BidirectionalRNNEncoder: { forward: { cell: false }, backward: { cell: true } },
    StackBidirectionalRNNEncoder: { stack: { cell: false, backward_cell: true } },
  };

  function rnnEncoder(w, encoder, inputs, S) {
    const outputs = [], finalState = [];
    for (const [name, directions] of Object.entries(STACKS[encoder.class])) {
      const [output, final] = runStack(w.below(name), encoder.params.rnn_cell, inputs, S, directions);
      outputs.push(output);
      finalState.push(...final);
    }
    const joined = concatenate(outputs, S);
    return { outputs: joined, finalState, values: joined };
  }

  // Run the layers of one RNN over inputs [S, E], each in all of its directions.
  function runStack(w, rnn, inputs, S, directions) {
    const cell = CELLS[rnn.cell_class], zeros = zeroState(rnn);
    const finalState = Object.fromEntries(Object.keys(directions).map((name) => [name, []]));
    const outputs = throughLayers(w, rnn, inputs, S, (i, x) => {
      const results = Object.entries(directions).map(([name, reverse]) => {
        const weights = w.below(`${name}_${i}`);
        const z = weights.dense("input", x, S); // Of all positions at once.
        const width = z.length / S;
        const outputs = new Array(S);
        let state = zeros[i];
        for (let t = 0; t < S; t++) {
          const at = reverse ? S - 1 - t : t;
          state = cell(weights, rnn.cell_params, state, z.subarray(at * width, (at + 1) * width), 1);
          outputs[at] = state[state.length - 1];
        }
        finalState[name].push(...state);
        return concatenate(outputs, 1); // One vector after the other: [S, D].
      });
      return concatenate(results, S);
    });
    return [outputs, Object.values(finalState).flat()];
  }

  function meanOverTime(x, S) {
    const E = x.length / S;
    const mean = new Float32Array(E);
    for (let i = 0; i < x.length; i++) mean[i % E] += x[i] / S;
    return mean;
  }

  // The mean or maximum of each window of embeddings (arXiv:1611.02344).
  function poolingEncoder(w, encoder, inputs, S) {
    const p = encoder.params;
    inputs = addPositions(inputs, S, p.position_embeddings);
    const E = inputs.length / S;
    const number = Math.ceil(S / p.strides);
    const before = Math.floor(Math.max((number - 1) * p.strides + p.pool_size - S, 0) / 2);
    const outputs = new Float32Array(number * E);
    for (let n = 0; n < number; n++) {
      const first = Math.max(n * p.strides - before, 0);
      const last = Math.min(n * p.strides - before + p.pool_size, S);
      for (let e = 0; e < E; e++) {
        let sum = 0, maximum = -Infinity;
        for (let s = first; s < last; s++) {
          sum += inputs[s * E + e];
          maximum = Math.max(maximum, inputs[s * E + e]);
        }
        outputs[n * E + e] = p.pooling_fn === "max_pooling1d" ? maximum : sum / (last - first);
      }
    }
    return { outputs, finalState: [meanOverTime(outputs, number)], values: inputs };
  }

  // One stack of convolutions for the keys of attention, one for its values (arXiv:1611.02344).
  function convEncoder(w, encoder, inputs, S) {
    const p = encoder.params;
    inputs = addPositions(inputs, S, p.position_embeddings);
    const [outputs, values] = ["attention_cnn", "output_cnn"].map((name) => {
      let x = inputs;
      for (let i = 0; i < p[name].layers; i++) {
        const { data, shape } = w.get(`${name}.conv_${i}.kernel`); // [size, I, O]
        const [size, I, O] = shape;
        const y = new Float32Array(S * O);
        for (let s = 0; s < S; s++) y.set(w.get(`${name}.conv_${i}.bias`).data, s * O);
        for (let k = 0; k < size; k++) {
          const shift = k - ((size - 1) >> 1);
          const first = Math.max(0, -shift), last = Math.min(S, S - shift);
          if (last <= first) continue;
          const window = x.subarray((first + shift) * I, (last + shift) * I);
          const kernel = data.subarray(k * I * O, (k + 1) * I * O);
          add(y.subarray(first * O, last * O), w.matmul(window, last - first, kernel, O, null));
        }
        x = y.map((v, d) => Math.tanh(i ? v + x[d] : v));
      }
      return x;
    });
    return { outputs, finalState: [meanOverTime(values, S)], values };
  }

  // Combine embeddings [S, E] with those of their positions (arXiv:1503.08895, section 4.1).
  function addPositions(inputs, S, positions) {
    if (!positions.enable) return inputs;
    const E = inputs.length / S;
    return inputs.map((v, i) => {
      const j = (Math.floor(i / E) + 1) / (positions.num_positions + 1);
      const k = ((i % E) + 1) / (E + 1);
      const position = 1 - j - k * (1 - 2 * j);
      return positions.combiner_fn === "multiply" ? v * position : v + position;
    });
  }

  const ENCODERS = {
    UnidirectionalRNNEncoder: rnnEncoder,
    BidirectionalRNNEncoder: rnnEncoder,
    StackBidirectionalRNNEncoder: rnnEncoder,
    PoolingEncoder: poolingEncoder,
    ConvEncoder: convEncoder,
  };

  // ------------------------------------------------------------------------------------ model

  class Model {
    // `wasm: false` computes in JavaScript alone.
    constructor(config, buffer, { wasm = true } = {}) {
      if (config.format !== FORMAT || config.format_version > FORMAT_VERSION) {
        throw new Error("the model is not of this program, or of a later version of it");
      }
      this.config = config;
      this.source = new Text(config.source);
      this.target = new Text(config.target);
      const arrays = readWeights(buffer);
      this.weights = new Weights(arrays, "", wasm ? startWasm(arrays) : null);
      this.hasAttention = config.model === "AttentionSeq2Seq";
      this.targetTable = config.embedding.share ? "source_embedding" : "target_embedding";
    }

    // Predict the outputs for some texts. The options are those of config.search, by their names.
    predict(texts, options = {}) {
      const search = this.searchOptions(options);
      return texts.map((text) => this.predictOne(text, search));
    }

    predictOne(text, search) {
      const ids = this.source.encode(text);
      if (!ids.length) return { source: text, source_tokens: [], n_best: [], beam_trace: null };
      const tokens = [...this.source.split(text), "SEQUENCE_END"].slice(0, this.source.maxLen);
      const { hypotheses, trace } = beamSearch(this, ids, search);
      const best = new Map(); // Several segmentations may have the same text.
      for (const one of hypotheses) if (!best.has(one.text)) best.set(one.text, one);
      const n_best = [...best.values()].slice(0, search.n_best);
      return { source: text, source_tokens: tokens, n_best, beam_trace: trace };
    }

    searchOptions(options) {
      const known = this.config.search;
      for (const name of Object.keys(options)) {
        if (!(name in known)) {
          throw new Error(`unknown option ${name}; valid: ${Object.keys(known).join(", ")}`);
        }
      }
      const search = { ...known, ...options };
      if (!(1 <= search.n_best && search.n_best <= Math.max(1, search.beam_width))) {
        throw new Error(`n_best must be between 1 and beam_width (${search.beam_width})`);
      }
      return search;
    }

    // Encode a source of S ids: what attention reads, and the decoder's state, with K = 1.
    encode(ids) {
      const { config, weights: w } = this;
      const S = ids.length;
      if (config.reverse_source) ids = [...ids].reverse();
      const inputs = this.embed("source_embedding", ids);
      const encoded = ENCODERS[config.encoder.class](w.below("encoder"), config.encoder, inputs, S);
      const layers = this.bridge(encoded.finalState);
      if (!this.hasAttention) return [null, { layers, context: new Float32Array(0) }];
      const keys = w.below("decoder.attention").dense("project_keys", encoded.outputs, S);
      const H = encoded.values.length / S;
      return [{ keys, values: encoded.values, S, H }, { layers, context: new Float32Array(H) }];
    }

    // One step of the decoder for K hypotheses: {logits [K, V], state, attention [K, S]}.
    //   output, state' = RNN([embedding; context], state)
    //   weights, context' = attention(output, memory)
    //   logits = W_l tanh(W_m [output; context'] + b_m) + b_l;  without attention, W_l output + b_l
    step(tokens, state, memory) {
      const K = tokens.length;
      const w = this.weights, rnn = this.config.decoder.params.rnn_cell;
      const cell = CELLS[rnn.cell_class], stack = w.below("decoder.stack");
      const layers = [];
      const x = concatenate([this.embed(this.targetTable, tokens), state.context], K);
      let output = throughLayers(stack, rnn, x, K, (i, x) => {
        const weights = stack.below(`cell_${i}`);
        layers.push(cell(weights, rnn.cell_params, state.layers[i], weights.dense("input", x, K), K));
        return layers[i][layers[i].length - 1];
      });
      let attention = new Float32Array(0), context = state.context;
      if (memory) {
        [attention, context] = this.attend(output, memory, K);
        output = w.dense("decoder.mix", concatenate([output, context], K), K).map(Math.tanh);
      }
      const logits = w.dense("decoder.project_logits", output, K);
      return { logits, state: { layers, context }, attention };
    }

    // AttentionLayerDot:      score = key . query           (arXiv:1508.04025)
    // AttentionLayerBahdanau: score = v . tanh(key + query) (arXiv:1409.0473)
    attend(output, { keys, values, S, H }, K) {
      const w = this.weights.below("decoder.attention");
      const additive = this.config.attention.class === "AttentionLayerBahdanau";
      const v = additive ? w.get("v").data : null;
      const query = w.dense("project_query", output, K);
      const A = query.length / K;
      const weights = new Float32Array(K * S);
      for (let k = 0; k < K; k++) {
        for (let s = 0; s < S; s++) {
          let score = 0;
          for (let a = 0; a < A; a++) {
            const key = keys[s * A + a], q = query[k * A + a];
            score += additive ? v[a] * Math.tanh(key + q) : key * q;
          }
          weights[k * S + s] = score;
        }
        const row = weights.subarray(k * S, (k + 1) * S);
        const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
        let sum = 0;
        for (let s = 0; s < S; s++) sum += Math.exp(row[s] - largest);
        for (let s = 0; s < S; s++) row[s] = Math.exp(row[s] - largest) / sum;
      }
      return [weights, matmul(weights, K, values, H, null)];
    }

    embed(table, ids) {
      const { data, shape } = this.weights.get(`${table}.embedding`);
      const E = shape[1];
      const rows = new Float32Array(ids.length * E);
      ids.forEach((id, i) => rows.set(data.subarray(id * E, (id + 1) * E), i * E));
      return rows;
    }

    // Make the decoder's first state of the encoder's last.
    bridge(finalState) {
      const zeros = zeroState(this.config.decoder.params.rnn_cell);
      const { class: kind, params } = this.config.bridge;
      if (kind === "ZeroBridge") return zeros;
      let parts = finalState;
      if (kind === "InitialStateBridge") { // One dense layer from all parts to all parts.
        const joined = this.weights.below("bridge").dense("dense", concatenate(finalState, 1), 1);
        const values = joined.map(ACTIVATIONS[params.activation_fn]);
        let at = 0;
        parts = zeros.flat().map((part) => values.subarray(at, (at += part.length)));
      }
      let next = 0;
      return zeros.map((layer) => layer.map(() => parts[next++]));
    }

    // The ids of the tokens that may not follow a prefix.
    forbidden(prefix, search) {
      const { start, end, unk, names } = this.target;
      const forbidden = new Set([start]);
      if (prefix.length < search.min_decode_length) forbidden.add(end);
      if (search.forbid_unk) forbidden.add(unk);
      const n = search.no_repeat_ngram_size;
      if (n) { // A token that completes an n-gram that the prefix contains already.
        const last = prefix.slice(prefix.length - n + 1);
        for (let i = 0; i + n <= prefix.length; i++) {
          if (n === 1 || last.every((token, j) => token === prefix[i + j])) forbidden.add(prefix[i + n - 1]);
        }
      }
      if (forbidden.size === names.length) forbidden.delete(end);
      return forbidden;
    }
  }

  // ----------------------------------------------------------------------------------- search

  const lengthPenalty = (length, search) => ((5 + length) / 6) ** search.length_penalty_weight;

  // The weighted sum of log(min(total attention, 1)) (arXiv:1609.08144, equation 14).
  function coveragePenalty(attention, search) {
    if (!search.coverage_penalty_weight) return 0;
    const total = attention.reduce((sum, row) => sum.map((v, s) => v + row[s]));
    const logs = total.map((v) => Math.log(Math.max(TINY, Math.min(v, 1))));
    return search.coverage_penalty_weight * logs.reduce((a, b) => a + b, 0);
  }

  function logNormalizer(logits) {
    let largest = -Infinity, sum = 0;
    for (const v of logits) if (v > largest) largest = v;
    for (const v of logits) sum += Math.exp(v - largest);
    return largest + Math.log(sum);
  }

  // Beam search; with a width of 1 it is greedy search, and scores are log-probabilities.
  //   score = log-probability / length penalty + coverage_penalty_weight * coverage penalty
  // At each step the best of all continuations survive. A finished hypothesis has one: itself.
  function beamSearch(model, ids, search) {
    let [memory, state] = model.encode(ids);
    const { start, end, names } = model.target;
    const width = Math.max(1, search.beam_width), V = names.length;
    if (width === 1) search = { ...search, length_penalty_weight: 0, coverage_penalty_weight: 0 };
    const needed = search.n_best > 1 && !model.target.unique ? width : search.n_best;
    const trace = { tokens: [], backpointers: [], log_probs: [], scores: [] };
    let beam = [{ ids: [], logProb: 0, score: 0, finished: false, attention: [] }];
    for (let time = 0; time < search.max_decode_length; time++) {
      const step = model.step(beam.map((one) => one.ids[one.ids.length - 1] ?? start), state, memory);
      const S = memory ? memory.S : 0;
      const attention = beam.map((_, k) => step.attention.subarray(k * S, (k + 1) * S));
      const best = []; // The best continuations, best first; of equal ones the first.
      const offer = (k, token, logProb, score) => {
        if (best.length === width && !(score > best[width - 1].score)) return;
        let place = best.length;
        while (place > 0 && score > best[place - 1].score) place--;
        best.splice(place, 0, { k, token, logProb, score });
        if (best.length > width) best.pop();
      };
      beam.forEach((one, k) => {
        if (one.finished) return offer(k, end, one.logProb, one.score);
        const logits = step.logits.subarray(k * V, (k + 1) * V);
        const normalizer = logNormalizer(logits);
        const forbidden = model.forbidden(one.ids, search);
        const penalty = lengthPenalty(one.ids.length, search);
        const longer = lengthPenalty(one.ids.length + 1, search);
        const bonus = coveragePenalty([...one.attention, attention[k]], search);
        for (let token = 0; token < V; token++) {
          if (forbidden.has(token)) continue;
          const logProb = one.logProb + logits[token] - normalizer;
          offer(k, token, logProb, logProb / (token === end ? penalty : longer) + bonus);
        }
      });
      const parents = beam;
      beam = best.map(({ k, token, logProb, score }) => {
        const parent = parents[k];
        if (parent.finished) return parent;
        const finished = token === end;
        const longer = finished ? parent.ids : [...parent.ids, token];
        return { ids: longer, logProb, score, finished, attention: [...parent.attention, attention[k]] };
      });
      trace.tokens.push(best.map((one) => names[one.token]));
      trace.backpointers.push(best.map((one) => one.k));
      trace.log_probs.push(best.map((one) => one.logProb));
      trace.scores.push(best.map((one) => one.score));
      state = select(step.state, best.map((one) => one.k), parents.length);
      if (beam.slice(0, needed).every((one) => one.finished)) {
        // An unfinished hypothesis can only lose log-probability.
        const longest = lengthPenalty(search.max_decode_length, search);
        const bounds = beam.filter((one) => !one.finished).map((one) => one.logProb / longest);
        const worst = beam.length >= needed ? beam[needed - 1].score : -Infinity;
        if (Math.max(-Infinity, ...bounds) <= worst) break;
      }
    }
    const hypotheses = beam.map((one) => {
      const tokens = one.ids.map((id) => names[id]);
      const attention = model.hasAttention ? one.attention.map((row) => unreverse(model, row)) : null;
      return {
        text: model.target.join(tokens), tokens, log_prob: one.logProb, score: one.score,
        finished: one.finished, attention,
      };
    });
    return { hypotheses, trace };
  }

  // Attention weights on the source in its original order.
  const unreverse = (model, row) => (model.config.reverse_source ? [...row].reverse() : [...row]);

  function select(state, rows, K) {
    const pick = (x) => {
      const D = x.length / K;
      const chosen = new Float32Array(rows.length * D);
      rows.forEach((k, i) => chosen.set(x.subarray(k * D, (k + 1) * D), i * D));
      return chosen;
    };
    return { layers: state.layers.map((layer) => layer.map(pick)), context: pick(state.context) };
  }

  return { Model, Text };
})();

if (typeof module !== "undefined") module.exports = Seq2Seq;
