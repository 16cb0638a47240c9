// The trace and what follows from it once and for all: which step made what, who contributes to whom.

let trace = null; // the JSON that the page carries
const forwardStep = []; // node → the step that computes it
const into = []; // node → the steps that add to its cotangent, the seed among them
const outOf = []; // node → the steps that its own vjp makes
const updateStep = new Map(); // parameter → the step that moves it
const checksOf = new Map(); // node → its checks
const users = []; // node → the nodes that take it as an input

function load(json) {
  trace = json;
  trace.dims = Object.fromEntries(trace.dims.map(({ name, size }) => [name, size]));
  trace.vocabulary = new Map([...trace.tokens, ...trace.targets].map(({ id, text }) => [id, text]));
  trace.nodes.forEach((node, i) => {
    node.scope = trace.scopes[node.scope];
    node.axisNames = axisNames(node);
    into.push([]);
    outOf.push([]);
    users.push([]);
    node.inputs.forEach((input) => users[input].push(i));
  });
  trace.steps.forEach((step, k) => {
    if (step.dir === "forward") forwardStep[step.node] = k;
    if (step.dir === "seed") into[step.node].push(k);
    if (step.dir === "update") loadUpdate(step, k);
    if (step.dir === "backward") {
      into[step.to].push(k);
      outOf[step.node].push(k);
    }
  });
  trace.checks.forEach(loadChecks);
}

function axisNames(node) {
  const names = node.axes.split(" ").filter(Boolean);
  return names.length === node.shape.length ? names.map((name) => (/^\d+$/.test(name) ? "" : name)) : node.shape.map(() => "");
}

/** An update has samples of its own, the same for all of its tensors. */
function loadUpdate(step, k) {
  const { shape } = trace.nodes[step.node];
  const whole = step.indices.every((axis, a) => axis.length === shape[a]);
  for (const name of ["before", "gradient", "m", "v", "after"]) {
    step[name] = { shape, indices: whole ? null : step.indices, data: step[name], stats: null };
  }
  updateStep.set(step.node, k);
}

function loadChecks({ node, entries, values, relative_error, verdicts }) {
  const strides = stridesOf(trace.nodes[node].shape);
  const numbers = { data: values, wide: true };
  const found = entries.map((flat, i) => ({
    node,
    entry: strides.map((stride, a) => Math.floor(flat / stride) % trace.nodes[node].shape[a]),
    relative_error: relative_error[i],
    verdict: trace.verdicts[verdicts[i]],
    numbers,
    at: 3 * i,
  }));
  checksOf.set(node, { numbers, all: found, byEntry: new Map(found.map((check) => [check.entry.join(","), check])) });
}

/** Every checked entry of the tape. */
const allChecks = () => [...checksOf.values()].flatMap(({ all }) => all);

/** The three values of a checked entry, at f64. */
function threeWays({ numbers, at }) {
  const [reverse, forward, difference] = numbersOf(numbers.data).subarray(at, at + 3);
  return { reverse, forward, difference };
}

const seedStep = () => trace.steps.findIndex((step) => step.dir === "seed");
const isParameter = (node) => trace.nodes[node].op === "leaf" && trace.nodes[node].requires_gradient;
const isWrong = ({ verdict }) => verdict === "wrong";

/** The node that a step is about: what it computes, adds to, or moves. */
function subject(k) {
  const step = trace.steps[k];
  return step.dir === "backward" ? step.to : step.node;
}

/** The scope that a step runs in. */
const scopeOf = (k) => trace.nodes[trace.steps[k].node].scope;

/** The step of the same op in the other direction: where it was computed, or where its first contribution leaves. */
function twin(k) {
  const step = trace.steps[k];
  if (step.dir === "backward") return forwardStep[step.node];
  if (step.dir === "update") return into[step.node].at(-1) ?? k;
  if (step.dir === "seed") return forwardStep[step.node];
  return outOf[step.node][0] ?? into[step.node].at(-1) ?? k;
}

/** How many of a node's contributions have arrived by step k. */
const arrived = (node, k) => into[node].filter((step) => step <= k).length;

const valueKnown = (node, k) => k >= forwardStep[node];
const gradientComplete = (node, k) => into[node].length > 0 && arrived(node, k) === into[node].length;

function deltaBlob(k) {
  const step = trace.steps[k];
  if (step.dir === "seed") return trace.nodes[step.node].gradient;
  return step.delta;
}

/** The blobs that the cotangent of `node` as of step k is made from. */
function gradientBlobs(node, k) {
  if (gradientComplete(node, k)) return [trace.nodes[node].gradient];
  return into[node].filter((step) => step <= k).map(deltaBlob);
}

/** The cotangent of `node` as of step k: the run's own when it is complete, the sum of what has arrived before; or null. */
function gradientAt(node, k) {
  const parts = gradientBlobs(node, k).map(tensor);
  if (parts.length === 0 || parts.includes(null)) return null;
  return parts.reduce((sum, part) => sum.plus(part));
}

/** What an index along an axis is called: its token, its letter of the vocabulary, or nothing but a number. */
function tokenAt(node, axis, index) {
  const name = trace.nodes[node].axisNames[axis];
  if (name === "n" || name === "m") return trace.tokens[index]?.text;
  return name === "v" ? trace.vocabulary.get(index) : undefined;
}

/** A token as text that can be seen: blanks and line ends as signs. */
function visible(text) {
  return text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥") || "∅";
}

/** A node's name for people: a parameter's own, else its number. */
function nodeName(node) {
  return trace.nodes[node].name || `%${node}`;
}

/** [b n d] with sizes: "b 1 · n 16 · d 64". */
function shapeText(node) {
  const { shape, axisNames } = trace.nodes[node];
  if (shape.length === 0) return "one number";
  return `[${shape.map((size, a) => (axisNames[a] ? `${axisNames[a]} ${size}` : size)).join(", ")}]`;
}

const numel = (shape) => shape.reduce((product, size) => product * size, 1);
