// The backend of the page that asks the service from which the page came.
class HttpBackend {
  #key = "";
  #allowed = []; // The search options that the service accepts.

  setKey(key) {
    this.#key = key;
  }

  async describe(name) {
    const info = await this.#fetch(`v1/model${name === undefined ? "" : `?name=${encodeURIComponent(name)}`}`);
    this.#allowed = info.limits.options;
    return { ...info, note: "What you type is sent to the server of this page, and nowhere else." };
  }

  async predict(inputs, options, signal) {
    const { model, attention, beam } = options;
    const search = this.#allowed.filter((name) => name in options).map((name) => [name, options[name]]);
    const images = inputs[0] instanceof Blob;
    const body = {
      model, attention, beam, options: Object.fromEntries(search),
      [images ? "images" : "texts"]: images ? await Promise.all(inputs.map(base64)) : inputs,
      ...("features" in options && { features: inputs.map(() => options.features) }),
    };
    const init = { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal };
    return (await this.#fetch("v1/predict", init)).answers;
  }

  async #fetch(path, init = {}) {
    const headers = { ...init.headers, ...(this.#key && { Authorization: `Bearer ${this.#key}` }) };
    let response;
    try {
      response = await fetch(path, { ...init, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The server cannot be reached.", { cause: error });
    }
    const content = await response.json().catch(() => ({}));
    if (response.ok) return content;
    const error = new Error(forPeople(content.error ?? `The server answered with status ${response.status}.`));
    error.needsKey = response.status === 401;
    throw error;
  }
}

// The page has one input, and no flags.
function forPeople(sentence) {
  return sentence.replace(/^(text|image)s\[0\]: (has )?/, (_, kind, has) => `The ${kind}${has ? " has " : ": "}`)
    .replace(", or truncate=true", "");
}

async function base64(blob) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error("The image cannot be read."));
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}

startPage(new HttpBackend());
