// How one entry of a result was made. Each rule returns its terms, whose sum is the entry, or lines of working.
//
//   term  { label, pieces, x }         pieces: numbers that know where they come from (refer.js), and signs
//   line  { name, pieces, x, terms }   an intermediate result
//
// The numbers are the run's. What is multiplied and added up here is compared with the value that the run has.

const at = (axis, i) => (axis ? `${axis} ${i}` : `${i}`);

const pointwise = {
  exp: { sign: "e^", f: Math.exp, slope: (x, y) => ({ text: "y", x: y }) },
  ln: { sign: "ln", f: Math.log, slope: (x) => ({ text: "1/x", x: 1 / x }) },
  sqrt: { sign: "√", f: Math.sqrt, slope: (x, y) => ({ text: "1/(2y)", x: 0.5 / y }) },
  tanh: { sign: "tanh", f: Math.tanh, slope: (x, y) => ({ text: "1 − y²", x: 1 - y * y }) },
  sigmoid: { sign: "σ", f: (x) => 1 / (1 + Math.exp(-x)), slope: (x, y) => ({ text: "y(1 − y)", x: y * (1 - y) }) },
  abs: { sign: "abs", f: Math.abs, slope: (x) => ({ text: "sign x", x: Math.sign(x) }) },
  relu: { sign: "relu", f: (x) => Math.max(x, 0), slope: (x) => ({ text: "[x > 0]", x: x > 0 ? 1 : 0 }) },
  silu: { sign: "silu", f: (x) => x / (1 + Math.exp(-x)), slope: (x, y) => ({ text: "σ(x) + y(1 − σ(x))", x: 1 / (1 + Math.exp(-x)) + y * (1 - 1 / (1 + Math.exp(-x))) }) },
  gelu: { sign: "gelu", f: gelu, slope: (x) => ({ text: "gelu′(x)", x: geluSlope(x) }) },
};

/** erf z = 2/√π·e^(−z²)·Σ 2ⁿz²ⁿ⁺¹/(2n + 1)!!, a series without cancellation. */
function erf(z) {
  if (Math.abs(z) > 6) return Math.sign(z);
  let [term, sum] = [z, z];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * z * z) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
}

function gelu(x) {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function geluSlope(x) {
  const t = Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
}

/** y = a ∘ b with broadcasting: the two numbers that meet in an entry. */
function pair(node, entry) {
  return trace.nodes[node].inputs.map((input) => valueOf(input, narrowed(entry, trace.nodes[input].shape)));
}

const one = (pieces, x, label = "") => ({ terms: [{ label, pieces, x }] });

/** Which entry of the only input an entry of the result is a copy of. */
const copies = {
  reshape: (node, entry, from) => {
    const offset = stridesOf(trace.nodes[node].shape).reduce((sum, stride, a) => sum + stride * entry[a], 0);
    return stridesOf(from).map((stride, a) => Math.floor(offset / stride) % from[a]);
  },
  permute: (node, entry, from) => {
    const { order } = told(node);
    const source = from.map(() => 0);
    order.forEach((axis, a) => (source[axis] = entry[a]));
    return source;
  },
  broadcast: (node, entry, from) => narrowed(entry, from),
  slice: (node, entry) => {
    const { along, start } = told(node);
    return entry.map((i, a) => (a === along ? i + start : i));
  },
  gather: (node, entry) => {
    const sizes = trace.nodes[node].shape.slice(0, -1);
    const place = stridesOf(sizes).reduce((sum, stride, a) => sum + stride * entry[a], 0);
    return [gathered(node)[place], entry.at(-1)];
  },
  detach: (node, entry) => entry,
};

/** A matrix product's operands: which entries of A and B meet at k, for the entry [.., i, j] of C. */
function matmulTerms(node, entry) {
  const { op, inputs } = trace.nodes[node];
  const [a, b] = inputs.map((input) => trace.nodes[input].shape);
  const flipA = op.includes("_ta");
  const flipB = op.includes("_tb");
  const [i, j] = entry.slice(-2);
  const batch = entry.slice(0, -2);
  const inner = a.at(flipA ? -2 : -1);
  return Array.from({ length: inner }, (_, k) => [
    [...narrowed(batch, a.slice(0, -2)), ...(flipA ? [k, i] : [i, k])],
    [...narrowed(batch, b.slice(0, -2)), ...(flipB ? [j, k] : [k, j])],
  ]);
}

function reduced(node, entry) {
  const input = trace.nodes[node].inputs[0];
  const shape = trace.nodes[input].shape;
  const { axes } = told(node);
  const places = [...indicesOf(axes.map((a) => shape[a]))].map((index) => within(entry, axes, index, shape.length));
  return { input, axes, places, refs: places.map((place) => valueOf(input, place)) };
}

/** A row along an axis, through `entry`: its refs, and where `entry` is in it. */
function rowOf(node, entry, axis, ref = valueOf) {
  const size = trace.nodes[node].shape[axis];
  return Array.from({ length: size }, (_, i) => ref(node, entry.map((index, a) => (a === axis ? i : index))));
}

const label = (node, place, axes) =>
  axes.map((a) => {
    const token = tokenAt(node, a, place[a]);
    const name = at(trace.nodes[node].axisNames[a], place[a]);
    return token === undefined ? name : `${name} ${visible(token)}`;
  }).join(", ");

const sumOf = (refs) => refs.reduce((sum, { x }) => sum + x, 0);

const forwardRules = {
  add: (node, entry) => ({ terms: pair(node, entry).map((ref, i) => ({ label: "ab"[i], pieces: [ref], x: ref.x })) }),
  sub: (node, entry) => {
    const [a, b] = pair(node, entry);
    return { terms: [{ label: "a", pieces: [a], x: a.x }, { label: "−b", pieces: ["−", b], x: -b.x }] };
  },
  mul: (node, entry) => {
    const [a, b] = pair(node, entry);
    return one([a, "×", b], a.x * b.x);
  },
  div: (node, entry) => {
    const [a, b] = pair(node, entry);
    return one([a, "/", b], a.x / b.x);
  },
  neg: (node, entry) => {
    const [x] = pair(node, entry);
    return one(["−", x], -x.x);
  },
  affine: (node, entry) => {
    const [x] = pair(node, entry);
    const { scale, shift } = told(node);
    const times = { label: "s·x", pieces: [constant(scale), "×", x], x: scale * x.x };
    return { terms: shift === 0 ? [times] : [times, { label: "t", pieces: [constant(shift)], x: shift }] };
  },
  powi: (node, entry) => {
    const [x] = pair(node, entry);
    return one([x, "to the power", constant(told(node).power)], x.x ** told(node).power);
  },
  matmul: (node, entry) => {
    const [a, b] = trace.nodes[node].inputs;
    const inner = trace.nodes[node].op.includes("_ta") ? -2 : -1;
    const axis = trace.nodes[a].shape.length + inner;
    return {
      terms: matmulTerms(node, entry).map(([place, other]) => {
        const [x, w] = [valueOf(a, place), valueOf(b, other)];
        return { label: label(a, place, [axis]), pieces: [x, "×", w], x: x.x * w.x };
      }),
    };
  },
  sum: (node, entry) => {
    const { input, axes, places, refs } = reduced(node, entry);
    return { terms: refs.map((ref, i) => ({ label: label(input, places[i], axes), pieces: [ref], x: ref.x })) };
  },
  mean: (node, entry) => {
    const { input, axes, places, refs } = reduced(node, entry);
    const n = constant(refs.length);
    return { terms: refs.map((ref, i) => ({ label: label(input, places[i], axes), pieces: [ref, "/", n], x: ref.x / n.x })) };
  },
  var: (node, entry) => {
    const { input, axes, places, refs } = reduced(node, entry);
    const n = constant(refs.length - told(node).correction);
    const mean = constant(sumOf(refs) / refs.length);
    return {
      lines: [{ name: "μ", pieces: ["mean of the", constant(refs.length), "entries"], x: mean.x }],
      terms: refs.map((ref, i) => ({
        label: label(input, places[i], axes),
        pieces: ["(", ref, "−", mean, ")² /", n],
        x: (ref.x - mean.x) ** 2 / n.x,
      })),
    };
  },
  softmax: (node, entry) => {
    const input = trace.nodes[node].inputs[0];
    const { axis } = told(node);
    const row = rowOf(input, entry, axis);
    const most = constant(Math.max(...row.map(({ x }) => x)));
    const powers = row.map(({ x }) => Math.exp(x - most.x));
    const total = constant(powers.reduce((sum, x) => sum + x, 0));
    const x = row[entry[axis]];
    return {
      lines: [
        { name: "m", pieces: ["the largest of the row"], x: most.x },
        { name: "Σ", pieces: ["e^(x − m) over the row"], x: total.x, terms: row.map((ref, i) => ({ label: label(input, ref.entry, [axis]), pieces: ["e^(", ref, "−", most, ")"], x: powers[i] })) },
      ],
      ...one(["e^(", x, "−", most, ") /", total], Math.exp(x.x - most.x) / total.x),
    };
  },
  log_softmax: (node, entry) => {
    const input = trace.nodes[node].inputs[0];
    const { axis } = told(node);
    const row = rowOf(input, entry, axis);
    const most = Math.max(...row.map(({ x }) => x));
    const powers = row.map(({ x }) => Math.exp(x - most));
    const log = constant(most + Math.log(powers.reduce((sum, x) => sum + x, 0)));
    const x = row[entry[axis]];
    return {
      lines: [{ name: "ln Σ e^x", pieces: ["over the row"], x: log.x }],
      terms: [{ label: "x", pieces: [x], x: x.x }, { label: "−ln Σ e^x", pieces: ["−", log], x: -log.x }],
    };
  },
  concat: (node, entry) => {
    const { part, place } = partOfConcat(node, entry);
    const ref = valueOf(trace.nodes[node].inputs[part], place);
    return one([ref], ref.x, "copied");
  },
  dropout: (node, entry) => {
    const [x] = pair(node, entry);
    const kept = constant(keptBy(node, entry));
    return one([x, "×", kept], x.x * kept.x, kept.x === 0 ? "dropped" : "kept");
  },
  gelu_erf: (node, entry) => {
    const [x] = pair(node, entry);
    const risen = constant(erf(x.x / Math.SQRT2));
    return { terms: [{ label: "½·x", pieces: ["½ ×", x], x: 0.5 * x.x }, { label: "½·x·erf(x/√2)", pieces: ["½ ×", x, "×", risen], x: 0.5 * x.x * risen.x }] };
  },
  masked_fill: (node, entry) => {
    const [x] = pair(node, entry);
    const y = valueOf(node, entry);
    return hidden(node, entry) ? one(["the mask says no:", y], y.x) : one([x, "the mask lets it through"], x.x);
  },
};

/** Which part of a concatenation an entry lies in, and where in it; and where the parts begin. */
function partOfConcat(node, entry) {
  const { axis } = told(node);
  const starts = partStarts(node, axis);
  const part = starts.findLastIndex((start) => start <= entry[axis]);
  return { part, place: entry.map((i, a) => (a === axis ? i - starts[part] : i)) };
}

function partStarts(node, axis) {
  let end = 0;
  return trace.nodes[node].inputs.map((input) => (end += trace.nodes[input].shape[axis]) - trace.nodes[input].shape[axis]);
}

/** What dropout multiplies an entry by: 0, or 1/(1 − p). Where x itself is 0, what went back through it tells. */
function keptBy(node, entry) {
  const [x, y] = [pair(node, entry)[0].x, valueOf(node, entry).x];
  const passed = x !== 0 || outOf[node].length === 0 ? y : tensor(deltaBlob(outOf[node][0]))?.at(entry);
  return passed === 0 ? 0 : 1 / (1 - told(node).power);
}

/** Whether the mask of a masked_fill covers an entry: what came out is not what went in. */
function hidden(node, entry) {
  const y = valueOf(node, entry).x;
  return y === -Infinity || y !== pair(node, entry)[0].x;
}

/** How entry `entry` of `node` was made: { lines, terms, value } or null where this page has no words for the op. */
function forwardArithmetic(node, entry) {
  const { op, inputs } = trace.nodes[node];
  const value = valueOf(node, entry);
  if (inputs.length === 0) return null;
  if (copies[op]) {
    const ref = valueOf(inputs[0], copies[op](node, entry, trace.nodes[inputs[0]].shape));
    return { lines: [], ...one([ref], ref.x, "copied"), value };
  }
  if (pointwise[op]) {
    const [x] = pair(node, entry);
    return { lines: [], ...one([pointwise[op].sign, "(", x, ")"], pointwise[op].f(x.x)), value };
  }
  const rule = forwardRules[op.startsWith("matmul") ? "matmul" : op];
  return rule ? { lines: [], ...rule(node, entry), value } : null;
}
