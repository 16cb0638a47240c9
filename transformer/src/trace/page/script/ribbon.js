// The whole run as a ribbon: forward, seed, backward, update, each cut by the outermost scope. One sees the way back
// mirror the way there.

const directions = { forward: "forward", seed: "seed", backward: "backward", update: "update" };

/** Runs of steps with one direction and one outermost scope. */
function stretches() {
  const list = [];
  trace.steps.forEach((step, k) => {
    const scope = step.dir === "seed" ? "" : step.dir === "update" ? "parameters" : split(scopeOf(k))[0] || "parameters";
    const last = list.at(-1);
    if (last && last.dir === step.dir && last.scope === scope) last.end = k + 1;
    else list.push({ dir: step.dir, scope, start: k, end: k + 1 });
  });
  return list;
}

let ribbonCursor = null;

function buildRibbon() {
  const total = trace.steps.length;
  const phases = [];
  for (const stretch of stretches()) {
    let phase = phases.at(-1);
    if (!phase || phase.dir !== stretch.dir) {
      phase = { dir: stretch.dir, start: stretch.start, stretches: [] };
      phases.push(phase);
    }
    phase.end = stretch.end;
    phase.stretches.push(stretch);
  }
  ribbonCursor = h("div", { class: "cursor", "aria-hidden": "true" });
  const bars = phases.map((phase) => {
    const parts = phase.stretches.map((stretch) => {
      const part = link({ k: stretch.start }, { class: "stretch", tabindex: "-1", title: `${directions[stretch.dir]} ${stretch.scope}: steps ${stretch.start + 1} to ${stretch.end}` }, h("span", {}, stretch.scope));
      part.style.flexGrow = String(stretch.end - stretch.start);
      return part;
    });
    const bar = h("div", { class: `phase ${phase.dir}` }, link({ k: phase.start }, { class: "phase-name" }, directions[phase.dir]), h("div", { class: "stretches" }, parts));
    bar.style.flexGrow = String(phase.end - phase.start);
    bar.style.minWidth = phase.dir === "seed" ? "38px" : "0";
    return { bar, phase };
  });
  show($("ribbon"), bars.map(({ bar }) => bar), ribbonCursor);
  phaseBars = bars;
  layRibbon();
}

let phaseBars = [];

/** Where step k stands on the ribbon, in pixels. The bars only move with the window. */
function ribbonPlace(k) {
  const { phase, left, width } = phaseBars.find((each) => k < each.phase.end) ?? phaseBars.at(-1);
  return left + ((k - phase.start + 0.5) / (phase.end - phase.start)) * width;
}

function measureRibbon() {
  for (const each of phaseBars) Object.assign(each, { left: each.bar.offsetLeft, width: each.bar.offsetWidth });
}

function paintRibbon() {
  ribbonCursor.style.transform = `translateX(${ribbonPlace(state.k)}px)`;
  $("ribbon").classList.toggle("asking", state.predict);
  for (const { bar, phase } of phaseBars) mark(bar, "data-now", state.k >= phase.start && state.k < phase.end ? "true" : null);
}

/** What depends on the ribbon's width: red ticks where a rule is wrong of itself, dots where the page asks first. */
function layRibbon() {
  measureRibbon();
  for (const tick of $("ribbon").querySelectorAll(".wrong-tick, .ask-tick")) tick.remove();
  const first = trace.first_broken ? [brokenStep(trace.first_broken)] : [];
  const wrong = new Set([...first, ...trace.steps.flatMap((step, k) => (step.check && isWrong(step.check) ? [k] : []))]);
  const ticks = [...[...wrong].map((k) => link({ k }, { class: "wrong-tick", tabindex: "-1", "aria-label": `step ${k + 1} is wrong` })), ...[...marked.keys()].map((k) => link({ k }, { class: "ask-tick", tabindex: "-1", "aria-label": `step ${k + 1} asks` }))];
  for (const tick of ticks) tick.style.left = `${ribbonPlace(parse(tick.getAttribute("href")).k)}px`;
  $("ribbon").append(...ticks);
}
