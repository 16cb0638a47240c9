// Is it right? For the selected entry the gradient by three routes; for the whole tape a plot, every dot a link.

const verdicts = { agree: "all three agree", kink: "at a kink: between the slopes of its sides", noisy: "reverse and forward agree; too rough for differences", wrong: "WRONG" };

function checksPanel(node, entry, k) {
  const own = contributionCheck(k);
  const found = checksOf.get(node);
  const check = found?.byEntry.get(entry.join(","));
  const head = h("h3", {}, "Is its gradient right?");
  if (into[node].length === 0) return h("section", { class: "panel checks" }, head, own, h("p", { class: "note" }, "Not checked: no gradient is wanted for this."));
  if (!check) {
    const others = found ? found.all : [];
    const words = others.length === 0 ? "Not checked: no entry of this tensor was." : `Not checked: this entry was not among the ${others.length} of ${thousands(numel(trace.nodes[node].shape))} that were. `;
    const nearest = others.slice(0, 4).map((other) => link({ k: into[node].at(-1), entry: other.entry }, { class: `chip ${isWrong(other) ? "bad" : ""}` }, `[${other.entry.join(", ")}]`));
    return h("section", { class: "panel checks" }, head, own, h("p", { class: "note unchecked" }, words, nearest.length > 0 ? ["Checked: ", nearest, others.length > 4 ? " …" : ""] : null));
  }
  const late = gradientComplete(node, k) ? null : h("p", { class: "note" }, "The walk back has not completed this gradient at this step; the check is of the complete one.");
  const row = (name, x, how) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, number(x)), h("td", { class: "digits" }, exact(x)), h("td", { class: "how" }, how));
  const bad = isWrong(check);
  const { reverse, forward, difference } = threeWays(check);
  return h(
    "section",
    { class: `panel checks ${bad ? "disagrees" : "agrees"}` },
    head,
    own,
    late,
    h("table", { class: "three-ways" }, h("caption", { class: "visually-hidden" }, "The derivative of the loss by this entry, three ways"), h("tbody", {},
      row("reverse", reverse, "the walk back"),
      row("forward", forward, "dual numbers, no vjp"),
      row("difference", difference, "(L(x + h) − L(x − h)) / 2h"))),
    h("p", { class: `verdict ${bad ? "disagrees" : "agrees"}` }, h("strong", {}, bad ? "✗ " : "✓ ", verdicts[check.verdict] ?? check.verdict),
      "; relative error ", number(check.relative_error), " between reverse and forward, ", number(apart(forward, difference)), " between forward and difference"),
  );
}

/** The distance of two numbers, relative to the larger. */
const apart = (a, b) => (a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b)));

/** log₁₀ of a relative error, between the best and the worst that the plot shows. */
const decade = (error) => Math.max(-17, Math.min(0.5, Math.log10(Math.max(Math.abs(error), 1e-17))));

function buildChecks() {
  const checks = allChecks();
  const wrong = checks.filter(isWrong);
  const button = $("open-checks");
  const broken = trace.first_broken;
  button.textContent = broken ? `✗ %${broken.node} ${trace.nodes[broken.node].op} is wrong` : checks.length === 0 ? "not checked" : wrong.length === 0 ? `✓ ${thousands(checks.length)} checks` : `✗ ${thousands(wrong.length)} of ${thousands(checks.length)} checks`;
  button.classList.toggle("bad", wrong.length > 0 || Boolean(broken));
  button.addEventListener("click", () => {
    if (!$("checks-plot").firstChild) show($("checks-plot"), checksPlot(checks, wrong));
    $("checks").showModal();
  });
}

function checksPlot(checks, wrong) {
  if (checks.length === 0) return h("p", {}, "This trace was made without checks.");
  const [width, height, left, bottom] = [900, 320, 56, 34];
  const x = (node) => left + (node / Math.max(1, trace.nodes.length - 1)) * (width - left - 16);
  const y = (error) => 12 + ((0.5 - decade(error)) / 17.5) * (height - 12 - bottom);
  const lines = [0, -4, -8, -12, -16].map((power) => [
    svg("line", { x1: left, x2: width - 8, y1: y(10 ** power), y2: y(10 ** power), class: "grid" }),
    svg("text", { x: left - 8, y: y(10 ** power) + 4, "text-anchor": "end" }, power === 0 ? "1" : `1e${power}`.replace("-", "−")),
  ]);
  const dots = checks.map((check, i) => {
    const to = { k: into[check.node].at(-1), entry: check.entry };
    const words = `${nodeName(check.node)} [${check.entry.join(", ")}]: relative error ${format(check.relative_error)}, ${verdicts[check.verdict] ?? check.verdict}`;
    const place = { cx: x(check.node), cy: y(check.relative_error), r: isWrong(check) ? 4.5 : 2.6 };
    const shape = isWrong(check) ? svg("path", { d: `M${place.cx - 5},${place.cy - 5}l10,10m0,-10l-10,10` }) : svg("circle", place);
    const dot = svg("a", { href: hashOf(to), class: isWrong(check) ? "wrong" : check.verdict === "agree" ? "right" : "unsure", tabindex: i === 0 ? 0 : -1, "aria-label": words }, svg("title", {}, words), shape);
    return dot;
  });
  const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Distance of reverse from forward mode for every checked entry, along the tape" }, lines,
    svg("text", { x: left, y: height - 8 }, "%0, the start of the tape"), svg("text", { x: width - 8, y: height - 8, "text-anchor": "end" }, `%${trace.nodes.length - 1}, the loss`), dots);
  roam(dots);
  plot.addEventListener("click", (event) => event.target.closest("a") && $("checks").close());
  const summary = wrong.length === 0
    ? `${thousands(checks.length)} of ${thousands(trace.run.checkable)} entries were checked three ways, in ${checksOf.size} tensors; none is wrong. What has no dot was not checked.`
    : `${thousands(wrong.length)} of ${thousands(checks.length)} checked entries are wrong.`;
  return [h("p", {}, summary), blame(), plot, h("p", { class: "note" }, "Across: the tape. Up: the distance of reverse from forward mode, relative. Arrow keys move from dot to dot, Enter goes there.")];
}

/** One tab stop for all dots; arrow keys go from one to the next. */
function roam(dots) {
  dots.forEach((dot, i) => dot.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = by && dots[i + by];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    dot.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
  }));
}

/** Where the first thing that is wrong can be seen: its vjp's step, or the step that computed it. */
function brokenStep({ node, slot }) {
  const wrong = outOf[node].find((k) => (slot === undefined || slot === null ? trace.steps[k].check && isWrong(trace.steps[k].check) : trace.steps[k].slot === slot));
  return wrong ?? forwardStep[node];
}

/** The op at whose door it lies. */
function blame() {
  const first = trace.first_broken;
  if (!first) return null;
  const { op, scope } = trace.nodes[first.node];
  return h("p", { class: "verdict disagrees" }, "The first that is wrong is ", link({ k: brokenStep(first) }, { class: "chip bad", onclick: () => $("checks").close() }, `%${first.node} ${op}`), ` in ${scope || "the model"}: ${first.why}.`);
}

/** What is wrong with an op of itself: its value is not the formula's, or its vjp not that of its rule. */
function faultPanel(node) {
  const fault = trace.faults.find((each) => each.node === node);
  if (!fault) return null;
  const first = trace.first_broken?.node === node;
  return h("p", { class: "verdict disagrees fault" }, h("strong", {}, first ? "✗ The first that is wrong: " : "✗ Wrong as well: "), fault.why);
}

/** A contribution by itself: the vjp of this one op against its own forward rule, whatever came before. */
function contributionCheck(k) {
  const { check, node } = trace.steps[k];
  if (!check) return null;
  const bad = isWrong(check);
  return h("p", { class: `verdict own-check ${bad ? "disagrees" : "agrees"}` }, h("strong", {}, bad ? "✗ " : "✓ "),
    bad ? `This op's vjp is wrong, by itself: along a random direction it gives ` : `This op's vjp, by itself: along a random direction `, number(check.reverse), bad ? ", and its forward rule " : " by the vjp, ", number(check.forward), bad ? "" : " by its forward rule",
    "; relative error ", number(check.relative_error));
}
