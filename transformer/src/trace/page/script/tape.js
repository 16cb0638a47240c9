// The tape, folded by scope. Each line shows how far the run has come: value computed or not, cotangent none, in part,
// complete. The lines are made once; a step only changes their marks.

const FOLD_ABOVE = 300; // ops
const rows = new Map(); // node → its line, where it is unfolded
const groups = []; // the scopes, outermost first
const folds = new Map(); // group → what the reader asked for

function treeOf(nodes) {
  const root = { name: "", path: "", first: 0, children: [] };
  const open = [root];
  nodes.forEach((node, i) => {
    const parts = i < nodes.length && node.scope ? split(node.scope) : [node.op === "leaf" ? "parameters" : "model"];
    while (open.length - 1 > parts.length || !open.slice(1).every((group, depth) => group.name === parts[depth])) open.pop();
    for (const name of parts.slice(open.length - 1)) {
      const group = { name, path: parts.slice(0, open.length).join("."), first: i, children: [] };
      open.at(-1).children.push(group);
      open.push(group);
    }
    open.at(-1).children.push(i);
  });
  return root;
}

/** "blocks.0.attention" → ["blocks.0", "attention"]: a number belongs to what it counts. */
const split = (scope) => scope.replace(/\.(\d+)/g, "\u0000$1").split(".").map((part) => part.replace("\u0000", "."));

function buildTape() {
  const root = treeOf(trace.nodes);
  show($("tape"), h("ul", { class: "tape-list" }, root.children.map((child) => tapeItem(child))));
}

function tapeItem(child) {
  if (typeof child === "number") return h("li", {}, (rows.set(child, tapeRow(child)), rows.get(child)));
  const list = h("ul", {});
  const count = countOps(child);
  const button = h("button", { type: "button", class: "scope" }, h("span", { class: "scope-name" }, child.name), h("span", { class: "scope-count" }, `${count} ops`), h("span", { class: "scope-check" }));
  const group = { ...child, list, button, last: lastOf(child), filled: false };
  groups.push(group);
  button.addEventListener("click", () => {
    folds.set(group, !isOpen(group, state.k));
    paintTape();
  });
  return h("li", { class: "group" }, button, list);
}

const countOps = (group) => group.children.reduce((sum, child) => sum + (typeof child === "number" ? 1 : countOps(child)), 0);
const lastOf = (group) => group.children.reduce((last, child) => Math.max(last, typeof child === "number" ? child : lastOf(child)), 0);

/** Small tapes are open; of large ones, the scopes that hold the current op. */
function isOpen(group, k) {
  if (folds.has(group)) return folds.get(group);
  const holds = trace.steps[k].node >= group.first && trace.steps[k].node <= group.last;
  return holds || (trace.nodes.length <= FOLD_ABOVE && group.name !== "parameters");
}

function tapeRow(node) {
  const { op, name, axisNames } = trace.nodes[node];
  const axes = axisNames.filter(Boolean).join(" ");
  return h(
    "a",
    { class: "op-row", href: "#", "data-node": node },
    h("span", { class: "value-dot" }),
    h("span", { class: "op-number" }, `%${node}`),
    h("span", { class: "op-name" }, name ? shortName(name) : op),
    h("span", { class: "op-axes" }, axes),
    h("span", { class: "gradient-dot" }),
  );
}

/** "transformer.h.0.attn.c_attn.weight" → "h.0.attn.c_attn.weight" */
const shortName = (name) => name.replace(/^transformer\./, "");

function fold(group) {
  for (const node of rows.keys()) if (node >= group.first && node <= group.last && group.list.contains(rows.get(node))) rows.delete(node);
  for (let i = groups.length - 1; i >= 0; i--) if (groups[i] !== group && group.list.contains(groups[i].button)) groups.splice(i, 1);
  group.list.replaceChildren();
  group.filled = false;
}

function paintTape() {
  const { k } = state;
  const current = trace.steps[k];
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i];
    const open = isOpen(group, k);
    if (open && !group.filled) {
      group.list.replaceChildren(...group.children.map((child) => tapeItem(child)));
      group.filled = true;
    }
    if (!open && group.filled) fold(group);
    mark(group.button, "aria-expanded", String(open));
    mark(group.button, "data-current", current.node >= group.first && current.node <= group.last && !open ? "true" : null);
    mark(group.button, "data-verdict", verdictIn(group));
  }
  for (const [node, row] of rows) {
    const complete = gradientComplete(node, k);
    const some = arrived(node, k);
    mark(row, "href", hashOf({ k: rowStep(node) }));
    mark(row, "data-value", valueKnown(node, k) ? "known" : "unknown");
    mark(row, "data-gradient", into[node].length === 0 ? "none" : complete ? "complete" : some > 0 ? "partial" : "unknown");
    mark(row, "aria-current", node === current.node ? "step" : null);
    mark(row, "data-target", current.dir === "backward" && node === current.to ? "true" : null);
    mark(row, "data-input", current.dir === "forward" && trace.nodes[current.node].inputs.includes(node) ? "true" : null);
    mark(row, "data-verdict", verdictOf(node));
    mark(row, "data-secret", hidesShape(node) ? "true" : null);
  }
}

function mark(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** A line of the tape leads to its op in the direction that the reader is walking in. */
function rowStep(node) {
  const back = trace.steps[state.k].dir !== "forward" && into[node].length > 0;
  if (trace.steps[state.k].dir === "update" && updateStep.has(node)) return updateStep.get(node);
  return back ? outOf[node][0] ?? into[node].at(-1) : forwardStep[node];
}

let verdictsOfNodes = null;

/** Nodes that are wrong by themselves ("broken"), and those that are wrong because of another ("tainted"). */
function verdictOf(node) {
  if (!verdictsOfNodes) {
    verdictsOfNodes = new Map(allChecks().filter(isWrong).map((check) => [check.node, "tainted"]));
    for (const { node } of trace.faults) verdictsOfNodes.set(node, "tainted");
    for (const step of trace.steps) if (step.check && isWrong(step.check)) verdictsOfNodes.set(step.node, "broken");
    if (trace.first_broken) verdictsOfNodes.set(trace.first_broken.node, "broken");
  }
  return verdictsOfNodes.get(node) ?? null;
}

/** The worst verdict in a scope. */
function verdictIn(group) {
  if (group.verdict === undefined) {
    group.verdict = null;
    for (let node = group.first; node <= group.last && group.verdict !== "broken"; node++) group.verdict = verdictOf(node) ?? group.verdict;
  }
  return group.verdict;
}

/** Finds out where the current line is; what it returns brings it into view. */
function measureScroll() {
  const pane = $("tape");
  const row = pane.querySelector('[aria-current="step"]') ?? pane.querySelector("[data-current]");
  if (!row || pane.scrollHeight <= pane.clientHeight) return () => {};
  const top = row.getBoundingClientRect().top - pane.getBoundingClientRect().top;
  const hidden = top < 40 || top > pane.clientHeight - 60;
  const target = pane.scrollTop + top - pane.clientHeight / 2;
  return () => hidden && (pane.scrollTop = target);
}
