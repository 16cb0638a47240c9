// The update: AdamW moves each entry of a parameter by its own gradient's history.

function updateCard({ k, entry }) {
  const step = trace.steps[k];
  const { node } = step;
  const before = tensor(step.before);
  const after = tensor(step.after);
  const gradient = tensor(step.gradient);
  const [m, v] = [tensor(step.m), tensor(step.v)];
  const chosen = entry ?? defaultEntry(gradient, () => null, { node });
  const question = openQuestion(k);
  const secret = question && !question.shows;
  const shared = { node, selected: chosen, selects: true, className: wide(before) ? "full" : "", onpick: pick(chosen) };
  const map = (title, found, most) => found && heatmap({ ...shared, title, subtitle: shapeText(node), found, ...(most === undefined ? {} : { most }) });
  const change = after && updated(k);
  return {
    node, entry: chosen,
    parts: [
      header(k, [h("span", { class: "op" }, "AdamW"), h("small", {}, ` → ${shortName(nodeName(node))}`)], "The gradient is complete. AdamW moves each entry against it, by a step that the history of that entry's gradients sets.", ADAMW, node),
      question && questionPanel(question),
      h("div", { class: "maps" }, map("the parameter, before", before), map("its gradient", gradient), map("m, the mean gradient", m), map("v, the mean square", v),
        secret ? unknown("the change", shapeText(node), "predict first") : change && map("the change", change)),
      secret ? null : h("section", { class: "panel" }, h("h3", {}, "How this entry moves"), entryForm(node, chosen), updateWorking(step, chosen, { before, after, gradient, m, v })),
      secret ? null : checksPanel(node, chosen, k),
      secret ? null : tokensPanel(node, chosen, k),
    ],
  };
}

const ADAMW = "<math display=\"block\"><mi>p</mi><mo>←</mo><mi>p</mi><mo>−</mo><mi>η</mi><mi>λ</mi><mi>p</mi><mo>−</mo><mi>η</mi><mfrac><mover accent=\"true\"><mi>m</mi><mo>^</mo></mover><mrow><msqrt><mover accent=\"true\"><mi>v</mi><mo>^</mo></mover></msqrt><mo>+</mo><mi>ε</mi></mrow></mfrac></math>";

/** AdamW's own lines (autograd's kernels/adamw.rs), at one entry. */
function updateWorking(step, entry, { before, after, gradient, m, v }) {
  const x = (found) => found.at(entry);
  if (x(before) === undefined) return h("p", { class: "note" }, "This entry is not in the sample that the page holds.");
  const { learning_rate, eps, clip, correction1, correction2 } = trace.adamw;
  const mean = x(m) / correction1;
  const root = Math.sqrt(x(v) / correction2);
  const line = (name, ...parts) => h("div", { class: "line" }, h("span", { class: "line-name" }, name), " = ", parts);
  const rate = number(learning_rate);
  const terms = [{ label: "−η·m̂/(√v̂ + ε)", pieces: ["−", constant(learning_rate), "×", constant(mean), "/ (", constant(root), "+", constant(eps), ")"], x: (-learning_rate * mean) / (root + eps) }];
  if (step.decay > 0) terms.unshift({ label: "−η·λ·p", pieces: ["−", constant(learning_rate), "×", constant(step.decay), "×", constant(x(before))], x: -learning_rate * step.decay * x(before) });
  const change = x(after) - x(before);
  const size = terms.reduce((sum, term) => sum + Math.abs(term.x), 0);
  const same = Math.abs(termsSum(terms) - change) <= 1e-5 * size + 2.4e-7 * Math.abs(x(before)); // the page's numbers are f32
  return h("div", { class: "working" },
    line("g", number(x(gradient)), clip < 1 ? [" × ", number(clip), ", clipped, is ", number(x(gradient) * clip)] : ""),
    line("m̂", "m / (1 − β₁ᵗ) = ", number(x(m)), " / ", number(correction1), " = ", number(mean)),
    line("√v̂", "√(v / (1 − β₂ᵗ)) = √(", number(x(v)), " / ", number(correction2), ") = ", number(root)),
    line("η", rate),
    termTable(terms, "What moves this entry"),
    h("p", { class: "accumulation moved" },
      h("span", { class: "slot" }, h("small", {}, "before"), number(x(before))), h("span", { class: "sign" }, "+"),
      h("span", { class: "slot" }, h("small", {}, "the change"), number(change)), h("span", { class: "sign" }, "="),
      h("span", { class: "slot after" }, h("small", {}, "after"), number(x(after)))),
    h("p", { class: `verdict ${same ? "agrees" : "disagrees"}` }, "By this rule it moves by ", number(termsSum(terms), { class: "by-rule" }),
      same ? h("span", { class: "tick" }, " ✓ the change") : h("strong", {}, " ✗ the run did something else here")));
}
