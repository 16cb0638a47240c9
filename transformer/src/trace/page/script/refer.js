// What arithmetic is made of: numbers that know which entry of which node they are.

/** An entry of a node's value. */
const valueOf = (node, entry) => ({ of: "value", node, entry, x: tensor(trace.nodes[node].value)?.at(entry) });

/** An entry of a node's complete cotangent. */
const cotangentOf = (node, entry) => ({ of: "cotangent", node, entry, x: tensor(trace.nodes[node].gradient)?.at(entry) });

/** A number that the op was told, or that a line above has worked out. */
const constant = (x) => ({ of: "constant", x });

/** The state in which a number was made: the step that computed it, or the last one that added to it. */
function originOf(ref) {
  if (ref.of === "value") return { k: forwardStep[ref.node], entry: ref.entry };
  const steps = into[ref.node];
  return steps.length > 0 ? { k: steps.at(-1), entry: ref.entry } : null;
}

/** What the op was told besides its inputs, out of its words on the tape. */
function told(node) {
  const { details = "", shape } = trace.nodes[node];
  const numbers = [...details.replaceAll("−", "-").matchAll(/-?\d+(\.\d+)?(e-?\d+)?/g)].map(([text]) => Number(text));
  const range = details.match(/(\d+)\.\.(\d+) of axis (\d+)/);
  const times = details.match(/× (-?[\d.e-]+)/);
  const plus = details.match(/\+ (-?[\d.e-]+)/);
  return {
    axes: numbers,
    axis: numbers[0] ?? shape.length - 1,
    order: numbers,
    start: range ? Number(range[1]) : 0,
    end: range ? Number(range[2]) : 0,
    along: range ? Number(range[3]) : 0,
    scale: times ? Number(times[1]) : 1,
    shift: plus ? Number(plus[1]) : 0,
    power: numbers[0],
    correction: Number(details.match(/n − (\d+)/)?.[1] ?? 0),
  };
}

/** The rows that a gather takes: the tokens where it reads their table, else one row a place. */
function gathered(node) {
  const places = numel(trace.nodes[node].shape.slice(0, -1));
  const table = trace.nodes[trace.nodes[node].inputs[0]];
  if (table.name.endsWith("wte.weight") || places !== trace.dims.n) return trace.tokens.map((token) => token.id);
  return Array.from({ length: places }, (_, place) => place);
}

/** Every index of a shape, or of some of its axes: `fixed` holds the others. */
function* indicesOf(sizes) {
  const total = numel(sizes);
  const strides = stridesOf(sizes);
  for (let i = 0; i < total; i++) yield sizes.map((size, a) => Math.floor(i / strides[a]) % size);
}

/** `entry` of a result, as an entry of an input that was repeated to meet its shape. */
function narrowed(entry, shape) {
  const more = entry.length - shape.length;
  return shape.map((size, a) => (size === 1 ? 0 : entry[a + more]));
}

/** Every entry of `shape` that an input's entry was repeated to. */
function widened(entry, from, shape) {
  const more = shape.length - from.length;
  const free = shape.map((size, a) => (a < more || (from[a - more] === 1 && size > 1) ? size : 1));
  return [...indicesOf(free)].map((index) => index.map((i, a) => (free[a] > 1 || a < more ? i : entry[a - more])));
}

const without = (entry, axes) => entry.filter((_, a) => !axes.includes(a));

/** A result's entry with the reduced axes put back in, at the places `index`. */
function within(entry, axes, index, rank) {
  let kept = 0;
  let reduced = 0;
  return Array.from({ length: rank }, (_, a) => (axes.includes(a) ? index[reduced++] : entry[kept++]));
}
