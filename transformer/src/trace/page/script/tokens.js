// Which tokens made this entry of a parameter's gradient, and through which steps?
//
// Every contribution is a sum of products ȳ × ∂y/∂x, and each ȳ stands at a place of the text. Sorted by that place, the
// terms say which token asks for how much. From any of them one can walk on, against the walk back, to the loss.

/** { place of the token, x, terms: [{ k, x, dy }], omitted } for each token that contributes by step k; `omitted` terms are not on the page. */
function tokenShares(node, entry, k) {
  const shares = new Map();
  for (const each of into[node].filter((step) => step <= k)) {
    const working = backwardArithmetic(each, entry);
    for (const term of working?.terms ?? []) {
      const place = tokenPlace(term.dy);
      if (place === null) continue;
      const share = shares.get(place) ?? { place, x: 0, terms: [], omitted: 0 };
      shares.set(place, share);
      if (!isHere(term)) {
        share.omitted += 1;
        continue;
      }
      share.x += term.x;
      share.terms.push({ k: each, x: term.x, dy: term.dy });
    }
  }
  return [...shares.values()].sort((a, b) => a.place - b.place);
}

/** Which token of the text an entry belongs to, by its axis n; null if to none. */
function tokenPlace({ node, entry }) {
  const names = trace.nodes[node].axisNames;
  const n = names.indexOf("n");
  return n < 0 ? null : entry[n];
}

function tokensPanel(node, entry, k) {
  const found = tokenShares(node, entry, k);
  if (found.length === 0) return null;
  const shares = found.filter(({ omitted }) => omitted === 0);
  const lacking = found.filter(({ omitted }) => omitted > 0);
  const most = Math.max(...shares.map(({ x }) => Math.abs(x)));
  const byPlace = new Map(shares.map((share) => [share.place, share]));
  const strip = trace.tokens.map((token, place) => {
    const share = byPlace.get(place);
    const omitted = lacking.some((each) => each.place === place);
    const title = share ? format(share.x, 6) : omitted ? "omitted from the sample that the page holds" : "no share";
    const shown = h("span", { class: omitted ? "token omitted" : "token", dir: "auto", title }, visible(token.text));
    if (share) tint(shown, share.x, most);
    return shown;
  });
  const largest = [...shares].sort((a, b) => Math.abs(b.x) - Math.abs(a.x));
  const row = (share) => {
    const bar = h("span", { class: `bar ${share.x < 0 ? "negative" : "positive"}`, "aria-hidden": "true" });
    bar.style.setProperty("--share", String(most > 0 ? Math.abs(share.x) / most : 0));
    return h("tr", {}, h("th", { scope: "row", dir: "auto" }, `${share.place} ${visible(trace.tokens[share.place]?.text ?? "")}`), h("td", { class: "bar-cell" }, bar), h("td", { class: "term" }, number(share.x)), h("td", { class: "through" }, share.terms.map(({ k: each, x, dy }) => stepsOf(each, x, dy))));
  };
  return h("section", { class: "panel tokens-panel" },
    h("h3", {}, `Which tokens made ${entryName(`∂L/∂${partOf(node, entry)}`, entry)}?`),
    h("p", { class: "token-strip" }, strip),
    h("table", { class: "terms" }, h("caption", { class: "visually-hidden" }, "Each token's share, the largest first, with the steps that it came through"), h("tbody", {}, largest.slice(0, FEW).map(row))),
    more(largest.slice(FEW), row),
    sharesVerdict(node, entry, k, shares, lacking));
}

/** The shares' sum beside the gradient, as far as it has come by step k; and what the page's sample lacks. */
function sharesVerdict(node, entry, k, shares, lacking) {
  const together = shares.reduce((sum, { x }) => sum + x, 0);
  const parts = into[node].filter((step) => step <= k).map((step) => tensor(deltaBlob(step))?.at(entry));
  const gradient = parts.every((part) => part !== undefined) ? parts.reduce((sum, part) => sum + part, 0) : undefined;
  const line = ["verdict"];
  const words = shares.length > 0 ? [`${shares.length} tokens, together `, number(together)] : [];
  if (lacking.length > 0) {
    line.push("lacks");
    words.push(shares.length > 0 ? `; the numbers of ${lacking.length} more are not in the sample that the page holds` : `The sample that the page holds lacks the numbers of all ${lacking.length} tokens`);
    if (gradient !== undefined) words.push(": they make up ", number(gradient - together), " of ", number(gradient));
    words.push(". All of them: ", h("code", {}, `${trace.run.command} --why '${shortName(trace.nodes[node].name)}[${entry.join(",")}]'`));
  } else if (gradient !== undefined) {
    const size = shares.reduce((sum, { x }) => sum + Math.abs(x), 0);
    const same = Math.abs(gradient - together) <= 1e-5 * Math.max(size, Math.abs(gradient)) + 1e-30;
    line.push(same ? "agrees" : "disagrees");
    words.push("; the gradient is ", number(gradient), same ? h("span", { class: "tick" }, " ✓") : h("strong", {}, " ✗ not their sum"));
  }
  return h("p", { class: line.join(" ") }, words);
}

/** The parts of a parameter by their names: W_Q, W_K and W_V lie side by side in one. */
const partsOf = (node) => (trace.nodes[node].name.endsWith("c_attn.weight") ? ["W_Q", "W_K", "W_V"] : [shortName(trace.nodes[node].name)]);

/** Which part an entry belongs to. Keys and values may have fewer heads, k, than queries, h. */
function partOf(node, entry) {
  const parts = partsOf(node);
  const { h: queries, k: keys = queries } = trace.dims;
  const head = Math.floor(entry.at(-1) / (trace.nodes[node].shape.at(-1) / (queries + 2 * keys)));
  return parts.length === 1 ? parts[0] : parts[head < queries ? 0 : head < queries + keys ? 1 : 2];
}

function more(rest, row) {
  if (rest.length === 0) return null;
  const details = h("details", { class: "more-terms" }, h("summary", {}, `and ${rest.length} more tokens`));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(h("table", { class: "terms" }, h("tbody", {}, rest.map(row))));
  });
  return details;
}

function stepsOf(k, x, dy) {
  const origin = originOf(dy);
  return [
    link({ k, entry: null }, { class: "chip" }, `step ${k + 1} ${trace.nodes[trace.steps[k].node].op}`),
    origin && link(origin, { class: "chip" }, `∂L/∂%${dy.node} from step ${origin.k + 1}`),
  ];
}

/** A token's background by its share. */
function tint(element, x, most) {
  const ground = colour(x, most, {});
  const light = (0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2]) > 135;
  element.style.backgroundColor = css(ground);
  element.style.color = light ? "#14171c" : "#ffffff";
}

/**
 * From an entry of a contribution against the walk back to the loss, each time by the largest term that can be followed:
 * a list of { k, to, entry, x }, the loss first; null if none reaches it. What a sample lacks cannot be followed.
 */
function strongestPath(k, entry, tries = { left: 4_000 }) {
  tries.left -= 1;
  if (tries.left < 0) return null;
  const working = backwardArithmetic(k, entry);
  const hop = { k, to: subject(k), entry, x: working ? valueOrSum(working) : tensor(deltaBlob(k))?.at(entry), lacking: working ? working.terms.filter((term) => !isHere(term)).length : 0 };
  if (trace.steps[k].dir === "seed") return [hop];
  const terms = (working?.terms ?? []).filter(isHere).sort((a, b) => Math.abs(b.x) - Math.abs(a.x));
  for (const { dy } of terms.slice(0, 64)) {
    const size = (step) => Math.abs(tensor(deltaBlob(step))?.at(dy.entry) ?? 0);
    for (const step of [...into[dy.node]].sort((a, b) => size(b) - size(a))) {
      const rest = strongestPath(step, dy.entry, tries);
      if (rest) return [...rest, hop];
    }
  }
  return null;
}

/** The path is worked out when it is asked for. */
function pathPanel(k, entry) {
  const details = h("details", { class: "panel path-panel" }, h("summary", {}, h("span", {}, "Where does it come from? "), h("small", {}, "the strongest path from the loss")));
  details.addEventListener("toggle", async () => {
    if (!details.open || details.childElementCount > 1) return;
    await everything();
    const path = strongestPath(k, entry);
    if (!path) return details.append(h("p", { class: "note" }, "No path can be followed on this page: it lacks the numbers that it would go through, or an op on the way has no working written out."));
    const lacking = path.some((hop) => hop.lacking > 0);
    details.append(
      h("ol", { class: "path" }, path.map((hop) => h("li", {}, link({ k: hop.k, entry: hop.entry }, { class: `hop ${trace.steps[hop.k].dir}` },
        h("span", { class: "hop-step" }, `${hop.k + 1}`), h("span", { class: "hop-op" }, trace.steps[hop.k].dir === "seed" ? "seed" : trace.nodes[trace.steps[hop.k].node].op),
        h("span", { class: "hop-place", dir: "auto" }, `${entryName(shortName(nodeName(hop.to)), hop.entry)} ${hopToken(hop)}`), number(hop.x ?? NaN))))),
      h("p", { class: "note" }, `At each step the largest term ${lacking ? "that can be followed on this page (it holds samples of large tensors) " : ""}was taken; the others are on the steps' own cards.`),
    );
  });
  return details;
}

function hopToken({ to, entry }) {
  const place = tokenPlace({ node: to, entry });
  return place === null || !trace.tokens[place] ? "" : `“${visible(trace.tokens[place].text)}”`;
}
