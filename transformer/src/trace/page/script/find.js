// "/" finds an op by number, name or scope, and the gradient of a parameter, by what it is called here or in books: W_Q.

function openFind() {
  $("find-field").value = "";
  findOps("");
  $("finder").showModal();
}

function buildFind() {
  $("find-field").addEventListener("input", (event) => findOps(event.target.value));
  $("find-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("found").querySelector("button")?.click();
  });
}

/** What can be found of a node: its step, and of a parameter the step that completes its gradient. */
function findable(node) {
  const { op, name, scope } = trace.nodes[node];
  const found = [{ words: `%${node} ${op} ${name} ${scope}`, shown: [`%${node} `, h("strong", {}, op), ` ${name || scope}`], to: () => ({ k: rowStep(node) }) }];
  if (!isParameter(node) || into[node].length === 0) return found;
  const layer = name.match(/h\.(\d+)\./);
  const where = layer ? ` of blocks.${layer[1]}` : "";
  for (const part of partsOf(node)) {
    found.push({ words: `gradient ${part}${where} ${name}`, shown: ["gradient ", h("strong", {}, `∂L/∂${part}`), `${part.startsWith("W_") ? where : ""}: which tokens made it?`], to: () => ({ k: into[node].at(-1), entry: largestIn(node, part) }) });
  }
  return found;
}

/** The entry of a part of a parameter that has the largest gradient, of those that the page holds. */
function largestIn(node, part) {
  const found = tensor(trace.nodes[node].gradient);
  const entries = found ? [...indicesOf(found.indices.map((axis) => axis.length))].map((index) => index.map((i, a) => found.indices[a][i])) : [];
  const inPart = entries.filter((entry) => partOf(node, entry) === part);
  return inPart.reduce((most, entry) => (most === null || Math.abs(found.at(entry)) > Math.abs(found.at(most)) ? entry : most), null);
}

/** Whatever has every word in it. */
function findOps(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = trace.nodes.flatMap((_, node) => findable(node)).filter(({ words: all }) => words.every((word) => all.toLowerCase().includes(word)));
  show($("found"), hits.slice(0, 40).map((hit) => h("li", {}, foundButton(hit))), hits.length === 0 ? h("li", { class: "note" }, "nothing matches") : null);
}

function foundButton({ shown, to }) {
  const choose = () => {
    $("finder").close();
    go(to(), { jump: true });
  };
  return h("button", { type: "button", onclick: choose }, shown);
}
