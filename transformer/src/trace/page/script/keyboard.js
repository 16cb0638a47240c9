// The keyboard, which is enough for everything.

const keys = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  "shift+ArrowLeft": () => stepScope(-1),
  "shift+ArrowRight": () => stepScope(1),
  Home: () => go({ k: 0 }),
  End: () => go({ k: trace.steps.length - 1 }),
  b: () => go({ k: twin(state.k) }, { jump: true }),
  "/": () => openFind(),
  p: () => go({ k: state.k, node: state.node, entry: state.entry, predict: !state.predict }),
  c: () => go({ k: state.k, node: state.node, entry: state.entry, contrast: state.contrast === "linear" ? "asinh" : "linear" }),
  "?": () => $("help").showModal(),
};

function buildKeyboard() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, dialog[open]")) {
      if (!(event.target.id === "slider" && event.shiftKey)) return;
    }
    const shifted = event.shiftKey && event.key.startsWith("Arrow");
    const action = keys[shifted ? `shift+${event.key}` : event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  const buttons = { first: "Home", "scope-back": "shift+ArrowLeft", back: "ArrowLeft", forward: "ArrowRight", "scope-forward": "shift+ArrowRight", last: "End", twin: "b", find: "/", predict: "p", contrast: "c", "open-help": "?" };
  for (const [id, key] of Object.entries(buttons)) $(id).addEventListener("click", keys[key]);
  $("slider").max = trace.steps.length;
  $("slider").addEventListener("input", (event) => go({ k: Number(event.target.value) - 1 }));
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
}
