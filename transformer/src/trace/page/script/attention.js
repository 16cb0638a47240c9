// Attention: tokens beside the rows and above the columns, the mask hatched, and the sign of a right softmax: each row of
// ∂L/∂scores sums to 0.

const isAttention = (node) => {
  const names = trace.nodes[node].axisNames;
  return names.length === 4 && names.at(-2) === "n" && names.at(-1) === "m";
};

/** Which entries the mask hides: those of the nearest masked_fill at or above `node` with the same shape. */
function maskOf(node) {
  let at = node;
  while (at !== undefined && trace.nodes[at].op !== "masked_fill") {
    if (!["softmax", "affine", "dropout"].includes(trace.nodes[at].op)) return null;
    at = trace.nodes[at].inputs[0];
  }
  const filled = at === undefined ? null : tensor(trace.nodes[at].value);
  return filled ? (entry) => filled.at(entry) === -Infinity : null;
}

/** ∂L/∂scores along the softmax's axis: the sums of its rows, the largest of them beside the largest entry. */
function rowSums(k) {
  const { node } = trace.steps[k];
  const delta = tensor(deltaBlob(k));
  const axis = told(node).axis;
  if (delta.indices[axis].length < delta.shape[axis]) return null;
  const sums = new Map();
  delta.data.forEach((x, offset) => {
    const row = without(delta.entryAt(offset), [axis]).join(",");
    sums.set(row, (sums.get(row) ?? 0) + x);
  });
  return { largest: Math.max(...[...sums.values()].map(Math.abs)), rows: sums.size, scale: delta.largest };
}

function rowSumBadge(k) {
  const sums = rowSums(k);
  if (!sums) return h("p", { class: "badge-line" }, "The rows are sampled: their sums cannot be taken here.");
  const fine = sums.largest <= 1e-5 * sums.scale + 1e-30;
  return h("p", { class: `badge-line ${fine ? "agrees" : "disagrees"}` },
    fine ? "✓ " : "✗ ", `each of the ${sums.rows} rows of ∂L/∂scores ${fine ? "sums to 0" : "should sum to 0, and does not"}`,
    h("span", { class: "note" }, " (largest |sum| ", number(sums.largest), ", largest entry ", number(sums.scale), ")"));
}
