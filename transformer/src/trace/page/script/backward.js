// How one contribution was made: for entry `entry` of input `slot` of `node`,
//
//   x̄ += Σ over the entries y of the result:   ȳ × ∂y/∂x
//
// Each rule lists the entries of the result that the input's entry reaches, with the local derivative.

/** One term: an incoming cotangent times a local derivative. */
function product(node, place, slope, pieces, axes) {
  const dy = cotangentOf(node, place);
  return { label: label(node, place, axes ?? place.map((_, a) => a)), pieces: [dy, "×", ...pieces], x: dy.x * slope, dy, slope };
}

/** Entry by entry, where an input may have been repeated: the axes that the sum runs over are named. */
function elementwise(node, slot, entry, slopeAt) {
  const { inputs, shape } = trace.nodes[node];
  const from = trace.nodes[inputs[slot]].shape;
  const more = shape.length - from.length;
  const axes = shape.map((_, a) => a).filter((a) => a < more || (from[a - more] === 1 && shape[a] > 1));
  return { terms: widened(entry, from, shape).map((place) => {
    const { pieces, x } = slopeAt(place);
    return product(node, place, x, pieces, axes);
  }) };
}

const times = (x) => ({ pieces: [constant(x)], x });

const backwardRules = {
  add: (node, slot, entry) => elementwise(node, slot, entry, () => times(1)),
  sub: (node, slot, entry) => elementwise(node, slot, entry, () => times(slot === 0 ? 1 : -1)),
  neg: (node, slot, entry) => elementwise(node, slot, entry, () => times(-1)),
  affine: (node, slot, entry) => elementwise(node, slot, entry, () => times(told(node).scale)),
  broadcast: (node, slot, entry) => elementwise(node, slot, entry, () => times(1)),
  mul: (node, slot, entry) => elementwise(node, slot, entry, (place) => {
    const other = pair(node, place)[1 - slot];
    return { pieces: [other], x: other.x };
  }),
  div: (node, slot, entry) => elementwise(node, slot, entry, (place) => {
    const [, b] = pair(node, place);
    const y = valueOf(node, place);
    return slot === 0 ? { pieces: ["1 /", b], x: 1 / b.x } : { pieces: ["−", y, "/", b], x: -y.x / b.x };
  }),
  powi: (node, slot, entry) => elementwise(node, slot, entry, (place) => {
    const [x] = pair(node, place);
    const n = told(node).power;
    return { pieces: [constant(n), "×", x, `^${n - 1}`], x: n * x.x ** (n - 1) };
  }),
  matmul: (node, slot, entry) => matmulBackward(node, slot, entry),
  sum: (node, slot, entry) => spread(node, entry, () => times(1)),
  mean: (node, slot, entry) => spread(node, entry, (refs) => ({ pieces: ["1 /", constant(refs.length)], x: 1 / refs.length })),
  var: (node, slot, entry) => spread(node, entry, (refs) => {
    const n = refs.length - told(node).correction;
    const mean = sumOf(refs) / refs.length;
    const x = valueOf(trace.nodes[node].inputs[0], entry);
    return { pieces: ["2 × (", x, "−", constant(mean), ") /", constant(n)], x: (2 * (x.x - mean)) / n };
  }),
  softmax: (node, slot, entry) => {
    const { axis } = told(node);
    const [y, i] = [valueOf(node, entry), entry[axis]];
    return { terms: rowOf(node, entry, axis).map((other, j) => {
      const same = i === j ? 1 : 0;
      return product(node, other.entry, other.x * (same - y.x), [other, "× (", constant(same), "−", y, ")"], [axis]);
    }) };
  },
  log_softmax: (node, slot, entry) => {
    const { axis } = told(node);
    const y = valueOf(node, entry);
    return { terms: rowOf(node, entry, axis).map((other, j) => {
      const same = entry[axis] === j ? 1 : 0;
      return product(node, other.entry, same - Math.exp(y.x), ["(", constant(same), "− e^", y, ")"], [axis]);
    }) };
  },
  masked_fill: (node, slot, entry) => elementwise(node, slot, entry, (place) => times(hidden(node, place) ? 0 : 1)),
  slice: (node, slot, entry) => {
    const { along, start, end } = told(node);
    const inside = entry[along] >= start && entry[along] < end;
    const place = entry.map((i, a) => (a === along ? i - start : i));
    return { terms: inside ? [product(node, place, 1, [constant(1)])] : [], note: inside ? null : `${start}..${end} was taken, and this entry is outside: it contributes 0.` };
  },
  concat: (node, slot, entry) => {
    const { axis } = told(node);
    const place = entry.map((i, a) => (a === axis ? i + partStarts(node, axis)[slot] : i));
    return { terms: [product(node, place, 1, [constant(1)])] };
  },
  gelu_erf: (node, slot, entry) => {
    const [x] = pair(node, entry);
    const risen = 0.5 * erf(x.x / Math.SQRT2) + (x.x * Math.exp(-0.5 * x.x * x.x)) / Math.sqrt(2 * Math.PI);
    return { terms: [product(node, entry, 0.5, ["½"]), product(node, entry, risen, ["(½·erf(x/√2) + x·φ(x)), at x =", x])] };
  },
  dropout: (node, slot, entry) => elementwise(node, slot, entry, (place) => times(keptBy(node, place))),
  gather: (node, slot, entry) => {
    const sizes = trace.nodes[node].shape.slice(0, -1);
    const places = [...indicesOf(sizes)].filter((_, place) => gathered(node)[place] === entry[0]);
    return {
      terms: places.map((place) => product(node, [...place, entry[1]], 1, [constant(1)], place.map((_, a) => a))),
      note: places.length === 0 ? "No place of the text asks for this row: its gradient is 0." : null,
    };
  },
};

/** Ā = C̄·Bᵀ, B̄ = Aᵀ·C̄: every entry of C that the entry had a part in, times its partner there. */
function matmulBackward(node, slot, entry) {
  const { op, inputs, shape } = trace.nodes[node];
  const [own, other] = slot === 0 ? inputs : [inputs[1], inputs[0]];
  const [from, partner] = [trace.nodes[own].shape, trace.nodes[other].shape];
  const flipped = op.includes(slot === 0 ? "_ta" : "_tb");
  const flippedOther = op.includes(slot === 0 ? "_tb" : "_ta");
  const [row, column] = entry.slice(-2);
  const outer = slot === 0 ? (flipped ? column : row) : flipped ? row : column; // the index that C shares with this side
  const inner = slot === 0 ? (flipped ? row : column) : flipped ? column : row; // the index that is summed over
  const batches = widened(entry.slice(0, -2), from.slice(0, -2), shape.slice(0, -2));
  const free = slot === 0 ? shape.at(-1) : shape.at(-2);
  const rank = shape.length;
  const summed = [...shape.slice(0, -2).map((_, a) => a).filter((a) => batches.length > 1 && shape[a] > 1), slot === 0 ? rank - 1 : rank - 2];
  const terms = batches.flatMap((batch) => Array.from({ length: free }, (_, f) => {
    const place = slot === 0 ? [...batch, outer, f] : [...batch, f, outer];
    const there = slot === 0 ? (flippedOther ? [f, inner] : [inner, f]) : flippedOther ? [inner, f] : [f, inner];
    const ref = valueOf(other, [...narrowed(batch, partner.slice(0, -2)), ...there]);
    return product(node, place, ref.x, [ref], summed);
  }));
  return { terms };
}

/** The transpose of a reduction: the one entry of the result that this entry went into. */
function spread(node, entry, slopeAt) {
  const { axes } = told(node);
  const place = without(entry, axes);
  const { pieces, x } = slopeAt(reduced(node, place).refs);
  return { terms: [product(node, place, x, pieces)] };
}

/** How the contribution of step k to `entry` was made: { terms, note, value } or null. */
function backwardArithmetic(k, entry) {
  const { node, slot, dir } = trace.steps[k];
  if (dir !== "backward") return null;
  const { op, inputs, shape } = trace.nodes[node];
  const value = { of: "contribution", x: tensor(deltaBlob(k))?.at(entry) };
  const from = trace.nodes[inputs[slot]].shape;
  if (op === "reshape" || op === "permute") {
    const place = op === "reshape" ? reshaped(entry, from, shape) : told(node).order.map((axis) => entry[axis]);
    return { lines: [], terms: [product(node, place, 1, [constant(1)])], value };
  }
  if (pointwise[op]) {
    const [x, y] = [valueOf(inputs[0], entry), valueOf(node, entry)];
    const slope = pointwise[op].slope(x.x, y.x);
    return {
      lines: [{ name: slope.text, pieces: ["at x =", x, ", y =", y], x: slope.x }],
      terms: [product(node, entry, slope.x, [constant(slope.x)])],
      value,
    };
  }
  const rule = backwardRules[op.startsWith("matmul") ? "matmul" : op];
  return rule ? { lines: [], ...rule(node, slot, entry), value } : null;
}

function reshaped(entry, from, to) {
  const offset = stridesOf(from).reduce((sum, stride, a) => sum + stride * entry[a], 0);
  return stridesOf(to).map((stride, a) => Math.floor(offset / stride) % to[a]);
}
