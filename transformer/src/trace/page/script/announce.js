// For those who do not see the page, or not as we drew it: the live region, and the theme.

function announce(text) {
  $("live").textContent = text;
}

function announceStep(k) {
  const step = trace.steps[k];
  const { op } = trace.nodes[step.node];
  const what = {
    forward: () => (hidesShape(step.node) ? `${op}, predict first` : `${op}, ${shapeText(step.node)}`),
    seed: () => "the loss's own cotangent is 1",
    backward: () => `${op} contributes to ${nodeName(step.to)}, ${arrived(step.to, k)} of ${into[step.to].length}`,
    update: () => `${nodeName(step.node)} moves`,
  }[step.dir]();
  announce(`Step ${k + 1} of ${trace.steps.length}, ${step.dir}: ${what}`);
}

const themes = ["", "light", "dark"];

function buildTheme() {
  const names = { "": "auto", light: "light", dark: "dark" };
  const paint = () => ($("theme").textContent = `theme: ${names[document.documentElement.dataset.theme ?? ""]}`);
  $("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "";
    const next = themes[(themes.indexOf(now) + 1) % themes.length];
    if (next) document.documentElement.dataset.theme = next;
    else delete document.documentElement.dataset.theme;
    paint();
    render(state, { force: true });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => render(state, { force: true }));
  paint();
}
