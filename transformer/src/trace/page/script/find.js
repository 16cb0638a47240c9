// "/" finds an op by number, name, scope or parameter.

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

/** Ops whose number, name, scope or parameter holds every word. */
function findOps(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = [];
  for (let i = 0; i < trace.nodes.length && hits.length < 40; i++) {
    const { op, name, scope } = trace.nodes[i];
    const all = `%${i} ${op} ${name} ${scope}`.toLowerCase();
    if (words.every((word) => all.includes(word))) hits.push(i);
  }
  show($("found"), hits.map((i) => h("li", {}, foundButton(i))), hits.length === 0 ? h("li", { class: "note" }, "no op matches") : null);
}

function foundButton(node) {
  const { op, name, scope } = trace.nodes[node];
  const choose = () => {
    $("finder").close();
    go({ k: rowStep(node) }, { jump: true });
  };
  return h("button", { type: "button", onclick: choose }, `%${node} `, h("strong", {}, op), ` ${name || scope}`);
}
