// The page: reads its data, builds what stays, and draws each state.

let drawn = 0; // the number of the latest drawing: an older one that is still waiting for its numbers gives way

function render(next = state, { force = false } = {}) {
  const stepped = next.k !== state.k || force;
  state = next;
  const turn = ++drawn;
  const waiting = ready(blobsOf(next));
  if (waiting === null) return draw(next, stepped);
  return waiting.then(() => turn === drawn && draw(next, stepped));
}

let selection = { node: 0, entry: null }; // what the card is about

/** All that is written comes first, then all that is measured, then all that depends on it: one layout a step. */
function draw(shown, stepped) {
  hideTip();
  const card = buildCard(shown);
  show($("card"), card.parts.flat().filter(Boolean));
  buildSource(shown.k);
  paintTape();
  paintControls(shown, card);
  selection = { node: card.node, entry: card.entry };
  paintText(selection);
  const scroll = measureScroll();
  measureMaps();
  drawMaps();
  scroll();
  paintRibbon();
  if (stepped) {
    $("middle").scrollTop = 0;
    announceStep(shown.k);
  }
  if (refocus !== null) {
    const maps = [...$("card").querySelectorAll(".drawing")];
    maps.find((map) => map.getAttribute("aria-label").startsWith(refocus))?.focus({ preventScroll: true });
    refocus = null;
  }
  document.documentElement.dataset.step = String(shown.k + 1);
}

function paintControls({ k, predict, contrast }) {
  $("slider").value = k + 1;
  $("slider").setAttribute("aria-valuetext", `step ${k + 1} of ${trace.steps.length}, ${trace.steps[k].dir}`);
  $("count").textContent = `${k + 1} / ${trace.steps.length}`;
  for (const id of ["first", "scope-back", "back"]) $(id).disabled = k === 0;
  for (const id of ["last", "scope-forward", "forward"]) $(id).disabled = k === trace.steps.length - 1;
  $("twin").disabled = twin(k) === k;
  $("predict").setAttribute("aria-pressed", String(predict));
  $("contrast").setAttribute("aria-pressed", String(contrast === "asinh"));
}

function buildFacts() {
  const { run, dims } = trace;
  const fact = (name, ...value) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, value));
  show($("facts"),
    fact("loss", number(run.loss), " nats"),
    fact("model", `${layers()} layers, ${dims.h} heads, ${dims.d} wide`),
    fact("parameters", thousands(run.parameters)),
    fact("arithmetic", `${amount(run.flops)}FLOP`),
    fact("values", bytes(run.bytes)),
    fact("from", run.source),
    fact("at", run.dtype),
    run.path === "textbook" ? null : fact("by", run.path === "fused" ? "the fused ops, which training runs" : "the textbook's ops, with dropout"),
    run.planted ? fact("planted", h("strong", { class: "bad" }, run.planted)) : null);
  $("command").textContent = run.command;
}

/** How many blocks the model has. */
const layers = () => trace.scopes.filter((scope) => /^blocks\.\d+$/.test(scope)).length;

/** Marks in the text the token that an entry belongs to and, in attention, the one that is looked at. */
function paintText({ node, entry }) {
  const names = trace.nodes[node].axisNames;
  const place = (name) => (entry && names.includes(name) ? entry[names.indexOf(name)] : null);
  const [own, other] = [place("n"), place("m")];
  const holders = $("text").children;
  for (let i = 0; i < trace.tokens.length; i++) mark(holders[i], "data-here", i === own ? "own" : i === other ? "other" : null);
}

function buildText() {
  show($("text"), trace.tokens.map(({ text }) => h("span", { class: "token", dir: "auto" }, visible(text))), h("span", { class: "token target", dir: "auto", title: "the last target" }, visible(trace.targets.at(-1)?.text ?? "")));
}

function start() {
  formulas = JSON.parse($("formulas").textContent);
  load(JSON.parse($("trace").textContent));
  state = parse(location.hash);
  markQuestions();
  buildFacts();
  buildText();
  buildTape();
  buildRibbon();
  buildChecks();
  buildTheme();
  buildFind();
  buildKeyboard();
  buildPrint();
  window.addEventListener("hashchange", followAddress);
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    layRibbon();
    render(state, { force: true });
  });
  document.documentElement.dataset.ready = "false";
  Promise.resolve(render(state, { force: true })).then(decodeTheRest);
}

/** What the first card did not need, in the background, so that later steps are drawn at once. */
async function decodeTheRest() {
  document.documentElement.dataset.first = String(Math.round(performance.now()));
  await everything();
  document.documentElement.dataset.ready = "true";
}

document.addEventListener("DOMContentLoaded", start);
