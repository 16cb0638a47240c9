// The state of the page is its hash, and what is shown is a function of it alone:
//
//   #k=131                              step 131, counted from 1
//   #k=131&entry=0,1,5,3                with an entry selected
//   #k=131&node=17&entry=0,1,5,3        node 17 as it stands at step 131
//   … &contrast=asinh &predict=1        how it is shown

function parse(hash) {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const last = trace.steps.length - 1;
  const k = Math.min(Math.max((Number.parseInt(fields.get("k"), 10) || 1) - 1, 0), last);
  const asked = Number.parseInt(fields.get("node") ?? "", 10);
  const node = asked >= 0 && asked < trace.nodes.length ? asked : null;
  const shape = trace.nodes[node ?? subject(k)].shape;
  const indices = (fields.get("entry") ?? "").split(",").filter(Boolean).map(Number);
  const inside = indices.length === shape.length && indices.every((index, a) => Number.isInteger(index) && index >= 0 && index < shape[a]);
  return {
    k,
    node,
    entry: inside && indices.length > 0 ? indices : null,
    contrast: fields.get("contrast") === "asinh" ? "asinh" : "linear",
    predict: fields.get("predict") === "1",
  };
}

/** The hash of a state; what it does not say about the view stays as it is. */
function hashOf({ k, node = null, entry = null, contrast = state.contrast, predict = state.predict }) {
  const fields = [`k=${k + 1}`];
  if (node !== null) fields.push(`node=${node}`);
  if (entry !== null && entry.length > 0) fields.push(`entry=${entry.join(",")}`);
  if (contrast !== "linear") fields.push(`contrast=${contrast}`);
  if (predict) fields.push("predict=1");
  return `#${fields.join("&")}`;
}

let state = { k: 0, node: null, entry: null, contrast: "linear", predict: false };

/** Goes to a state. A jump adds a place to the history; a step along the trace replaces it, a moment later, once. */
function go(to, { jump = false } = {}) {
  const hash = hashOf(to);
  if (jump) {
    replaceAddress(); // of the steps so far: written later, it would undo the jump
    waiting = null;
    location.hash = hash;
    known = location.hash; // not `hash`: a browser that has had too many changes keeps the old one
  } else {
    clearTimeout(addressing);
    [waiting, addressing] = [hash, setTimeout(replaceAddress, 150)];
  }
  render(parse(hash));
}

let known = location.hash; // the latest address whose state is shown
let waiting = null; // the next one, not written yet: browsers allow only so many changes a second
let addressing = null;

function replaceAddress() {
  clearTimeout(addressing);
  if (waiting === null || location.hash !== known) return; // a link has led elsewhere: followAddress is on its way
  history.replaceState(null, "", waiting);
  [known, waiting] = [waiting, null];
}

/** A link, the history or the reader has changed the address; what the page itself wrote is shown already. */
function followAddress() {
  if (location.hash === known) return;
  clearTimeout(addressing);
  [known, waiting] = [location.hash, null];
  render(parse(location.hash));
}

const step = (by) => go({ k: clampStep(state.k + by) });
const clampStep = (k) => Math.min(Math.max(k, 0), trace.steps.length - 1);

/** The first step of the next scope, or of this one, or of the one before. */
function stepScope(direction) {
  const key = (k) => `${trace.steps[k].dir} ${scopeOf(k)}`;
  let k = state.k;
  if (direction > 0) {
    while (k < trace.steps.length - 1 && key(k) === key(state.k)) k += 1;
  } else {
    k = clampStep(k - 1);
    while (k > 0 && key(k - 1) === key(k)) k -= 1;
  }
  go({ k });
}
